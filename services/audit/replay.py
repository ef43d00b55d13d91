"""``replay``: folds the logs through the same rooms into an empty store, and compares what comes of it with what is there.

Numbered steps: 1 the members log, verified from the founding · 2 every log is folded by each room of its family up to where the live room stood, and ticked up to where
those logs vouch for · 3 each state is compared with the live one · 4 the logs are folded on to their ends, and ticked · 5 every derived event is compared, byte for
byte, with the one in the log. Step 3 needs the live tables; an archive, or ``until``, has none to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from services.audit.derivations import Derivations
from services.audit.live import LiveRooms
from services.audit.refold import HistoryWorld, Refold, empty_store, states_differ
from services.audit.sources import Finding, LogSource, place_of
from services.audit.statements import restate
from services.audit.verify_log import read_members
from services.clues.worker import room_of
from services.codec.envelope import unframe
from services.codec.released import load_released
from services.kernel.codes import load_code_tables
from services.kernel.errors import Corrupt, Refused
from services.receipts.worker import ROOM as RECEIPTS
from services.runtime.fold import Json, Room
from services.runtime.planner import Place, Position, horizon_of
from services.runtime.records import RawRecord, read_logged
from services.transfers.worker import room_at

KEPT = 100
SETTLES_MS = 60_000
"""What follows from something may take so long to be in the log: fold, relay, admission."""
_RUN = 500
OnProgress = Callable[[str, int], None]
"""Told the room and log, and how many entries have been folded."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What was folded and compared. ``states`` counts compared states by room; a room that has never run here has none."""

    folded: Mapping[str, int]
    derived: int
    pending: int
    states: Mapping[str, int]
    findings: tuple[Finding, ...]
    more: int = 0

    @property
    def is_good(self) -> bool:
        """Whether everything follows from the logs."""
        return not self.findings


@dataclass(slots=True)
class Replay:
    """Use once. Blocks; ``Transient`` when what is read goes away."""

    source: LogSource
    live: LiveRooms | None
    until_ms: int | None
    """Entries that were admitted later are left; None: there is no end but that of the logs."""
    on_progress: OnProgress
    _findings: list[Finding] = field(default_factory=list)
    _more: int = 0
    _stopped: set[str] = field(default_factory=set)

    def run(self) -> ReplayReport:
        """Steps 1 to 5. Refuses ``not-in-log`` a source that does not begin at the founding."""
        later = [log for log in self.source.logs() if self.source.first_seq(log) > 0]
        if later:
            raise Refused("not-in-log", f"{later[0]} begins in the middle here; a replay begins at the founding")
        store = empty_store()
        try:
            return self._run(Derivations(store), store)
        finally:
            store.close()

    def _run(self, derivations: Derivations, store: Any) -> ReplayReport:
        # (1) members
        members = read_members(self.source)
        self._tell(*members.findings)
        world = HistoryWorld(members.history)
        released = load_released(self.source.schemas_dir / "released")
        codes = self.source.schemas_dir / "codes"
        rooms: list[Room[Any]] = [room_of(load_code_tables(codes)), RECEIPTS, room_at(codes)]
        folded: dict[str, int] = {}
        states: dict[str, int] = {}
        for room in rooms:
            refold = Refold(room, world, store, released, self.source.exchange)
            logs = [log for log in self.source.logs() if place_of(log)[0].rpartition(".")[2] in room.families]
            self._stopped.clear()
            live = self._positions(room)
            if live is not None:
                # (2) up to where the live room stood
                self._fold(refold, derivations, logs, live)
                places = [place_of(log) for log in logs if place_of(log)[0].rpartition(".")[2] in room.awaited]
                self._tick(refold, derivations, min(horizon_of(live, {}, places), self._settled_ms()))
                # (3) states
                states[room.name] = self._compare(refold)
            # (4) to the end
            self._fold(refold, derivations, logs, None)
            self._tick(refold, derivations, max(self._horizon_ms(), derivations.last_said_ms()))
            folded[room.name] = refold.folded
        # (5) derived events, and what the ledger states of whole days
        self._tell(*restate(self.source, released, derivations, self._horizon_ms()))
        settled_ms = self._horizon_ms() - SETTLES_MS
        self._tell(*derivations.disagreements(self.source.exchange, settled_ms))
        return ReplayReport(
            folded, derivations.count(), derivations.pending(settled_ms), states, tuple(self._findings), self._more
        )

    def _positions(self, room: Room[Any]) -> Mapping[Place, Position] | None:
        return None if self.live is None or self.until_ms is not None else self.live.positions(room.name)

    def _horizon_ms(self) -> int:
        horizon_ms = self.source.horizon_ms
        return horizon_ms if self.until_ms is None else min(self.until_ms, horizon_ms)

    def _settled_ms(self) -> int:
        """What was due by then the live room has ticked: it looks every second or so."""
        return (self.live.now_ms if self.live else self.source.horizon_ms) - SETTLES_MS

    def _fold(
        self, refold: Refold[Any], derivations: Derivations, logs: Sequence[str], upto: Mapping[Place, Position] | None
    ) -> None:
        """Each log on from where it has been folded, up to a position, or to its end."""
        for log in logs:
            if log in self._stopped:
                continue
            place = place_of(log)
            start = refold.positions.get(place, Position()).next_seq
            end = None if upto is None else upto.get(place, Position()).next_seq
            count = start
            for batch in _batches(islice(self.source.records(log), start, end)):
                if not self._take(refold, derivations, log, batch):
                    break
                count += len(batch)
                self.on_progress(f"{refold.room.name} {log}", count)
            reached = refold.positions.get(place, Position()).next_seq
            if end is not None and reached < end and log not in self._stopped:
                sentence = f"the live room {refold.room.name} has folded {end} entries, the log has {reached}"
                self._tell(Finding("position-ahead", *place, sentence, seq=reached))

    def _take(self, refold: Refold[Any], derivations: Derivations, log: str, batch: Sequence[RawRecord]) -> bool:
        """One run of records; False when nothing after it is folded."""
        schema_of = refold.released.with_digest
        try:
            read = [(read_logged(record, schema_of), record) for record in batch]
            end_ms = self.until_ms
            wanted = [(logged, record) for logged, record in read if end_ms is None or logged.admitted_ms <= end_ms]
            for logged, record in wanted:
                if logged.entry.statement.source == refold.room.participant:
                    derivations.said(logged, unframe(record.value)[1])
            derived, gaps = refold.fold([logged for logged, _ in wanted])
        except Corrupt as error:
            self._stop(log, Finding("not-foldable", *place_of(log), str(error), batch[0].offset))
            return False
        for one in derived:
            derivations.derived(refold.room.name, one)
        for gap in gaps:
            sentence = f"seq {gap.expected_seq} was expected; nothing after it is folded"
            self._stop(log, Finding("seq-gap", *place_of(log), sentence, gap.found_offset, gap.found_seq))
        return not gaps and len(wanted) == len(batch)

    def _stop(self, log: str, finding: Finding) -> None:
        self._stopped.add(log)
        self._tell(finding)

    def _tick(self, refold: Refold[Any], derivations: Derivations, until_ms: int) -> None:
        for one in refold.tick(until_ms):
            derivations.derived(refold.room.name, one)

    def _compare(self, refold: Refold[Any]) -> int:
        """(3): both sides in the order of key; how many were compared."""
        assert self.live is not None
        count = 0
        topic = f"{refold.room.name}.state"
        for key, folded, live in _side_by_side(refold.states(), self.live.states(refold.room.name)):
            count += 1
            if live is None:
                self._tell(Finding("projection-missing", topic, 0, f"{key}: the logs give a state, there is none"))
            elif folded is None:
                self._tell(Finding("projection-invented", topic, 0, f"{key}: there is a state, the logs give none"))
            elif (difference := states_differ(folded, live)) is not None and not self._is_later(refold, folded, live):
                self._tell(Finding("projection-differs", topic, 0, f"{key}: {difference}"))
        return count

    def _is_later(self, refold: Refold[Any], folded: Json, live: Json) -> bool:
        """Whether the live state is the folded one after some of the ticks that were due meanwhile."""
        assert self.live is not None
        return any(state == live for state in refold.later(folded, self.live.now_ms))

    def _tell(self, *findings: Finding) -> None:
        for finding in findings:
            if len(self._findings) >= KEPT:
                self._more += 1
            elif finding not in self._findings:
                self._findings.append(finding)


def _side_by_side(
    one: Iterator[tuple[str, Json]], other: Iterator[tuple[str, Json]]
) -> Iterator[tuple[str, Json | None, Json | None]]:
    """Two sequences in the order of key, joined; a side that lacks a key is None there."""
    left, right = next(one, None), next(other, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None
            yield left[0], left[1], None
            left = next(one, None)
        elif left is None or right[0] < left[0]:
            yield right[0], None, right[1]
            right = next(other, None)
        else:
            yield left[0], left[1], right[1]
            left, right = next(one, None), next(other, None)


def _batches(records: Iterator[RawRecord]) -> Iterator[list[RawRecord]]:
    while batch := list(islice(records, _RUN)):
        yield batch
