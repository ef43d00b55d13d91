"""Reads the logs from Kafka: committed records only, each with its own entry, contiguous from the one before. ``Corrupt`` anything else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.codec.entry import parse_entry
from services.kernel.errors import Corrupt, Refused, Transient

ENTRY_HEADER = "ce_ipxentry"
Place = tuple[str, int]
"""Topic and partition."""

_READ = 2000
_ASK_S = 2.0


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An entry as it stands in the log."""

    entry: bytes
    event_id: str
    seq: int
    admitted: str
    offset: int


def read_entry(message: Message, log: str) -> LoggedEntry:
    """The entry of a log record; ``Corrupt`` when it has none, two, or one of another log."""
    where = f"{log}@{message.offset()}"
    found = [data for name, data in message.headers() or () if name == ENTRY_HEADER]
    if len(found) != 1:
        raise Corrupt(f"{where}: the record has {len(found)} entries")
    try:
        entry = parse_entry(found[0])
    except Refused as error:
        raise Corrupt(f"{where}: {error.code}: {error.message}") from error
    if entry.log != log:
        raise Corrupt(f"{where}: the entry says that it is of {entry.log}")
    return LoggedEntry(found[0], entry.statement.id, entry.seq, entry.admitted, message.offset())


@dataclass(slots=True)
class Brought:
    """What one reading brought: records in the order of each partition, and where a partition has been read to its end."""

    records: list[Message] = field(default_factory=list)
    ends: dict[Place, int] = field(default_factory=dict)


class LogConsumer:
    """A librdkafka reader in no group; of one thread. Kafka being away brings nothing: ``is_away`` tells it."""

    def __init__(self, kafka: Mapping[str, Any], prefix: str) -> None:
        """``kafka`` are librdkafka's connection settings."""
        self._away = False
        self._ended: set[Place] = set()
        self._consumer = Consumer(
            {
                **kafka,
                "log_level": 2,
                "group.id": f"{prefix}-ledger",  # asked for by the client, never joined nor committed to
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": 16_384,
                "fetch.message.max.bytes": 2_097_152,
                "fetch.max.bytes": 8_388_608,
                "topic.metadata.refresh.interval.ms": 5000,
                "error_cb": self._on_client_error,
            }
        )

    def assign(self, offsets: Mapping[Place, int]) -> None:
        """Reads these partitions from these offsets on, and no others."""
        self._ended.clear()
        self._consumer.assign([TopicPartition(*place, offset) for place, offset in offsets.items()])

    def partitions(self) -> dict[str, int]:
        """Topics that the broker has, and how many partitions each; ``Transient`` while none answers."""
        try:
            found = self._consumer.list_topics(timeout=_ASK_S)
        except KafkaException as error:
            raise Transient(f"Kafka does not answer: {error.args[0].name()}") from error
        self._away = False
        return {name: len(topic.partitions) for name, topic in found.topics.items()}

    def read(self, wait_s: float) -> Brought:
        """What is there, or comes within that time. ``Corrupt`` when a place in a log is gone, ``Transient`` for trouble that passes."""
        brought = Brought()
        first = self._consumer.poll(wait_s)
        for message in [] if first is None else [first, *self._consumer.consume(_READ, 0)]:
            error = message.error()
            if error is None:
                brought.records.append(message)
                self._ended.discard((message.topic(), message.partition()))
                self._away = False
            elif error.code() == KafkaError._PARTITION_EOF:
                brought.ends[message.topic(), message.partition()] = message.offset()
                self._ended.add((message.topic(), message.partition()))
                self._away = False
            else:
                raise self._trouble(message, error)
        return brought

    def unread(self) -> dict[Place, int]:
        """How many offsets of each partition lie ahead, as of the last fetch; transaction markers are among them. Does not block."""
        ahead: dict[Place, int] = {}
        for at in self._consumer.position(self._consumer.assignment()):
            end = self._consumer.get_watermark_offsets(at, cached=True)[1]
            place = (at.topic, at.partition)
            ahead[place] = 0 if place in self._ended or at.offset < 0 else max(0, end - at.offset)
        return ahead

    def is_away(self) -> bool:
        """Whether no broker answers; asks when it did not at last sight. Blocks for two seconds at most."""
        if self._away:
            try:
                self.partitions()
            except Transient:
                return True
        return self._away

    def close(self) -> None:
        """Closes the client."""
        self._consumer.close()

    @staticmethod
    def _trouble(message: Message, error: KafkaError) -> Corrupt | Transient:
        where = f"{message.topic()}/{message.partition()}"
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            return Corrupt(f"{where} does not have the offset up to which it was read: {error.str()}")
        return Transient(f"{where}: {error.str()}")

    def _on_client_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._away = True


def read_to_end(consumer: LogConsumer, place: Place, offset: int, wait_s: float) -> Iterable[Message]:
    """Records of one partition from an offset to its present end, and then no more; ``Transient`` when the end does not come in time."""
    consumer.assign({place: offset})
    while True:
        brought = consumer.read(wait_s)
        yield from brought.records
        if place in brought.ends:
            return
        if not brought.records:
            raise Transient(f"{place[0]} has not been read to its end within {wait_s:g} s")
