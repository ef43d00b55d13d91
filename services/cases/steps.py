"""What a case is told and what it says back, as types: the entry, the world around it, the step with its answer and its clock changes.

Beneath `fold.py` and `clocks.py`, which both speak in them; `fold.py` names them again, and readers take them from there.
"""

from dataclasses import dataclass
from typing import Final, Literal

from services.cases.state import Case, Clock
from services.cases.table import Transfers
from services.events.transfer import CalendarApplied, PossibleMoves, TransferMoved, TransferOpened
from services.kernel.clock_rules import ClockRules
from services.kernel.verdict import Verdict
from services.members.registry import Registry

What = Literal["started", "moved", "suspended", "resumed", "warned", "expired", "stopped"]
Body = TransferOpened | TransferMoved | CalendarApplied

FIRST_TICK_ORDINAL: Final = 256
"""Ordinals of what ticks say begin here: 256 + 2 * (index of the rule in the clocks of the kind) + (0 warned, 1 expired)."""


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of the transfers log, as far as a case hears it.

    ``addressees`` are those of the signed statement, ``recipients`` whoever had a copy by it; ``members`` is the size of the members
    log at which it was admitted.
    """

    event: str
    source: str
    addressees: tuple[str, ...]
    recipients: tuple[str, ...]
    seq: int
    time_ms: int
    admitted_ms: int
    members: int
    subject: str
    body: Body


@dataclass(frozen=True, slots=True)
class Around:
    """What a case is judged by: the table, the clock rules, and the registry at the size that counts.

    For ``step`` that is the registry at ``said.members``, and ``before`` the one at ``case.members`` (None: the same one): ticks that
    fell due before the entry are told as they would have been then, and a calendar that has come since is seen by the difference.
    For everything else (``ripe``, ``possible``, ``verdicts``) ``registry`` is the one at ``case.members``, and ``before`` is not read.
    """

    tables: Transfers
    rules: ClockRules
    registry: Registry
    before: Registry | None = None

    @property
    def then(self) -> "Around":
        """The world as it was at the last event with effect."""
        return self if self.before is None else Around(self.tables, self.rules, self.before)


@dataclass(frozen=True, slots=True)
class NoEffect:
    """Why a move has no effect, and what is possible now, as told to those who know the case."""

    rule: str
    article: str
    attempted: str
    state: str
    possible: tuple[PossibleMoves, ...]
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ClockChange:
    """One thing to tell of a clock: what changed, the clock after and before, its verdict now, who must act.

    ``why`` is of a move (code table ``clock_changes``), ``grounds`` of a suspension. ``cause``, ``ordinal`` and ``time_ms`` make the
    event's id and time: an entry's own changes have ordinals from 0, those of a tick from ``FIRST_TICK_ORDINAL``. ``parties`` are whom to
    tell, in ascending order (`fold.py` fills it in): the parties of that moment, and of an entry those that left the case by it.
    """

    what: What
    clock: Clock
    before: Clock | None
    verdict: Verdict
    actors: tuple[str, ...]
    why: str | None
    grounds: tuple[str, ...]
    cause: str
    ordinal: int
    time_ms: int
    parties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """The case after an entry or a tick, why the entry had no effect if it had none, and what is to be told of the clocks."""

    case: Case
    refused: NoEffect | None = None
    changes: tuple[ClockChange, ...] = ()
