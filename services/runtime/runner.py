"""The runner: folds entries into a room's states so that a crash at any point loses nothing and repeats nothing.

Design section 8. For a batch of entries, whatever partitions they are of:

1. decode every record, compare entry, attributes and body;
2. check the seq against the stored position, which is locked: smaller is known and skipped, larger is a gap;
3. load the states that are touched, locked, in the order of key;
4. fold;
5. store states, positions and outbox, and commit: steps 2 to 5 are ONE PostgreSQL transaction;
6. acknowledge to Kafka, which is a courtesy to those who watch the lag: the position in PostgreSQL is what counts.

A tick is steps 3 to 5 for states whose due time has come. Nothing here knows Faust: ``faust_app.py`` feeds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.events.registry import Event
from services.kernel.ports import Clock
from services.runtime.faults import reach
from services.runtime.fold import Room, World
from services.runtime.metrics import (
    ROOM_BATCH,
    ROOM_BEHIND,
    ROOM_EMITTED,
    ROOM_FOLDED,
    ROOM_GAPS,
    ROOM_POSITION,
    ROOM_SECONDS,
    ROOM_SKIPPED,
    ROOM_TICKS,
    Metrics,
)
from services.runtime.planner import Checked, Gap, Outcome, Place, Position, check, fold_all, keys_of, tick_all
from services.runtime.postgres import Connection, Database
from services.runtime.proposals import Proposer
from services.runtime.records import RawRecord, SchemaOf, read_logged
from services.runtime.store import State, Store

S = TypeVar("S")

TICKED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a batch."""

    folded: int
    skipped: int
    emitted: int
    gaps: tuple[Gap, ...]


class Runner(Generic[S]):
    """Folds for one room; blocking, one batch at a time, safe beside the runners of other workers of the room.

    ``Transient``: nothing was lost, call again with the same batch (it may even have been committed: then all of it is
    skipped). ``Corrupt``: a record or the fold contradicts what was proved; stop.
    """

    def __init__(
        self,
        room: Room[S],
        database: Database,
        *,
        world: World,
        proposer: Proposer,
        schema_of: SchemaOf,
        metrics: Metrics,
        clock: Clock,
        said: Callable[[Iterable[Event]], None] | None = None,
    ) -> None:
        """``said`` is told what was emitted, once it is stored: for figures, which may miss what a crash took."""
        self.room = room
        self._database = database
        self._world = world
        self._proposer = proposer
        self._schema_of = schema_of
        self._metrics = metrics
        self._clock = clock
        self._store = Store(room.name)
        self._said = said

    def fold(self, batch: Sequence[RawRecord]) -> Done:
        """Steps 1 to 5 for a batch. Gaps are reported, and what came before them is stored."""
        started = time.monotonic()
        # (1) decode
        logged = [read_logged(record, self._schema_of) for record in batch]
        reach("room.decode")
        with self._database.transaction() as connection:
            # (2) check the seq against the stored position
            places = {(one.topic, one.partition) for one in logged}
            checked = check(logged, self._store.lock_positions(connection, places))
            reach("room.check")
            # (3) load state
            keyed = keys_of(self.room, checked.entries)
            loaded = self._load(connection, {key for _, keys in keyed for key in keys})
            reach("room.load")
            # (4) fold
            outcome = fold_all(self.room, keyed, loaded, self._world)
            reach("room.fold")
            # (5) store state, position and outbox
            self._save(connection, outcome, loaded)
            self._store.save_positions(connection, checked.positions)
            reach("room.store")
        reach("room.commit")
        self._tell(outcome)
        self._count(checked, len(outcome.emissions), time.monotonic() - started)
        return Done(len(checked.entries), checked.skipped, len(outcome.emissions), checked.gaps)

    def tick(self, until_ms: int) -> int:
        """Steps 3 to 5 for up to 1,000 states that are due at ``until_ms`` or before; says how many there were.

        ``until_ms`` must not be past the horizon (``planner.horizon_of``).
        """
        with self._database.transaction() as connection:
            found = self._store.lock_due(connection, until_ms, TICKED_AT_ONCE)
            loaded = {key: self.room.decode(json) for key, json in found.items()}
            reach("room.tick.load")
            outcome = tick_all(self.room, loaded, until_ms, self._world)
            self._save(connection, outcome, loaded)
            reach("room.tick.store")
        reach("room.tick.commit")
        self._tell(outcome)
        self._metrics.add(ROOM_TICKS, len(outcome.states), room=self.room.name)
        self._metrics.add(ROOM_EMITTED, len(outcome.emissions), room=self.room.name)
        return len(found)

    def positions(self) -> dict[Place, Position]:
        """Every stored position of the room."""
        with self._database.transaction() as connection:
            return self._store.positions(connection)

    def first_due(self) -> int | None:
        """The earliest time at which a state wants a tick."""
        with self._database.transaction() as connection:
            return self._store.first_due(connection)

    def _load(self, connection: Connection, keys: set[str]) -> dict[str, S]:
        if not keys:
            return {}
        return {key: self.room.decode(json) for key, json in self._store.lock_states(connection, keys).items()}

    def _save(self, connection: Connection, outcome: Outcome[S], loaded: Mapping[str, S]) -> None:
        with self._store.storing(connection):
            self._store.save_states(
                connection, {key: self._encoded(state) for key, state in outcome.states.items()}, loaded
            )
            # the states are being stored while these are signed
            proposals = [self._proposer.propose(told.emission, told.trace) for told in outcome.emissions]
            self._store.append_outbox(connection, proposals)

    def _tell(self, outcome: Outcome[S]) -> None:
        if self._said is not None:
            self._said(told.emission.event for told in outcome.emissions)

    def _encoded(self, state: S | None) -> State | None:
        return None if state is None else (self.room.encode(state), self.room.due_of(state))

    def _count(self, checked: Checked, emitted: int, seconds: float) -> None:
        room, metrics = self.room.name, self._metrics
        metrics.observe(ROOM_BATCH, len(checked.entries) + checked.skipped, room=room)
        metrics.observe(ROOM_SECONDS, seconds, room=room)
        metrics.add(ROOM_SKIPPED, checked.skipped, room=room)
        metrics.add(ROOM_GAPS, len(checked.gaps), room=room)
        metrics.add(ROOM_EMITTED, emitted, room=room)
        by_topic: dict[str, int] = {}
        for logged in checked.entries:
            by_topic[logged.topic] = by_topic.get(logged.topic, 0) + 1
        for topic, count in by_topic.items():
            metrics.add(ROOM_FOLDED, count, room=room, family=family_in(topic))
        for (topic, partition), position in checked.positions.items():
            metrics.set(ROOM_POSITION, position.next_seq, room=room, family=family_in(topic), partition=str(partition))
        if checked.entries:
            latest_ms = max(logged.admitted_ms for logged in checked.entries)
            metrics.set(ROOM_BEHIND, max(0.0, (self._clock.now_ms() - latest_ms) / 1000), room=room)


def family_in(topic: str) -> str:
    """The family in the name of a log topic."""
    return topic.rpartition(".")[2]
