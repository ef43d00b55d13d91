"""Typed events of the notices log: what the exchange tells of statutory clocks (schemas/events/notice).

The subject is the case (or clue) whose clock it is. Names, order and types equal the schemas; tests/unit/services/events compares
them. All of these are derived: a signed negative receipt is a ClockExpired. Instants are milliseconds since the epoch in UTC.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockVerdict:
    """How a clock stands (services/kernel/verdict.py): the same values, in the same words."""

    state: str
    started_at: int | None = None
    due_at: int | None = None
    warn_at: int | None = None
    alarm_at: int | None = None
    hint_at: int | None = None
    ended_at: int | None = None
    late_by_ms: int | None = None
    provisional: bool
    advisory: bool
    breach: bool
    explanation_zh: str
    explanation_en: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfClock:
    """The first fields of every event of this family: which clock it is, and who must act. ``verdict`` is the last of each."""

    clock: str
    """``<rule>/<number>``: the number tells apart the clocks of one rule in one case, from 1."""
    rule: str
    rule_valid_from: int | None = None
    kind: str
    """Kind of the transfer (schemas/codes/transfers.toml)."""
    actors: tuple[str, ...] = ()
    """Participants that must act."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStarted(_OfClock):
    """A clock runs from a moment of its case."""

    TYPE: ClassVar[str] = "cn.ipx.notice.ClockStarted"

    trigger_event: str
    verdict: ClockVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMoved(_OfClock):
    """The end of a clock moved, or stopped being provisional: an extension, a fact entered late, a calendar."""

    TYPE: ClassVar[str] = "cn.ipx.notice.ClockMoved"

    why: str
    """extension | late_entry | calendar | restart (code table ``clock_changes``)."""
    was_due_at: int | None = None
    was_state: str
    verdict: ClockVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSuspended(_OfClock):
    """A clock stands still on a ground of its rule."""

    TYPE: ClassVar[str] = "cn.ipx.notice.ClockSuspended"

    grounds: tuple[str, ...] = ()
    verdict: ClockVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockResumed(_OfClock):
    """A clock runs again."""

    TYPE: ClassVar[str] = "cn.ipx.notice.ClockResumed"

    verdict: ClockVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWarned(_OfClock):
    """The end of a clock is near, by the rule's own time of warning."""

    TYPE: ClassVar[str] = "cn.ipx.notice.ClockWarned"

    verdict: ClockVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockExpired(_OfClock):
    """The end of a clock has come and nothing stopped it: the negative receipt of the step that had no answer."""

    TYPE: ClassVar[str] = "cn.ipx.notice.ClockExpired"

    awaited: tuple[str, ...] = ()
    """Moments, any of which would have stopped it."""
    consequence_zh: str
    consequence_en: str
    verdict: ClockVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStopped(_OfClock):
    """A clock was met, met late, or its duty fell away."""

    TYPE: ClassVar[str] = "cn.ipx.notice.ClockStopped"

    was_state: str
    stop_event: str | None = None
    verdict: ClockVerdict


NoticeEvent = ClockStarted | ClockMoved | ClockSuspended | ClockResumed | ClockWarned | ClockExpired | ClockStopped
