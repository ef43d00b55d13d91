"""Catching up: before a log partition is written to, its log is read from where the index stands to its very end.

Implements design section 6. A transaction that another process left open is waited for: what it wrote may still be committed. Seq,
delivery numbers and the name of the log are verified on the way; the last entry that the index knows is compared first, so that an
index of another log, or a log that was cut, is found out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.admission.index import LogIndex
from services.admission.index import Place as IndexPlace
from services.admission.sequence import Numbers
from services.codec.entry import Entry, parse_entry
from services.codec.merkle import leaf_hash
from services.codec.statement import format_statement
from services.kernel.errors import Corrupt, Refused, Transient
from services.kernel.instants import parse_instant

Place = tuple[str, int]
"""Topic and partition."""

_READ = 2000
_WAIT_S = 1.0
ENTRY_HEADER = "ce_ipxentry"


@dataclass(frozen=True, slots=True)
class Read:
    """An entry as it stands in the log."""

    entry: Entry
    digest: bytes
    leaf: bytes
    offset: int


def read_entry(message: Message, log: str) -> Read:
    """The entry of a log record; ``Corrupt`` when it has none, or one of another log."""
    text = next((data for name, data in message.headers() or () if name == ENTRY_HEADER), b"")
    try:
        entry = parse_entry(text)
    except Refused as error:
        raise Corrupt(f"{log}@{message.offset()}: {error.code}: {error.message}") from error
    if entry.log != log:
        raise Corrupt(f"{log}@{message.offset()}: the entry says that it is of {entry.log}")
    return Read(entry, hashlib.sha256(format_statement(entry.statement)).digest(), leaf_hash(text), message.offset())


def follow(numbers: Numbers, read: Read) -> Numbers:
    """The numbers after one more entry; ``Corrupt`` when it is not the next one. Pure."""
    entry = read.entry
    if entry.seq != numbers.next_seq:
        raise Corrupt(f"{entry.log}@{read.offset}: seq {entry.seq} where {numbers.next_seq} was expected")
    deliveries = dict(numbers.deliveries)
    for delivery in entry.deliveries:
        expected = deliveries.get(delivery.recipient, 0)
        if delivery.number != expected:
            raise Corrupt(
                f"{entry.log} seq {entry.seq}: delivery {delivery.number} to {delivery.recipient}, {expected} was expected"
            )
        deliveries[delivery.recipient] = expected + 1
    return replace(
        numbers,
        next_seq=entry.seq + 1,
        deliveries=deliveries,
        edge=numbers.edge.append(read.leaf),
        admitted_ms=max(numbers.admitted_ms, parse_instant(entry.admitted)),
    )


class LogReader:
    """Reads a stretch of a log, committed records only, and knows where the log ends; for one partition at a time."""

    def __init__(self, kafka: Mapping[str, Any], prefix: str) -> None:
        """``kafka`` are librdkafka's connection settings."""
        settings = {
            **kafka,
            "log_level": 2,
            "group.id": f"{prefix}-catch-up",  # asked for by the client, never joined nor committed to
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
        }
        self._all = Consumer({**settings, "isolation.level": "read_uncommitted"})
        self._committed = Consumer({**settings, "isolation.level": "read_committed"})
        self.reading: Place | None = None
        """The partition that :meth:`go_to` went to last: whoever reads over several turns looks whether another went elsewhere meanwhile."""

    def end(self, topic: str, partition: int, *, committed: bool) -> int:
        """Offset after the last record; with ``committed`` that before the first open transaction. May block, ``Transient``."""
        consumer = self._committed if committed else self._all
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5.0)[1])
        except KafkaException as error:
            raise Transient(f"{topic}/{partition}: {error}") from error

    def go_to(self, topic: str, partition: int, offset: int) -> None:
        """Begins to read there."""
        self.reading = (topic, partition)
        self._committed.assign([TopicPartition(topic, partition, offset)])

    def read(self) -> tuple[list[Message], int | None]:
        """Records that follow, and the offset of the end when it was come to. ``Corrupt`` when the place is gone. Blocks up to a second."""
        records: list[Message] = []
        end: int | None = None
        first = self._committed.poll(_WAIT_S)
        for message in [] if first is None else [first, *self._committed.consume(_READ, 0)]:
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                end = message.offset()
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                raise Corrupt(f"{message.topic()}/{message.partition()}: {error.str()}")
            else:
                raise Transient(f"{message.topic()}/{message.partition()}: {error.str()}")
        return records, end

    def close(self) -> None:
        """Closes the consumers."""
        self._all.close()
        self._committed.close()


class CatchUp:
    """Brings one index to the end of its log, a step at a time, so that the caller can keep its place in the group."""

    def __init__(self, reader: LogReader, topic: str, partition: int, index: LogIndex) -> None:
        self.log = f"{topic}/{partition}"
        self.entries = 0
        self._reader = reader
        self._topic = topic
        self._partition = partition
        self._index = index
        self._numbers = index.numbers()
        self._place = index.place()
        self._end: int | None = None
        self._is_begun = False
        self._is_at_end = False
        self._is_known = self._place.log_offset < 0
        self.is_held = False
        """Whether the last step found a transaction open on the log: nothing but its end helps."""

    def step(self) -> bool:
        """Reads on for a second at most; True when the index stands at the end of the log.

        ``Transient`` while Kafka is away; ``Corrupt`` when the log is not contiguous or not the one that was indexed.
        """
        if self._end is None:
            self._end = self._reader.end(self._topic, self._partition, committed=False)
            if self._place.log_offset >= self._end:
                raise Corrupt(
                    f"{self.log} ends at offset {self._end}, offset {self._place.log_offset} was there before"
                )
        if self._end == 0 or self._is_at_end:
            return True
        self.is_held = self._reader.end(self._topic, self._partition, committed=True) < self._end
        if self.is_held:
            return False  # what the transaction wrote may yet be committed
        if not self._is_begun or self._reader.reading != (self._topic, self._partition):
            # from the last entry that is known, or after it when it was compared; others use the reader between two steps
            self._reader.go_to(self._topic, self._partition, self._place.log_offset + self._is_known)
            self._is_begun = True
        records, end = self._reader.read()
        self._take(records)
        self._is_at_end = self._is_known and (self._place.log_offset + 1 >= self._end or (end or 0) >= self._end)
        return self._is_at_end

    def numbers(self) -> Numbers:
        """Where the log stands, as far as it has been read."""
        return self._numbers

    def _take(self, messages: list[Message]) -> None:
        found: list[tuple[str, bytes, int]] = []
        for message in messages:
            read = read_entry(message, self.log)
            if not self._is_known:
                self._compare_last(read)
                continue
            self._numbers = follow(self._numbers, read)
            self._place = IndexPlace(read.offset, read.leaf, self._place.in_offset)
            found.append((read.entry.statement.id, read.digest, read.entry.seq))
        if found:
            self._index.extend(found, self._numbers, self._place)
            self.entries += len(found)

    def _compare_last(self, read: Read) -> None:
        if (read.offset, read.leaf) != (self._place.log_offset, self._place.leaf):
            raise Corrupt(f"{self.log}@{read.offset}: this is not the entry that was indexed there")
        self._is_known = True
