"""Step 10 of admission: one Kafka transaction a batch, or nothing of it.

(10) entries to the log, copies to inboxes, receipts to the sources' inboxes, what is kept to the quarantine, offsets of the ``.in``
partitions. The transactional id is that of the instance, so a restarted process ends what it left open; the generation of the
consumer group in the offsets fences a process that lost its partitions without noticing (KIP-447).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from services.admission.records import Outgoing
from services.kernel.errors import Transient
from services.runtime.faults import reach

_CALL_S = 10.0
HUNG_S = 3 * _CALL_S
"""A transaction that has not been committed by then is given up: its calls did not keep their limits."""
_DRAIN_S = 0.1
_MESSAGE_BYTES = 1_572_864
_BUFFER_KB = 32_768


class Aborted(Transient):
    """The transaction does not go on; what became of it is read from the log, and the batch taken again."""

    code = "aborted"


class Fenced(Transient):
    """This producer may write no more: another process runs under the same instance name, or the broker gave it up."""

    code = "fenced"


class Transactions:
    """The transactional producer of a session. One transaction at a time; none is ever taken up again.

    When anything goes wrong the session ends, and the producer of the next one, under the same transactional id, ends what this one left:
    as after a kill. Whether it was committed after all is read from the log.
    """

    def __init__(self, kafka: Mapping[str, Any], transactional_id: str, timeout_ms: int) -> None:
        """``kafka`` are librdkafka's connection settings."""
        self._producer = Producer(
            {
                **kafka,
                "log_level": 2,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": timeout_ms,
                "message.timeout.ms": timeout_ms,
                "message.max.bytes": _MESSAGE_BYTES,
                "queue.buffering.max.kbytes": _BUFFER_KB,
                "linger.ms": 5,
                "compression.type": "lz4",
            }
        )

    def start(self) -> None:
        """Ends what was left open under this id. Blocks; ``Transient`` while Kafka is away, ``Fenced``."""
        self._call(lambda: self._producer.init_transactions(_CALL_S))

    def begin(self) -> None:
        """Begins a transaction."""
        self._producer.begin_transaction()

    def write(self, records: Iterable[Outgoing]) -> None:
        """Adds records to the transaction; waits when the buffer is full. ``Aborted`` when it cannot go on."""
        produce = self._producer.produce
        for record in records:
            while True:
                try:
                    produce(
                        record.topic,
                        record.value,
                        record.key,
                        record.partition,
                        on_delivery=record.told,
                        headers=record.headers,
                    )
                    break
                except BufferError:
                    self._producer.poll(_DRAIN_S)
                except KafkaException as error:
                    raise _named(error) from error

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        """Offsets and end of the transaction; when this returns, all of it is there for readers.

        ``group`` is the metadata of the consumer group (``Consumer.consumer_group_metadata``) of when the batch was read.
        ``Aborted`` when it was not committed, or may not have been; ``Fenced``. Blocks, at worst longer than its limits: see ``HUNG_S``.
        """
        reach("admission.step10.offsets")
        self._call(lambda: self._producer.send_offsets_to_transaction(offsets, group, _CALL_S))
        reach("admission.step10.commit")
        self._call(lambda: self._producer.commit_transaction(_CALL_S))
        reach("admission.step10.committed")

    def _call(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except KafkaException as error:
            raise _named(error) from error


def _named(error: KafkaException) -> Transient:
    reason: KafkaError = error.args[0]
    words = f"{reason.name()} {reason.str()}"
    if reason.fatal() or reason.code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED):
        return Fenced(f"this producer may write no more: {words}")
    return Aborted(f"the transaction is given up: {words}")
