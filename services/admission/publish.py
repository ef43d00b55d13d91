"""Step 10 of admission: one Kafka transaction a batch, or nothing of it.

(10) entries to the log, copies to inboxes, receipts to the sources' inboxes, what is kept to the quarantine, offsets of the ``.in``
partitions. The transactional id is that of the instance, so a restarted process ends what it left open; the generation of the
consumer group in the offsets fences a process that lost its partitions without noticing (KIP-447).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from services.admission.records import Outgoing
from services.kernel.errors import Transient
from services.runtime.faults import reach

_CALL_S = 10.0
_HUNG_S = 2 * _CALL_S
_HUNG_STATUS = 75
_DRAIN_S = 0.1
_MESSAGE_BYTES = 1_572_864
_BUFFER_KB = 65_536


class Aborted(Transient):
    """The transaction was ended without effect; the batch can be taken again."""

    code = "aborted"


class Fenced(Transient):
    """This producer may write no more: another process runs under the same instance name, or the broker gave it up."""

    code = "fenced"


class Transactions:
    """The transactional producer of this process. One transaction at a time; every call may block while Kafka is away."""

    def __init__(
        self, kafka: Mapping[str, Any], transactional_id: str, timeout_ms: int, is_stopping: Callable[[], bool]
    ) -> None:
        """``kafka`` are librdkafka's connection settings; ``is_stopping`` ends the wait for a Kafka that does not come back."""
        self._is_stopping = is_stopping
        self._producer = Producer(
            {
                **kafka,
                "log_level": 3,
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
        """Ends what an earlier process of this instance left open. ``Transient`` while Kafka is away, ``Fenced``."""
        self._call(lambda: self._producer.init_transactions(_CALL_S))

    def begin(self) -> None:
        """Begins a transaction."""
        self._producer.begin_transaction()

    def write(self, records: Iterable[Outgoing]) -> None:
        """Adds records to the transaction; waits when the buffer is full. ``Aborted`` when it can not go on."""
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
                    self._abort(error)

    def commit(self, offsets: list[TopicPartition], group: Any) -> None:
        """Offsets and end of the transaction; when this returns, all of it is there for readers.

        ``group`` is the metadata of the consumer group (``Consumer.consumer_group_metadata``) of when the batch was read.
        ``Aborted`` when nothing of it is, ``Fenced``. Keeps asking while Kafka is away: whether it was committed is not known before
        Kafka says so.
        """
        reach("admission.step10.offsets")
        try:
            self._call(lambda: self._producer.send_offsets_to_transaction(offsets, group, _CALL_S))
            reach("admission.step10.commit")
            self._call(lambda: self._producer.commit_transaction(_CALL_S))
        except KafkaException as error:
            self._abort(error)
        reach("admission.step10.committed")

    def abort(self) -> None:
        """Ends the transaction without effect."""
        self._call(lambda: self._producer.abort_transaction(_CALL_S))

    def _abort(self, error: KafkaException) -> None:
        """Raises ``Aborted`` after the transaction has been ended, ``Fenced`` when this process may not even do that."""
        self._raise_if_fatal(error)
        self.abort()
        raise Aborted(f"the transaction was aborted: {error.args[0].name()}") from error

    def _call(self, call: Callable[[], Any]) -> None:
        """Repeats a call that may be repeated; ``Transient`` when the process is to stop meanwhile."""
        while True:
            try:
                with ended_when_hung(_HUNG_S):
                    call()
                return
            except KafkaException as error:
                self._raise_if_fatal(error)
                if not error.args[0].retriable():
                    raise
                if self._is_stopping():
                    raise Transient(f"Kafka does not answer: {error.args[0].name()}") from error

    def _raise_if_fatal(self, error: KafkaException) -> None:
        reason: KafkaError = error.args[0]
        if reason.fatal() or reason.code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED):
            raise Fenced(f"this producer may write no more: {reason.name()} {reason.str()}") from error


@contextmanager
def ended_when_hung(limit_s: float, end: Callable[[], None] | None = None) -> Iterator[None]:
    """Ends this process, as by kill -9, when the body takes longer than the limit; its supervisor starts it again.

    Every call of librdkafka has a limit of its own, and one does not keep it: after a broker came back,
    send_offsets_to_transaction of 2.16 may wait for the group's coordinator for ever. The call cannot be taken back, and to be
    killed at any point is what the next start mends (the new producer ends the transaction, the index catches up).
    """
    watchdog = threading.Timer(limit_s, end or _end_process)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _end_process() -> None:
    sys.stderr.write("a call to Kafka did not keep its time limit; ending, to be started again\n")
    sys.stderr.flush()
    os._exit(_HUNG_STATUS)
