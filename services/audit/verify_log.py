"""``verify-log``: one log partition from end to end, the members log first, since every other is judged by it.

Numbered steps: 1 the members log is read from the founding by the auditor's root key, each record verified before it counts (``members/reading.py``) · 2 the
records of the log are looked at in runs (``log_check.py``), in processes beside this one · 3 the runs are joined · 4 the tree is grown and compared with each signed
checkpoint (``heads.py``), that over SM3 too where there is one (``second_tree.py``) · 5 where a root differs, the tiles name the very entry. Memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from services.audit.heads import Heads, keys_of, signed_head
from services.audit.log_check import MAX_FINDINGS, Joined, Plain
from services.audit.log_workers import Ground, Workers
from services.audit.second_tree import SecondTree, State, check_second_tree
from services.audit.sources import ENTRY_HEADER, MEMBERS, Finding, LogSource, entry_of, place_of
from services.codec.checkpoint import Checkpoint, origin_of
from services.codec.envelope import envelope_from_record
from services.codec.merkle import RightEdge, leaf_hash, root_from_path
from services.codec.released import load_released
from services.codec.tiles import Read, Tree
from services.kernel.errors import Corrupt, Refused
from services.members.history import History

_FORGET = 1 << 16
OnProgress = Callable[[str, int], None]
"""Told the log and how many of its records have been checked."""


@dataclass(frozen=True, slots=True)
class LogReport:
    """What was found of one log partition. No finding: every entry is as it was admitted, and the tree is the one that was signed."""

    log: str
    entries: int
    checkpoints: int
    """How many signed checkpoints were compared with the entries."""
    signed_size: int
    """How many entries, from the first, are under a checkpoint that agrees with them."""
    root: str
    with_signatures: bool
    findings: tuple[Finding, ...]
    more: int = 0
    """Findings beyond the first hundred, which are not kept."""
    second_tree: State = "none"
    """Of the heads over SM3."""

    @property
    def is_good(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class Members:
    """The members log as far as it can be believed, and why not further."""

    history: History
    records: tuple[Plain, ...]
    findings: tuple[Finding, ...]


def read_members(source: LogSource) -> Members:
    """(1): every record of the members log, verified in order; the first that is not good ends it. Blocks."""
    log = f"{source.exchange}.{MEMBERS}/0"
    released = load_released(source.schemas_dir / "released")
    history = History(log=log, schema_of=released.with_digest, root=source.root)
    records: list[Plain] = []
    try:
        for record in source.records(log):
            history.append(envelope_from_record(record.headers, record.value)[1])
            records.append((record.offset, record.headers, record.value))
    except (Corrupt, Refused) as error:
        offset = records[-1][0] if records else None
        sentence = f"after offset {offset}: {error}" if records else str(error)
        return Members(
            history, tuple(records), (Finding("members-broken", *place_of(log), sentence, seq=history.size),)
        )
    if not records:
        return Members(history, (), (Finding("members-broken", *place_of(log), "the members log is empty"),))
    return Members(history, tuple(records), ())


class LogChecker:
    """Checks the logs of one source, one after the other, with the same processes. Use as a context manager."""

    def __init__(self, source: LogSource, *, signatures: bool, processes: int, members: Members | None = None) -> None:
        """Reads the members log unless it is given; blocks."""
        self._source = source
        self._signatures = signatures
        self.members = read_members(source) if members is None else members
        log = f"{source.exchange}.{MEMBERS}/0"
        ground = Ground(log, self.members.records, source.root, source.schemas_dir) if signatures else None
        self._workers = Workers(processes, ground)

    def check(self, log: str, on_progress: OnProgress | None = None) -> LogReport:
        """Steps 2 to 5. ``Transient`` when the source goes away; whatever the log holds is a finding, never an error."""
        found = _Found()
        origin = origin_of(log)
        first = self._source.first_seq(log)
        joined = Joined(log, first, is_from_the_start=first == 0)
        heads = Heads(log, keys_of(log, self.members.history.latest), self._source.checkpoints(origin))
        if first:
            found.add(self._begin(log, heads, first))
        if log.startswith(f"{self._source.exchange}.{MEMBERS}/"):
            found.add(self.members.findings)
        count = 0
        try:
            # (2) runs (3) joined
            for stretch in self._workers.stretches(log, self._plain(log)):
                found.add(joined.take(stretch))
                count += stretch.count
                # (4) tree and checkpoints
                found.add(self._located(log, heads, heads.grow(stretch.leaves)))
                if on_progress is not None:
                    on_progress(log, count)
            found.add(self._rest(log, heads, joined.next_seq))
            found.add(heads.end())
            second = check_second_tree(self._source, log, heads.keys)
            found.add(second.findings)
        except Refused as refused:
            if refused.code != "bad-archive":
                raise
            found.add([Finding("bad-archive", *place_of(log), refused.message, seq=joined.next_seq)])
            second = SecondTree("not looked at")
        return LogReport(
            log=log,
            entries=count,
            checkpoints=heads.count,
            signed_size=0 if heads.good is None else heads.good.size,
            root="" if heads.bad is not None else f"sha256:{heads.edge.root().hex()}",
            with_signatures=self._signatures,
            findings=tuple(found.kept),
            more=found.more,
            second_tree=second.state,
        )

    def close(self) -> None:
        """Ends the processes."""
        self._workers.close()

    def __enter__(self) -> LogChecker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _plain(self, log: str) -> Iterator[Plain]:
        records = self._source.records(log)
        if self._signatures:
            return ((record.offset, record.headers, record.value) for record in records)
        return ((record.offset, ((ENTRY_HEADER, entry_of(record)),), None) for record in records)

    def _located(self, log: str, heads: Heads, found: list[Finding]) -> list[Finding]:
        """(5): before a root that differs stands the entry that does, where the tiles are those that were signed."""
        if heads.bad is None or not any(finding.code == "root-differs" for finding in found):
            return found
        read = self._source.tiles(origin_of(log))
        if read is None:
            return found
        start = 0 if heads.good is None else heads.good.size
        for head in (heads.bad, self._last_head(log, heads)):
            culprit = None if head is None else _first_difference(self._source, log, read, start, head)
            if culprit is not None:
                return [culprit, *found]
        return found

    def _begin(self, log: str, heads: Heads, first: int) -> list[Finding]:
        """The tree up to the first entry of an archive of a later period: from its tiles, which the next signed root then bears out."""
        read, last = self._source.tiles(origin_of(log)), self._last_head(log, heads)
        try:
            if read is None or last is None or last.size < first:
                raise Refused("not-in-log", "there is no signed checkpoint with its tiles")
            heads.edge = _edge_at(Tree(read, last.size), first)
        except (Corrupt, Refused) as error:
            sentence = f"the entries before {first} are not here, and the tree up to them cannot be known: {error}"
            return [Finding("no-beginning", *place_of(log), sentence, seq=first)]
        return []

    def _rest(self, log: str, heads: Heads, reached: int) -> list[Finding]:
        """The tree after the last entry of an archive of an earlier period: from its tiles, which the signed root then bears out."""
        upto = self._source.next_seq(log)
        if upto is None or upto != reached:
            return []
        read, last = self._source.tiles(origin_of(log)), self._last_head(log, heads)
        found: list[Finding] = []
        try:
            if read is None or last is None:
                raise Refused("not-in-log", "there is no signed checkpoint with its tiles")
            for start in range(reached, last.size, _FORGET):
                tree = Tree(read, last.size)
                leaves = b"".join(tree.leaf(seq) for seq in range(start, min(start + _FORGET, last.size)))
                found += heads.grow(leaves)
        except (Corrupt, Refused) as error:
            sentence = f"the entries from {reached} on are not here, and the tree after them cannot be known: {error}"
            return [Finding("no-end", *place_of(log), sentence, seq=reached)]
        return found

    def _last_head(self, log: str, heads: Heads) -> Checkpoint | None:
        """The largest signed checkpoint: its tiles are there when those of the first bad one are not any more."""
        notes = self._source.checkpoints(origin_of(log))
        signed = (head for data in notes if (head := signed_head(data, log, heads.keys)) is not None)
        return max(signed, key=lambda head: head.size, default=None)


def check_log(
    source: LogSource,
    log: str,
    *,
    signatures: bool,
    processes: int,
    on_progress: OnProgress | None = None,
    members: Members | None = None,
) -> LogReport:
    """One log partition, from end to end. Blocks for as long as that takes; see :class:`LogChecker` for more than one."""
    with LogChecker(source, signatures=signatures, processes=processes, members=members) as checker:
        return checker.check(log, on_progress)


@dataclass(slots=True)
class _Found:
    kept: list[Finding] = field(default_factory=list)
    more: int = 0

    def add(self, findings: tuple[Finding, ...] | list[Finding]) -> None:
        room = MAX_FINDINGS - len(self.kept)
        self.kept += findings[:room]
        self.more += max(0, len(findings) - room)


def _edge_at(tree: Tree, size: int) -> RightEdge:
    """The right edge of the first ``size`` leaves of a larger tree."""
    peaks, start = [], 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            peaks.append(tree.subtree(start, start + (1 << height)))
            start += 1 << height
    return RightEdge(size, tuple(peaks))


def _first_difference(source: LogSource, log: str, read: Read, start: int, head: Checkpoint) -> Finding | None:
    """The first entry from ``start`` on that is not the one in the tree of ``head``; None when the tiles are not of that tree either."""
    tree = Tree(read, head.size)
    try:
        if tree.root() != head.root:
            return None
        for seq, record in enumerate(source.records(log), source.first_seq(log)):
            if seq >= head.size:
                break
            if seq % _FORGET == 0:
                tree = Tree(read, head.size)  # which keeps every tile that it has read
            if seq >= start and (leaf := tree.leaf(seq)) != leaf_hash(entry_of(record)):
                if root_from_path(leaf, seq, head.size, tree.inclusion(seq)) != head.root:
                    return None
                sentence = "this is not the entry that was signed at this place"
                return Finding("entry-altered", *place_of(log), sentence, record.offset, seq)
    except (Corrupt, Refused):
        return None
    return None
