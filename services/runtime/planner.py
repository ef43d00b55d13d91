"""What to do with a batch of entries: which are next, which came before, where one is missing; then the fold. Pure.

Steps 2 and 4 of the runner (``services/runtime/runner.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.kernel.errors import Corrupt
from services.runtime.fold import Emission, Logged, Room, World

S = TypeVar("S")
Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log partition has been folded: the entry that comes next, where to look for it, the last one's time."""

    next_seq: int = 0
    next_offset: int = 0
    admitted_ms: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """An entry that came where another was expected."""

    place: Place
    expected_seq: int
    expected_offset: int
    found_seq: int
    found_offset: int


@dataclass(frozen=True, slots=True)
class Checked:
    """The entries to fold, in order; the position after them; how many were known; what did not fit."""

    entries: tuple[Logged, ...]
    positions: Mapping[Place, Position]
    skipped: int
    gaps: tuple[Gap, ...]


def check(batch: Iterable[Logged], stored: Mapping[Place, Position]) -> Checked:
    """Compares the seq of every entry with the stored position of its partition.

    Smaller: known, skipped. Larger: one is missing; nothing of that partition is taken from there on. Partitions are
    taken in ascending order, so that what a batch emits does not depend on how the consumer mixed them.
    """
    by_place: dict[Place, list[Logged]] = {}
    for logged in batch:
        by_place.setdefault((logged.topic, logged.partition), []).append(logged)
    entries: list[Logged] = []
    positions: dict[Place, Position] = {}
    gaps: list[Gap] = []
    skipped = 0
    for place in sorted(by_place):
        position = stored.get(place, Position())
        moved = position
        for logged in by_place[place]:
            if logged.seq < moved.next_seq:
                skipped += 1
            elif logged.seq > moved.next_seq:
                gaps.append(Gap(place, moved.next_seq, moved.next_offset, logged.seq, logged.offset))
                break
            else:
                entries.append(logged)
                moved = Position(logged.seq + 1, logged.offset + 1, max(moved.admitted_ms, logged.admitted_ms))
        if moved != position:
            positions[place] = moved
    return Checked(tuple(entries), positions, skipped, tuple(gaps))


@dataclass(frozen=True, slots=True)
class Told:
    """An emission and the trace of the entry that it follows from."""

    emission: Emission
    trace: str | None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[S]):
    """What a batch or a tick changes: states by key (None: no longer kept) and emissions in order."""

    states: Mapping[str, S | None]
    emissions: tuple[Told, ...]


def keys_of(room: Room[S], entries: Iterable[Logged]) -> list[tuple[Logged, tuple[str, ...]]]:
    """Each entry with the keys of the states that it touches."""
    return [(logged, room.key_of(logged)) for logged in entries]


def fold_all(
    room: Room[S], entries: Iterable[tuple[Logged, tuple[str, ...]]], loaded: Mapping[str, S], world: World
) -> Outcome[S]:
    """Folds the entries in order over the loaded states."""
    states: dict[str, S | None] = {}
    told: list[Told] = []
    for logged, keys in entries:
        for key in keys:
            folded = room.fold(states[key] if key in states else loaded.get(key), logged, world)
            states[key] = folded.state
            told += [Told(emission, logged.trace) for emission in folded.emissions]
    changed = {key: state for key, state in states.items() if state is not None or key in loaded}
    return Outcome(changed, _each_once(told))


def tick_all(room: Room[S], loaded: Mapping[str, S], until_ms: int, world: World) -> Outcome[S]:
    """Ticks each state at each of its due times up to ``until_ms``, in the order of time; states in the order of key."""
    states: dict[str, S | None] = {}
    told: list[Told] = []
    for key in sorted(loaded):
        state = loaded[key]
        due_ms = room.due_of(state)
        while due_ms is not None and due_ms <= until_ms:
            folded = room.tick(state, due_ms, world)
            told += [Told(emission, None) for emission in folded.emissions]
            next_ms = room.due_of(folded.state)
            if next_ms is not None and next_ms <= due_ms:
                raise Corrupt(f"room {room.name}: the tick of {key} at {due_ms} asks for {next_ms} again")
            state, due_ms = folded.state, next_ms
            states[key] = state
    return Outcome(states, _each_once(told))


def _each_once(told: list[Told]) -> tuple[Told, ...]:
    """The emissions; two of one subject and cause with one ordinal would have one id, so that is a bug of the fold.

    Of two subjects they may be: somebody may have said two things under one id, in two partitions.
    """
    seen: set[tuple[str, str, int]] = set()
    for item in told:
        identity = (item.emission.subject, item.emission.cause, item.emission.ordinal)
        if identity in seen:
            raise Corrupt(f"two emissions on {identity[0]} of {identity[1]} have the ordinal {identity[2]}")
        seen.add(identity)
    return tuple(told)


def horizon_of(positions: Mapping[Place, Position], probed_ms: Mapping[Place, int], places: Iterable[Place]) -> int:
    """Up to when every entry admitted in those partitions is known to have been folded.

    Of a partition that is either just before the time of its last folded entry (another of the same millisecond may
    follow), or the time that a probe vouches for, whichever is later. Admission never lets the time of a partition go
    back. The earliest over all partitions counts; without any partition there is no horizon (0).
    """
    reached = [max(positions.get(place, Position()).admitted_ms - 1, probed_ms.get(place, 0)) for place in places]
    return max(0, min(reached, default=0))
