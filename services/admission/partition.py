"""One ``.in`` partition and the log partition that is written from it: its index, its numbers, and whether they are up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import TopicPartition

from services.admission.catchup import CatchUp, LogReader
from services.admission.check import Door
from services.admission.inbox_tail import InboxTail
from services.admission.index import LogIndex, SourceNumbers
from services.admission.index import Place as IndexPlace
from services.admission.sequence import Numbers, Sequencing
from services.runtime.topics import Topics

Place = tuple[str, int]
"""Topic and partition of proposals."""


@dataclass(slots=True)
class Progress:
    """What one transaction will have brought to a partition: numbers, the offset after its proposals, outcome numbers."""

    sequencing: Sequencing
    numbers: Numbers
    sources: dict[str, SourceNumbers]
    in_offset: int
    count: int
    log_offset: int = -1

    def told(self, error: object, message: object) -> None:
        """Delivery report of the last entry."""
        if error is None:
            self.log_offset = message.offset()  # type: ignore[attr-defined]  # a confluent_kafka.Message


@dataclass(slots=True)
class Partition:
    """The state of one partition while it is assigned to this process."""

    topics: Topics
    door: Door
    number: int
    index: LogIndex
    position: int = 0
    numbers: Numbers = field(default_factory=Numbers)
    sources: dict[str, SourceNumbers] = field(default_factory=dict)
    looks_back: bool = False
    catching_up: CatchUp | None = None
    is_ready: bool = False
    caught_up_entries: int = 0
    held_by: str | None = None
    """What an open transaction is on that has to end before this partition can be caught up with: its log, or its offsets."""
    in_flight: Progress | None = None

    @property
    def place(self) -> str:
        """The ``.in`` partition, as outcome records name it."""
        return f"{self.topics.proposals(self.door.family)}/{self.number}"

    @property
    def log(self) -> str:
        """The log partition, as entries name it."""
        return f"{self.log_topic}/{self.number}"

    @property
    def log_topic(self) -> str:
        """Topic of the log."""
        return self.topics.log(self.door.family)

    def where(self) -> TopicPartition:
        """The next proposal to read."""
        return TopicPartition(self.topics.proposals(self.door.family), self.number, self.position)

    def catch_up(self, reader: LogReader, committed: Callable[[Place], int | None]) -> bool:
        """Goes on catching up for a moment; True, and ready, at the end. Raises what ``CatchUp.step`` raises.

        ``committed`` tells the offset of the group for ``.in``, None while a transaction on it is open. When the index knows another one,
        outcomes were given that it did not count: it forgets the numbers, and they are read from the inboxes when they are needed.
        """
        if self.catching_up is None:
            self.catching_up = CatchUp(reader, self.log_topic, self.number, self.index)
        if not self.catching_up.step():
            self.held_by = self.log if self.catching_up.is_held else None
            return False
        in_offset = committed((self.where().topic, self.number))
        self.held_by = f"the offsets of {self.place}" if in_offset is None else None
        if in_offset is None:
            return False
        self.caught_up_entries = self.catching_up.entries
        self.catching_up = None
        if self.index.place().in_offset != in_offset:
            self.index.forget_outcomes(in_offset)
        self.position = in_offset
        self.numbers = self.index.numbers()
        self.sources = self.index.sources()
        self.looks_back = self.index.looks_back()
        self.is_ready = True
        return True

    def next_numbers(self) -> Numbers:
        """Where the partition stands when what is in flight has been committed."""
        return self.numbers if self.in_flight is None else self.in_flight.numbers

    def sequencing(self, ids: Iterable[str]) -> Sequencing:
        """For the next batch, which knows those of its ids that are in the log already, or in flight to it.

        What is decided so may be written when the transaction in flight has been committed, not before.
        """
        wanted = list(ids)
        seen = self.index.seen(wanted)
        if self.in_flight is not None:
            seen |= self.in_flight.sequencing.seen(wanted)
        return Sequencing(self.log, self.next_numbers(), seen)

    def source_numbers(self, source: str, tail: InboxTail) -> SourceNumbers:
        """The next outcome numbers of a source. May read its inbox, then blocks, ``Transient``."""
        numbers = self.sources.get(source)
        if numbers is None:
            numbers = tail.numbers_after(source, self.place) if self.looks_back else SourceNumbers()
            self.sources[source] = numbers
        return numbers

    def accept(self, progress: Progress) -> None:
        """Takes over what a committed transaction brought. The index is written after Kafka, never before."""
        admitted = progress.sequencing.admitted
        before = self.index.place()
        place = IndexPlace(
            log_offset=progress.log_offset if admitted else before.log_offset,
            leaf=admitted[-1].leaf if admitted else before.leaf,
            in_offset=progress.in_offset,
        )
        self.index.commit(admitted, progress.numbers, place, progress.sources)
        self.numbers = progress.numbers
        self.in_flight = None
        self.sources.update(progress.sources)
        self.position = progress.in_offset

    def close(self) -> None:
        """Closes the index."""
        self.index.close()


def open_index(directory: Path, topics: Topics, family: str, number: int, cluster: str) -> LogIndex:
    """The index of a log partition in the directory of this process."""
    topic = topics.log(family)
    return LogIndex(directory / f"{topic}-{number}.sqlite", f"{topic}/{number}", cluster)
