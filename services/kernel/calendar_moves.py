"""Which verdicts change when another calendar is loaded: what the event that brings a year's notice lists.

Pure: the clocks are given, nothing is looked up. A verdict that only stops being provisional is told too, since somebody was
told before that it might move.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from services.kernel.calendar import Calendar
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule
from services.kernel.verdict import Verdict, verdict

Change = Literal["moved", "settled", "unsettled"]


@dataclass(frozen=True, slots=True)
class KnownClock:
    """One clock: its key (the room's name for it), its rule, and what happened to its case."""

    key: str
    rule: ClockRule
    moments: Sequence[Moment]


@dataclass(frozen=True, slots=True)
class Move:
    """One verdict that changed: ``moved`` in end or state, else only ``settled`` (or no longer so)."""

    key: str
    change: Change
    before: Verdict
    after: Verdict


def calendar_moves(clocks: Iterable[KnownClock], before: Calendar, after: Calendar, now_ms: int) -> tuple[Move, ...]:
    """What the second calendar changes against the first, at one time, ordered by key; unchanged verdicts are not in it."""
    moves = []
    for clock in sorted(clocks, key=lambda one: one.key):
        was, will = (verdict(clock.rule, clock.moments, calendar, now_ms) for calendar in (before, after))
        change = change_between(was, will)
        if change is not None:
            moves.append(Move(clock.key, change, was, will))
    return tuple(moves)


def change_between(before: Verdict, after: Verdict) -> Change | None:
    """What makes two verdicts on one clock different for whoever acts on them; None when only the sentence may differ."""
    if (before.due_at, before.state, before.warn_at) != (after.due_at, after.state, after.warn_at):
        return "moved"
    if before.provisional != after.provisional:
        return "settled" if before.provisional else "unsettled"
    return None
