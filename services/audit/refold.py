"""One room folded anew from the logs, into an empty store of its own, with nothing that could publish.

The fold, the planner and the proposer are the very code that the live room runs (``services/runtime/planner.py``, ``proposals.py``); only where states are kept differs: a
temporary SQLite file instead of the room's tables. The fence is by construction: this process holds no key (:class:`NoKey` signs with zeros), no producer, and no
connection to the tables that a relay reads. Memory is bounded by a batch.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from services.codec.envelope import envelope_from_record
from services.codec.released import ReleasedSchemas
from services.codec.statement import format_statement
from services.members.history import History
from services.members.registry import Registry
from services.runtime.fold import Json, Logged, Room
from services.runtime.planner import Gap, Outcome, Place, Position, check, fold_all, keys_of, tick_all
from services.runtime.proposals import Proposer
from services.runtime.topics import Topics

S = TypeVar("S")
_TICKED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class NoKey:
    """A signer without a key: what it signs, nobody takes. Signatures are no part of what is compared."""

    participant: str
    suite: str = "ed25519"

    @property
    def key_id(self) -> str:
        """No key has this name."""
        return f"{self.participant}#{'0' * 16}"

    def sign(self, message: bytes) -> bytes:
        """64 zero bytes."""
        return bytes(64)


@dataclass(frozen=True, slots=True)
class HistoryWorld:
    """The world of a fold, from the members log as it was verified."""

    history: History

    def registry(self, size: int) -> Registry:
        """``Corrupt`` when an entry names more than the members log has."""
        return self.history.at(size)


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived event as the logs give it: everything of it but its signature."""

    id: str
    cause: str
    statement: bytes
    body: bytes
    time_ms: int
    family: str


def empty_store() -> sqlite3.Connection:
    """An empty database in a temporary file, which is gone when it is closed."""
    store = sqlite3.connect("")
    store.executescript("pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -32768;")
    return store


@dataclass(slots=True)
class Refold(Generic[S]):
    """Folds entries and ticks; says what is derived. Gaps are told, and nothing of that log is folded from there on."""

    room: Room[S]
    world: HistoryWorld
    store: sqlite3.Connection
    released: ReleasedSchemas
    exchange: str
    positions: dict[Place, Position] = field(default_factory=dict)
    folded: int = 0

    def __post_init__(self) -> None:
        self.store.executescript(
            f"create table state_{self.room.name} (key text primary key, state text not null, due_at integer);"
            f"create index due_{self.room.name} on state_{self.room.name} (due_at) where due_at is not null;"
        )

    def fold(self, batch: Sequence[Logged]) -> tuple[list[Derived], tuple[Gap, ...]]:
        """The next entries of some logs; ``Corrupt`` when one names more members than there are, or the fold contradicts itself."""
        checked = check(batch, self.positions)
        keyed = keys_of(self.room, checked.entries)
        loaded = self._load({key for _, keys in keyed for key in keys})
        outcome = fold_all(self.room, keyed, loaded, self.world)
        self._save(outcome)
        self.positions.update(checked.positions)
        self.folded += len(checked.entries)
        return self._derived(outcome), checked.gaps

    def tick(self, until_ms: int) -> Iterator[Derived]:
        """Every tick that is due by then, in the order of time as far as states are concerned."""
        question = f"select key, state from state_{self.room.name} where due_at <= ? order by due_at, key limit ?"  # noqa: S608  (a room's name)
        while found := self.store.execute(question, (until_ms, _TICKED_AT_ONCE)).fetchall():
            loaded = {key: self.room.decode(json.loads(text)) for key, text in found}
            outcome = tick_all(self.room, loaded, until_ms, self.world)
            self._save(outcome)
            yield from self._derived(outcome)

    def states(self) -> Iterator[tuple[str, Json]]:
        """Every state, in the order of key by code point."""
        for key, text in self.store.execute(f"select key, state from state_{self.room.name} order by key"):  # noqa: S608
            yield key, json.loads(text)

    def later(self, state: Json, until_ms: int) -> Iterator[Json]:
        """The states that this one becomes by each of its ticks up to then."""
        current = self.room.decode(state)
        while (due_ms := self.room.due_of(current)) is not None and due_ms <= until_ms:
            current = self.room.tick(current, due_ms, self.world).state
            yield self.room.encode(current)

    def _load(self, keys: Iterable[str]) -> dict[str, S]:
        wanted = sorted(keys)
        found: dict[str, S] = {}
        for at in range(0, len(wanted), 500):
            some = wanted[at : at + 500]
            marks = ", ".join("?" * len(some))
            rows = self.store.execute(f"select key, state from state_{self.room.name} where key in ({marks})", some)  # noqa: S608
            found |= {key: self.room.decode(json.loads(text)) for key, text in rows}
        return found

    def _save(self, outcome: Outcome[S]) -> None:
        rows = [
            (key, json.dumps(self.room.encode(state)), self.room.due_of(state))
            for key, state in outcome.states.items()
            if state is not None
        ]
        gone = [(key,) for key, state in outcome.states.items() if state is None]
        self.store.executemany(f"insert or replace into state_{self.room.name} values (?, ?, ?)", rows)  # noqa: S608
        self.store.executemany(f"delete from state_{self.room.name} where key = ?", gone)  # noqa: S608

    def _derived(self, outcome: Outcome[S]) -> list[Derived]:
        proposer = Proposer(
            self.room.name, Topics(self.exchange), NoKey(self.room.participant), self.released.named, lambda _: 0
        )
        found = []
        for told in outcome.emissions:
            proposal = proposer.propose(told.emission)
            headers = [(name, text.encode()) for name, text in proposal.headers]
            statement = envelope_from_record(headers, proposal.value)[1].statement
            family = proposal.topic.split(".")[1]
            text = format_statement(statement)
            found.append(
                Derived(statement.id, statement.cause, text, proposal.value[5:], told.emission.time_ms, family)
            )
        return found


def states_differ(folded: Json, live: Mapping[str, Any], path: str = "") -> str | None:
    """Where two states part first, as a path with both values; None when they are the same."""
    if isinstance(folded, dict) and isinstance(live, dict):
        for name in sorted({*folded, *live}):
            where = f"{path}.{name}" if path else name
            if name not in live:
                return f"{where} is not there, the logs give {_short(folded[name])}"
            if name not in folded:
                return f"{where} is {_short(live[name])}, the logs give none"
            found = states_differ(folded[name], live[name], where)
            if found is not None:
                return found
        return None
    if isinstance(folded, list) and isinstance(live, list) and len(folded) == len(live):
        for number, (one, other) in enumerate(zip(folded, live, strict=True)):
            found = states_differ(one, other, f"{path}[{number}]")
            if found is not None:
                return found
        return None
    return None if folded == live else f"{path} is {_short(live)}, the logs give {_short(folded)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."
