"""What a room is to the runner: a pure fold over the entries of its families, as types. No I/O, no Faust, no clock.

Design sections 1 (principles 3 and 4) and 8. A room gives the functions; the runner (``services/runtime/runner.py``)
gives them state and entries, and stores what they return in one PostgreSQL transaction with the position in the log.

What a room promises: every function is total and deterministic, takes a redelivered entry without effect, and never
raises but for a bug. What the runner promises: the entries of one log partition come in order, each once, whatever is
killed in between; entries of different partitions come in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from services.codec.entry import Entry
from services.codec.schema import Value
from services.events.registry import Event
from services.kernel.instants import parse_instant

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)

Json = dict[str, Any]


class World(Protocol):
    """What a fold or a tick may know beside its state: the members log, at a size that the entry or the state names."""

    def registry(self, size: int) -> Any:
        """The ``services.members.registry.Registry`` after the first ``size`` entries of the members log.

        Blocks for a moment when the follower has not come so far; then ``Transient``, and the runner tries again.
        """
        ...


@dataclass(frozen=True, slots=True)
class Logged:
    """One entry of a log with its content, decoded and compared: what a fold folds."""

    entry: Entry
    value: Value
    event: Event
    topic: str
    partition: int
    offset: int
    trace: str | None = None

    @property
    def id(self) -> str:
        """Id of the event."""
        return self.entry.statement.id

    @property
    def type(self) -> str:
        """CloudEvents type, ``cn.ipx.clue.ClueReported`` for one."""
        return self.entry.statement.type

    @property
    def seq(self) -> int:
        """Place in the log partition, contiguous from 0."""
        return self.entry.seq

    @property
    def admitted_ms(self) -> int:
        """When admission took it: the only time that a derived event may carry."""
        return parse_instant(self.entry.admitted)


@dataclass(frozen=True, slots=True)
class Emission:
    """A derived event to be proposed. Its id is UUIDv8 of (room name, subject, cause, ordinal), so emitting twice is once.

    ``cause`` is the id of the event it follows from, ``ordinal`` tells the emissions of one cause apart, ``time_ms`` is
    the admission time of the cause or the due time that came, ``addressee`` stands in ascending order without repeats.
    The event carries no restricted field (design principle 4).
    """

    event: Event
    subject: str
    addressee: tuple[str, ...]
    cause: str
    ordinal: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Folded(Generic[S_co]):
    """The state after an entry or a tick, and what is to be proposed because of it."""

    state: S_co
    emissions: tuple[Emission, ...] = ()


def _no_tick(state: S, due_ms: int, world: World) -> Folded[S]:
    return Folded(state)


def _never_due(state: S) -> int | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room(Generic[S]):
    """A room as data.

    - ``key_of`` names the states that an entry touches; none: the entry does not concern the room. ``fold`` is called
      once for each, with that key's state or None where there is none yet; None back means that none is to be kept.
    - ``due_of`` is when the state wants a tick; ``tick`` is called with exactly that time, again and again until
      ``due_of`` is None or in the future, in the order of time. Never before every entry admitted at or before the due
      time in the logs of ``waits_for`` (empty: of all ``families``) has been folded: so what a tick sees is decided by
      the logs and not by when the tick came. A tick asks the world only for a size that its state holds.
    - ``encode`` and ``decode`` are inverses; the JSON is what the ``state`` table holds.
    """

    name: str
    families: tuple[str, ...]
    key_of: Callable[[Logged], tuple[str, ...]]
    fold: Callable[[S | None, Logged, World], Folded[S | None]]
    encode: Callable[[S], Json]
    decode: Callable[[Json], S]
    tick: Callable[[S, int, World], Folded[S]] = field(default=_no_tick)
    due_of: Callable[[S], int | None] = field(default=_never_due)
    waits_for: tuple[str, ...] = ()

    @property
    def participant(self) -> str:
        """Who signs what the room derives."""
        return f"exchange.{self.name}"

    @property
    def ticks(self) -> bool:
        """Whether its states ever want a tick."""
        return self.due_of is not _never_due

    @property
    def awaited(self) -> tuple[str, ...]:
        """The families that must be folded past a due time before its tick."""
        return self.waits_for or self.families
