"""What a calendar changes for the cases that the room keeps: clocks whose last told end is not the one that is computed now. Pure.

Used by ``ipx calendar``: it applies a published calendar to the cases found here, and counts those that still wait for it. A case
that was judged by the calendar in force is never found again, so whoever is interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from services.cases.clocks import verdicts
from services.cases.possibilities import parties
from services.cases.state import Case, Clock
from services.cases.steps import Around
from services.kernel.instants import parse_day
from services.kernel.term import start_of_day
from services.kernel.verdict import Verdict

PAGE: Final = 1_000
_OPEN: Final = ("running", "expired")

READY = "select to_regclass('transfers.state') is not null"
"""Whether the room has made its tables."""
CASES = "select state from transfers.state where key = any(%(keys)s) order by key"
"""The states of some cases."""
CANDIDATES = """
    select state from transfers.state where key > %(after)s and exists (
        select from jsonb_to_recordset(state -> 'clocks') as c (told_state text, due_at bigint, provisional boolean)
        where c.provisional or (c.told_state = any(%(open)s) and c.due_at >= %(since)s))
    order by key limit %(limit)s"""
"""A page of the cases that a calendar may concern: a provisional end, or one on or after the days that the year may move."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a clock stands: its end, its state, and whether the end is provisional."""

    due_at: int | None
    state: str
    provisional: bool


@dataclass(frozen=True, slots=True)
class Shift:
    """A clock of a case whose end moves, or stops being provisional."""

    case: str
    clock: str
    before: Standing
    after: Standing


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case that waits for a calendar: what moves, how far its log was folded, and to whom that is to be told."""

    case: str
    last_seq: int
    addressees: tuple[str, ...]
    shifts: tuple[Shift, ...]


def candidates(year: int, after: str) -> tuple[str, dict[str, Any]]:
    """The statement for a page of the cases that the notices of a year may concern, after a case."""
    since = start_of_day(parse_day(f"{year - 1}-12-01"))
    return CANDIDATES, {"after": after, "open": list(_OPEN), "since": since, "limit": PAGE}


def waiting(cases: Iterable[Case], around: Around, now_ms: int) -> list[Waiting]:
    """The cases among these of which a clock is not as it is computed by the calendar of ``around``."""
    found = []
    for case in cases:
        shifts = shifts_of(case, around, now_ms)
        if shifts:
            found.append(Waiting(case.subject, case.last_seq, tuple(sorted(parties(case))), shifts))
    return found


def shifts_of(case: Case, around: Around, now_ms: int) -> tuple[Shift, ...]:
    """What the calendar moves for a case; a clock that has ended for good, and one that only ticks, is none."""
    return tuple(
        Shift(case.subject, clock.key, told(clock), Standing(found.due_at, found.state, found.provisional))
        for clock, found, _ in verdicts(case, around, now_ms)
        if (clock.provisional or clock.told_state in _OPEN) and _moves(clock, found)
    )


def told(clock: Clock) -> Standing:
    """How a clock was last told."""
    return Standing(clock.due_at, clock.told_state, clock.provisional)


def _moves(clock: Clock, found: Verdict) -> bool:
    return (clock.due_at, clock.warn_at, clock.provisional) != (found.due_at, found.warn_at, found.provisional)
