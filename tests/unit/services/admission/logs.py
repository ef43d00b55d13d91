"""A Kafka log in memory: records with offsets, aborted stretches and open transactions, read as ``LogReader`` reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.kernel.errors import Corrupt

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class FakeMessage:
    """What is asked of a confluent_kafka message."""

    where: str
    at: int
    held: Headers = field(default_factory=list)
    body: bytes | None = None

    def topic(self) -> str:
        """Topic."""
        return self.where

    def partition(self) -> int:
        """Always the first."""
        return 0

    def offset(self) -> int:
        """Offset."""
        return self.at

    def headers(self) -> Headers:
        """Headers."""
        return self.held

    def value(self) -> bytes | None:
        """Value."""
        return self.body


@dataclass(slots=True)
class FakeReader:
    """Logs by topic; ``open_from`` is the offset of the first open transaction of a topic, ``cut`` where a topic begins."""

    topics: dict[str, list[FakeMessage]] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    open_from: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    reads: int = 0
    reading: tuple[str, int] | None = None
    chunk: int = 3
    _topic: str = ""
    _at: int = 0

    def put(self, topic: str, headers: Headers, body: bytes | None = None) -> int:
        """Appends a committed record; the transaction's marker takes an offset after it."""
        at = self.ends.get(topic, 0)
        self.topics.setdefault(topic, []).append(FakeMessage(topic, at, headers, body))
        self.ends[topic] = at + 2
        return at

    def abort(self, topic: str) -> None:
        """An aborted transaction: offsets without records."""
        self.ends[topic] = self.ends.get(topic, 0) + 4

    def end(self, topic: str, _partition: int, *, committed: bool) -> int:
        """The end, or the first open transaction."""
        end = self.ends.get(topic, 0)
        return min(self.open_from.get(topic, end), end) if committed else end

    def go_to(self, topic: str, _partition: int, offset: int) -> None:
        """Begins to read there."""
        self._topic, self._at = topic, offset
        self.reading = (topic, _partition)

    def read(self) -> tuple[list[FakeMessage], int | None]:
        """The next few records, and the end when there are no more."""
        self.reads += 1
        if self._at < self.cut.get(self._topic, 0):
            raise Corrupt(f"{self._topic}: offset {self._at} is gone")
        end = self.end(self._topic, 0, committed=True)
        found = [m for m in self.topics.get(self._topic, []) if self._at <= m.at < end][: self.chunk]
        if not found:
            return [], end
        self._at = found[-1].at + 1
        return found, None

    def close(self) -> None:
        """Nothing to close."""
