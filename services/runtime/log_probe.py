"""Looks at a log beside the consumer that folds it: where it ends, and whether a record lies past a position.

Two questions of the room runtime need an answer that does not come from Faust: has everything admitted up to a moment
been folded (then a tick may say that something is missing), and does the entry that Faust did not bring exist?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.kernel.errors import Transient
from services.runtime.planner import Place

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class End:
    """Where a partition ends: after its last settled record, and after its last record of any kind."""

    settled: int
    written: int

    @property
    def is_settled(self) -> bool:
        """Whether no transaction is open in it."""
        return self.settled >= self.written


class LogProbe:
    """A librdkafka reader of its own, in no group; blocking. ``Transient`` while Kafka is away."""

    def __init__(self, kafka: Mapping[str, Any], name: str) -> None:
        self._kafka = {**kafka, "client.id": f"{name}-probe"}
        self._admin = AdminClient({**self._kafka, "log_level": 2})
        self._consumer: Any = None

    def ask(self) -> str | None:
        """A health probe: None when the broker answers, else the reason."""
        try:
            self._admin.list_topics(timeout=_TIMEOUT_S)
        except KafkaException as error:
            return f"Kafka: {_words(error)}"
        return None

    def ends(self, places: Iterable[Place]) -> dict[Place, End]:
        """The ends of partitions now."""
        asked = [TopicPartition(topic, partition) for topic, partition in places]
        # written first: what is settled afterwards covers it, if it reaches it
        written = self._offsets(asked, IsolationLevel.READ_UNCOMMITTED)
        settled = self._offsets(asked, IsolationLevel.READ_COMMITTED)
        return {place: End(settled[place], written[place]) for place in written}

    def first_from(self, place: Place, offset: int, end: int) -> int | None:
        """Offset of the first settled record at or after ``offset`` and before ``end``; None when there is none.

        Transaction markers and aborted records are none. Blocks until it knows, five seconds at the most.
        """
        if offset >= end:
            return None
        consumer = self._open()
        try:
            consumer.assign([TopicPartition(*place, offset)])
            message = consumer.poll(_TIMEOUT_S)
            if message is None:
                raise Transient(f"Kafka did not answer for {place[0]}/{place[1]} in {_TIMEOUT_S} s")
            error = message.error()
            if error is None:
                return int(message.offset()) if message.offset() < end else None
            if error.code() == KafkaError._PARTITION_EOF:
                return None
            raise Transient(f"Kafka: {error.str()}")
        except KafkaException as error:
            raise Transient(f"Kafka: {_words(error)}") from error
        finally:
            consumer.unassign()

    def close(self) -> None:
        """Closes the reader."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def __enter__(self) -> LogProbe:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _offsets(self, asked: list[Any], level: Any) -> dict[Place, int]:
        try:
            answers = self._admin.list_offsets(
                {place: OffsetSpec.latest() for place in asked}, isolation_level=level, request_timeout=_TIMEOUT_S
            )
            return {(tp.topic, tp.partition): answer.result().offset for tp, answer in answers.items()}
        except KafkaException as error:
            raise Transient(f"Kafka: {_words(error)}") from error

    def _open(self) -> Any:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    **self._kafka,
                    "group.id": "unused",  # the client wants one; nothing is subscribed or committed
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_committed",
                    "enable.partition.eof": True,
                    "queued.max.messages.kbytes": 1024,
                    "fetch.message.max.bytes": 2_097_152,
                    "log_level": 2,
                }
            )
        return self._consumer


def _words(error: KafkaException) -> str:
    first = error.args[0]
    return str(first.str()) if isinstance(first, KafkaError) else str(first)
