"""``fsck``: where log, inboxes, receipts, tiles and checkpoints of a running exchange disagree.

Numbered steps: 1 the heads in the ledger's files, then where every topic ends, in the order that lets them agree (``log_reading.py``) · 2 the members log, verified · 3 every
log: its numbers, its tree against each signed checkpoint, its tiles, and what it says of others · 4 every inbox up to where it had been written when the logs had been read, so that
each copy of an entry that was read is in it · 5 what was logged meanwhile, which only bears out what stands in inboxes · 6 the questions over both sides (``facts.py``).
Memory is bounded: one run of records, counters for each recipient and log, and a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from services.audit.facts import Facts
from services.audit.heads import Heads, keys_of, signed_head
from services.audit.inbox_facts import InboxFacts
from services.audit.log_check import Joined, Plain, stretch_of
from services.audit.log_facts import LogFacts
from services.audit.log_reading import KafkaLogs
from services.audit.sources import ENTRY_HEADER, Finding, entry_of, place_of
from services.audit.tile_check import TileCheck
from services.audit.verify_log import read_members
from services.codec.checkpoint import Checkpoint, origin_of
from services.codec.released import load_released
from services.members.registry import Registry
from services.runtime.records import RawRecord, log_of
from services.runtime.topics import Topics

KEPT = 100
_RUN = 1_000
OnProgress = Callable[[str, int], None]
"""Told what is read (a topic and partition) and how many of its records have been."""


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What was read, and where it disagrees; at most a hundred findings of each code are kept, all are counted."""

    entries: int
    copies: int
    inboxes: int
    logs_with_tiles: int
    findings: tuple[Finding, ...]
    counts: dict[str, int]

    @property
    def is_good(self) -> bool:
        """Whether everything agrees."""
        return not self.findings


@dataclass(slots=True)
class _Found:
    kept: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, findings: list[Finding]) -> None:
        for finding in findings:
            self.counts[finding.code] += 1
            if self.counts[finding.code] <= KEPT:
                self.kept.append(finding)


class Fsck:
    """Use once. Blocks; ``Transient`` when Kafka goes away."""

    def __init__(self, source: KafkaLogs, topics: Topics, heads: dict[str, bytes], on_progress: OnProgress) -> None:
        """``heads`` are the checkpoints in the ledger's files by log, read *before* the source was opened."""
        self._source = source
        self._topics = topics
        self._heads = heads
        self._on_progress = on_progress
        self._released = load_released(source.schemas_dir / "released")
        self._found = _Found()
        self._with_tiles = 0

    def run(self) -> FsckReport:
        """Steps 2 to 6."""
        facts = Facts()
        try:
            return self._run(facts)
        finally:
            facts.close()

    def _run(self, facts: Facts) -> FsckReport:
        # (2) members
        members = read_members(self._source)
        self._found.add(list(members.findings))
        registry = members.history.latest
        # (3) logs
        said = LogFacts(facts, self._released)
        entries = sum(self._log(log, registry, said) for log in self._source.logs())
        # (4) inboxes
        inboxes = self._inboxes()
        ends = self._source.reader.written((topic, 0) for topic in inboxes)
        copies = sum(
            self._inbox(topic, owner, ends[topic, 0], InboxFacts(owner, facts, self._released, registry))
            for topic, owner in sorted(inboxes.items())
        )
        # (5) meanwhile
        for place, end in self._source.reader.written(self._source.ends).items():
            for record in self._records(place, end, self._source.ends[place]):
                said.take(record, entry_of(record), is_later=True)
        # (6) questions
        self._found.add(list(facts.disagreements({owner: topic for topic, owner in inboxes.items()})))
        return FsckReport(
            entries, copies, len(inboxes), self._with_tiles, tuple(self._found.kept), dict(self._found.counts)
        )

    def _log(self, log: str, registry: Registry, said: LogFacts) -> int:
        joined = Joined(log)
        keys = keys_of(log, registry)
        heads = Heads(log, keys, self._source.checkpoints(origin_of(log)))
        tiles = self._tiles(log, signed_head(self._heads.get(log), log, keys))
        count = 0
        for run in _runs(self._source.records(log)):
            plain: list[Plain] = [(record.offset, ((ENTRY_HEADER, entry_of(record)),), None) for record in run]
            stretch = stretch_of(log, plain)
            self._found.add(joined.take(stretch))
            self._found.add(heads.grow(stretch.leaves))
            for record, (offset, headers, _) in zip(run, plain, strict=True):
                entry = headers[0][1]
                self._found.add(said.take(record, entry))
                if tiles is not None:
                    self._found.add(tiles.take(offset, entry))
            count += len(run)
            self._on_progress(log, count)
        self._found.add(heads.end())
        if tiles is not None:
            self._found.add(tiles.end())
        return count

    def _tiles(self, log: str, head: Checkpoint | None) -> TileCheck | None:
        if log not in self._heads:
            return None
        if head is None:
            sentence = "the checkpoint in the ledger's files is not signed by the log's key"
            self._found.add([Finding("checkpoint-forged", *place_of(log), sentence)])
            return None
        self._with_tiles += 1
        return TileCheck(log, self._source.files(log).read, head)

    def _inboxes(self) -> dict[str, str]:
        owners = ((topic, self._topics.inbox_owner(topic)) for topic in self._source.reader.partitions())
        return {topic: owner for topic, owner in owners if owner is not None}

    def _inbox(self, topic: str, owner: str, end: int, inbox: InboxFacts) -> int:
        count = 0
        for record in self._records((topic, 0), end):
            self._found.add(inbox.take(record))
            count += 1
            if count % _RUN == 0:
                self._on_progress(log_of(topic, 0), count)
        self._on_progress(log_of(topic, 0), count)
        return count

    def _records(self, place: tuple[str, int], end: int, start: int = 0) -> Iterator[RawRecord]:
        for message in self._source.reader.read(place, end, start):
            yield RawRecord(*place, message.offset(), message.headers() or (), message.value())


def _runs(records: Iterator[RawRecord]) -> Iterator[list[RawRecord]]:
    while run := list(islice(records, _RUN)):
        yield run
