"""Writes an archive of a running exchange: ``services/ledger/FORMAT.md`` section 6.7.

Numbered, since the order is what lets the parts agree:

1. where the topic of checkpoints ends, so that no archived checkpoint is larger than what the next step finds;
2. the signed checkpoint of each log, the members log last: no entry names more members than are archived;
3. where logs, inboxes and quarantine end, once every transaction that had begun is settled: every copy of an entry below a checkpoint is there;
4. the records of each, within the period and below the checkpoints;
5. the tiles, compared with the checkpoint; the bundles of the period; the data that shipped;
6. the manifest, signed; only now the archive gets its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from services.audit.archive_files import ArchiveFiles
from services.audit.archive_manifest import LogLine, Manifest, format_manifest, sign_manifest
from services.audit.archive_period import Period, entry_of, said_at
from services.codec.checkpoint import Checkpoint, origin_of, parse_checkpoint
from services.codec.container import TopicRecord
from services.codec.keys import Ed25519Signer
from services.codec.merkle import EMPTY_ROOT
from services.codec.note import parse_note
from services.codec.tiles import (
    HASH,
    WIDTH,
    Read,
    Tree,
    bundle_path,
    new_tiles,
    pack_bundle,
    read_bundle,
    read_cut,
    tile_path,
    width_at,
)
from services.kernel.errors import Corrupt, Refused, Transient
from services.kernel.families import FAMILIES
from services.kernel.instants import parse_instant
from services.kernel.ports import Clock
from services.ledger.files import CHECKPOINT, WITNESSED, LogFiles
from services.runtime.planner import Place
from services.runtime.records import log_of
from services.runtime.topics import Topics

MEMBERS: Final = "members"
SHIPPED: Final = ("agreements", "calendars", "codes", "released", "witnesses")
"""Folders of ``schemas/`` that an archive takes, those that there are."""
_GRACE_MS: Final = 5_000
_SKEW_MS: Final = 86_400_000  # how far admission's clock and the broker's may be apart

OnProgress = Callable[[str, int], None]
"""Told the partition, and the offset that has been read."""
StartOf = Callable[[Place, int], int]
"""Offset of the first record of a partition that the broker got at or after an instant."""


class Reader(Protocol):
    """What is asked of Kafka (``services/audit/log_reading.py``); ``Transient`` while it is away."""

    def partitions(self) -> dict[str, int]:
        """Every topic, with its number of partitions."""
        ...

    def written(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where partitions end, all that had begun settled."""
        ...

    def read(self, place: Place, end: int, start: int = 0) -> Iterator[Any]:
        """Settled records as the client gives them."""
        ...


@dataclass(frozen=True, slots=True)
class _Head:
    """A log as the ledger had signed it."""

    files: LogFiles
    note: bytes | None
    witnessed: bytes | None
    checkpoint: Checkpoint

    @property
    def size(self) -> int:
        return self.checkpoint.size


@dataclass(slots=True)
class _Run:
    """What was taken of a log: ``first`` up to ``next``; admission time of the first entry that is not under the checkpoint."""

    first: int
    next: int
    is_known: bool
    """Whether ``next`` is known: not before the first record, where reading did not begin at the beginning."""
    members: int = 0
    beyond_ms: int | None = None


@dataclass(slots=True)
class ArchiveWriter:
    """One export. ``signer`` is the key of ``exchange.ledger``."""

    reader: Reader
    start_of: StartOf
    topics: Topics
    ledger_dir: Path
    schemas_dir: Path
    period: Period
    clock: Clock
    signer: Ed25519Signer
    tool: str
    on_progress: OnProgress
    _sizes: dict[str, int] = field(default_factory=dict, init=False)

    def write(self, files: ArchiveFiles) -> Manifest:
        """Writes everything and publishes. ``Transient`` when a part is away: begin again; ``Corrupt`` when log and tiles contradict."""
        now_ms = self.clock.now_ms()
        partitions = self.reader.partitions()
        logs = self._logs(partitions)
        # (1) the topic of checkpoints
        notes = (self.topics.checkpoints, 0)
        ends = self.reader.written([notes] if self.topics.checkpoints in partitions else [])
        # (2) the signed checkpoint of each log, the members log last
        heads = {place: self._head(place) for place in logs}
        self._sizes = {log_of(*place): head.size for place, head in heads.items()}
        if not self._sizes.get(f"{self.topics.log(MEMBERS)}/0"):
            raise Transient(f"no checkpoint of {self.topics.log(MEMBERS)}/0 is signed yet; does `ipx ledger run` run?")
        # (3) where everything ends
        others = self._others(partitions)
        ends |= self.reader.written([*logs, *others])
        # (4) records
        runs = {place: self._log(files, place, heads[place], ends[place]) for place in logs}
        self._require_members(runs)
        for place in sorted(ends.keys() - runs.keys()):
            files.put_records(_folder(place), self._within(place, ends[place]))
        # (5) tiles, bundles, data
        for place, head in heads.items():
            _put_tree(files, origin_of(log_of(*place)), head, runs[place])
        _put_shipped(files, self.schemas_dir)
        # (6) manifest
        horizon_ms = self._horizon(now_ms, runs.values())
        manifest = self._manifest(files, now_ms, horizon_ms, heads, runs)
        data = format_manifest(manifest)
        files.publish(data, sign_manifest(self.topics.prefix, data, self.signer))
        return manifest

    def _logs(self, partitions: Mapping[str, int]) -> list[Place]:
        """Every log partition, that of the members last."""
        families = sorted(FAMILIES, key=lambda family: (family == MEMBERS, family))
        named = [self.topics.log(family) for family in families]
        return [(name, partition) for name in named for partition in range(partitions.get(name, 0))]

    def _others(self, partitions: Mapping[str, int]) -> list[Place]:
        """Inboxes and quarantine."""
        named = [t for t in partitions if self.topics.inbox_owner(t) is not None or t == self.topics.quarantine]
        return [(name, partition) for name in sorted(named) for partition in range(partitions[name])]

    def _head(self, place: Place) -> _Head:
        origin = origin_of(log_of(*place))
        files = LogFiles(self.ledger_dir / origin)
        witnessed = files.witnessed()  # before the checkpoint, which is then no smaller
        note = files.checkpoint()
        try:
            found = Checkpoint(origin, 0, EMPTY_ROOT) if note is None else parse_checkpoint(parse_note(note).text)
        except Refused as error:
            raise Corrupt(f"the checkpoint of {origin}: {error.message}") from error
        return _Head(files, note, witnessed, found)

    def _log(self, files: ArchiveFiles, place: Place, head: _Head, end: int) -> _Run:
        is_whole = place[0] == self.topics.log(MEMBERS)
        start_ms = 0 if is_whole else self.period.start_ms
        run = _Run(0, 0, is_known=start_ms <= _SKEW_MS)
        files.put_records(_folder(place), self._entries(place, head, end, run, Period() if is_whole else self.period))
        if not run.is_known:
            run.first = run.next = head.size  # nothing came of so late a start
        return run

    def _entries(self, place: Place, head: _Head, end: int, run: _Run, period: Period) -> Iterator[TopicRecord]:
        for message in self._read(place, end, period.start_ms):
            record = _record(message)
            entry = entry_of(record.headers)
            where = f"{place[0]}/{place[1]}@{record.offset}"
            if entry is None or entry.log != log_of(*place):
                raise Corrupt(f"{where} has no entry of this log; `ipx audit verify-log` says more")
            if not run.is_known:
                run.first = run.next = min(entry.seq, head.size)
                run.is_known = True
            if entry.seq != run.next:
                raise Corrupt(f"{where} is seq {entry.seq} where {run.next} was expected")
            admitted_ms = parse_instant(entry.admitted)
            if entry.seq >= head.size:
                run.beyond_ms = admitted_ms
                return
            if period.is_past(admitted_ms):
                return
            run.next += 1
            if admitted_ms < period.start_ms:
                run.first = run.next
            else:
                run.members = max(run.members, entry.members)
                yield record
        if run.is_known and run.next < head.size:
            raise Corrupt(f"{place[0]}/{place[1]} ends after {run.next} entries, {head.size} were signed")

    def _within(self, place: Place, end: int) -> Iterator[TopicRecord]:
        """Records of another topic that are of the period; copies of entries beyond the checkpoints are left out."""
        is_inbox = self.topics.inbox_owner(place[0]) is not None
        for message in self._read(place, end, self.period.start_ms):
            record = _record(message)
            entry = entry_of(record.headers) if is_inbox else None
            if entry is not None:
                if self.period.has(parse_instant(entry.admitted)) and entry.seq < self._sizes.get(entry.log, 0):
                    yield record
            elif self.period.has(said_at(record.headers, record.timestamp_ms) if is_inbox else record.timestamp_ms):
                yield record

    def _read(self, place: Place, end: int, start_ms: int) -> Iterator[Any]:
        start = self.start_of(place, start_ms - _SKEW_MS) if start_ms > _SKEW_MS else 0
        for message in self.reader.read(place, end, start):
            self.on_progress(_folder(place), message.offset() + 1)
            yield message
        self.on_progress(_folder(place), end)

    def _require_members(self, runs: Mapping[Place, _Run]) -> None:
        size = self._sizes[f"{self.topics.log(MEMBERS)}/0"]
        needed = max(run.members for run in runs.values())
        if needed > size:
            raise Transient(f"entries rest on {needed} events of the members log, {size} are signed yet; begin again")

    def _horizon(self, now_ms: int, runs: Iterable[_Run]) -> int:
        """Up to which instant nothing of the period is missing."""
        limits = [now_ms - _GRACE_MS, *(run.beyond_ms - 1 for run in runs if run.beyond_ms is not None)]
        if self.period.end_ms is not None:
            limits.append(self.period.end_ms - 1)
        return max(0, min(limits))

    def _manifest(
        self,
        files: ArchiveFiles,
        now_ms: int,
        horizon_ms: int,
        heads: Mapping[Place, _Head],
        runs: Mapping[Place, _Run],
    ) -> Manifest:
        from_day, until_day = self.period.texts()
        logs = [
            LogLine(log_of(*place), head.size, head.checkpoint.root.hex(), runs[place].first, runs[place].next)
            for place, head in heads.items()
        ]
        return Manifest(
            exchange=self.topics.prefix,
            from_day=from_day,
            until_day=until_day,
            made_ms=now_ms,
            horizon_ms=horizon_ms,
            tool=self.tool,
            files=files.lines(),
            logs=tuple(sorted(logs, key=lambda line: line.log)),
        )


def _folder(place: Place) -> str:
    return f"records/{place[0]}/{place[1]}"


def _record(message: Any) -> TopicRecord:
    """A message of the client as it is archived."""
    return TopicRecord(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_ms=message.timestamp()[1],
        key=message.key(),
        headers=tuple((name, value) for name, value in message.headers() or ()),
        value=message.value(),
    )


def _put_tree(files: ArchiveFiles, origin: str, head: _Head, run: _Run) -> None:
    """All hash tiles, the bundles of the run, and the notes. ``Corrupt`` when they are not of the checkpoint's tree."""
    read, size = head.files.read, head.size
    if head.note is None:
        return
    if Tree(read, size).root() != head.checkpoint.root:
        raise Corrupt(f"the tiles of {origin} do not give the root of its checkpoint; `ipx ledger rebuild`")
    for level, index, width in new_tiles(0, size):
        files.put(f"tree/{origin}/{tile_path(level, index, width)}", _tile(read, level, index, width))
    for index in range(run.first // WIDTH, (run.next + WIDTH - 1) // WIDTH if run.next > run.first else 0):
        width = width_at(0, index, size)
        files.put(f"tree/{origin}/{bundle_path(index, width)}", pack_bundle(read_bundle(read, index, width)))
    files.put(f"tree/{origin}/{CHECKPOINT}", head.note)
    if head.witnessed is not None:
        files.put(f"tree/{origin}/{WITNESSED}", head.witnessed)


def _tile(read: Read, level: int, index: int, width: int) -> bytes:
    tile = read_cut(read, lambda i, w: tile_path(level, i, w), index, width, lambda full: full[: width * HASH])
    if len(tile) != width * HASH:
        raise Corrupt(f"{tile_path(level, index, width)} has {len(tile)} bytes, {width * HASH} are right")
    return tile


def _put_shipped(files: ArchiveFiles, schemas_dir: Path) -> None:
    for folder in SHIPPED:
        for path in sorted((schemas_dir / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                files.put(f"schemas/{path.relative_to(schemas_dir).as_posix()}", path.read_bytes())
