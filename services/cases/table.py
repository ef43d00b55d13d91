"""Kinds of transfer as data: roles, states, moves and who may make them, what a move tells the clocks.

The table is `schemas/codes/transfers.toml`, read by `documents.py`; its form is in schemas/DESIGN.md, "Transfers". Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

At = Literal["happened", "admitted"]
Telling = Literal["happened", "suspended", "resumed"]
Joins = Literal["opens", "addressee", "later"]

OPEN: Final = "open"
"""The opening as a move: what a second TransferOpened attempts."""
COMMON: Final = ("extend", "suspend", "resume")
"""Moves of every kind, by whoever acts for a clock: they change no state of the case, only its clocks."""


@dataclass(frozen=True, slots=True)
class Role:
    """A part that an organ plays in a case. ``acts_as`` are the roles of clock rules (clocks.toml) that it stands for.

    ``joins``: it opens the case, is an addressee of the opening, or comes in by a later move. ``many``: several organs may play it.
    ``outside``: an organ that is no member may play it; the opener then records its moves.
    """

    id: str
    zh: str
    en: str
    organ_types: tuple[str, ...]
    joins: Joins
    acts_as: tuple[str, ...] = ()
    many: bool = False
    outside: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A state of a case. In a terminal one no move has effect, but for the moves that name it in ``from_states``."""

    id: str
    zh: str
    en: str
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A moment that a move tells the clocks, at the time at which it happened or at which the exchange admitted the event.

    ``admitted`` is for what the *other* side does by receiving ("material received"): it had it no later than then. ``kind`` is suspended
    or resumed where ``moment`` is a ground on which the clock of ``rule`` stands still from then, or runs again. ``result``: it is told
    only by a move with that result.
    """

    moment: str
    at: At
    kind: Telling = "happened"
    rule: str | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A move: who (roles) may make it in which states, where it leads (None: the case stays), what it tells.

    ``needs`` are fields of TransferMoved that may not be empty. ``joins`` is the role that the addressee of fitting organ type takes by
    it; ``replaces``: who played it before leaves the case. ``once``: it has effect a single time. ``checks``: names of `checks.py`.
    """

    id: str
    zh: str
    en: str
    by: tuple[str, ...]
    from_states: tuple[str, ...]
    to: str | None
    article: str
    tells: tuple[Told, ...] = ()
    needs: tuple[str, ...] = ()
    joins: str | None = None
    replaces: bool = False
    once: bool = False
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """A move that never has effect in a kind, whoever makes it and whenever, because a rule forbids it: that rule is what is answered.

    ``rule`` is a code of the code table ``rules``; ``zh`` and ``en`` are templates over ``{mover}`` and ``{move}``. ``by`` empty: anyone.
    """

    move: str
    by: tuple[str, ...]
    rule: str
    article: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of transfer. ``clocks`` are the rules (clocks.toml) that run in it.

    ``opens_to`` is the state after the opening, ``opens_tells`` what the opening tells, ``earlier`` the moments that the opener may state
    of its own procedure before, ``opens_needs`` fields of TransferOpened that may not be empty, ``opens_checks`` names of `checks.py`.
    """

    id: str
    zh: str
    en: str
    row: str
    source: str
    roles: tuple[Role, ...]
    states: tuple[State, ...]
    moves: tuple[Move, ...]
    bars: tuple[Bar, ...]
    clocks: tuple[str, ...]
    opens_to: str
    opens_article: str
    opens_tells: tuple[Told, ...] = ()
    opens_needs: tuple[str, ...] = ()
    opens_checks: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    _roles: Mapping[str, Role] = field(init=False, repr=False, compare=False)
    _states: Mapping[str, State] = field(init=False, repr=False, compare=False)
    _moves: Mapping[str, Move] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_roles", {role.id: role for role in self.roles})
        object.__setattr__(self, "_states", {state.id: state for state in self.states})
        object.__setattr__(self, "_moves", {move.id: move for move in self.moves})

    def role(self, role_id: str) -> Role:
        """The role with that id; the loader has seen that there is one."""
        return self._roles[role_id]

    def state(self, state_id: str) -> State:
        """The state with that id; the loader has seen that there is one."""
        return self._states[state_id]

    def move(self, move_id: str) -> Move | None:
        """The move with that id, if the kind has it."""
        return self._moves.get(move_id)

    @property
    def opens(self) -> Role:
        """The role that opens a case of this kind; the loader has seen that there is one."""
        return next(role for role in self.roles if role.joins == "opens")


@dataclass(frozen=True, slots=True)
class CommonMove:
    """One of the moves of every kind (``COMMON``), in words."""

    id: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Transfers:
    """Every kind by id, in the order of the table, and the moves that all of them have."""

    kinds: Mapping[str, Kind]
    common: tuple[CommonMove, ...] = field(default=())

    def named(self, kind: Kind | None, move_id: str) -> Move | CommonMove | None:
        """The move of that id in a kind, or the one that every kind has; None where there is none."""
        own = kind.move(move_id) if kind else None
        return own or next((move for move in self.common if move.id == move_id), None)
