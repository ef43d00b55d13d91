"""When a term ends: the arithmetic of domain 4.1, for working days, calendar days, months, years and hours.

- The day on which a thing happens is not counted (程序规定 80, 民诉法 85, 刑诉法 105); the hour likewise where the rule says so.
- A month or year ends on the day of the same number, or on the last of the month (民法典 202).
- A day ends at 24:00 (民法典 203); the last millisecond of it is in time. A last day that is off moves to the next working day
  where the rule says so; a term in working days ends on one by nature.
- A standstill is counted like a term: its first day still runs, the day it ends on does not, whole days only (by the
  millisecond in hours).

Pure. Times are in China Standard Time (UTC+8, no summer time).
"""

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, assert_never

from services.kernel.calendar import Calendar
from services.kernel.clock_moments import Standstill
from services.kernel.clock_rules import ClockRule, LastDay, Start, Unit
from services.kernel.codes import day_of

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
_CST_MS: Final = 8 * HOUR_MS
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_LATEST_YEAR: Final = 9998
_LATEST_DAY: Final = date(_LATEST_YEAR, 12, 31).toordinal() - _EPOCH_DAY
"""No term ends after this day: one that would is said to end on it, so that every clock has an answer."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a term: the last instant that is in time, its day, the day before it was moved, and what it rests on.

    ``unpublished`` are the years whose notices would say how the days that it rests on are worked, and that are not loaded.
    """

    due_ms: int
    due_day: int
    nominal_day: int
    unpublished: tuple[int, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether every day that it rests on is settled by a notice."""
        return not self.unpublished


@dataclass(frozen=True, slots=True)
class Counting:
    """How a term is counted: its unit, its start, its last day."""

    unit: Unit
    start: Start
    last_day: LastDay


def counting_of(rule: ClockRule) -> Counting:
    """The counting of a rule."""
    return _counting(rule.unit, rule.start, rule.last_day)


@lru_cache(maxsize=64)
def _counting(unit: Unit, start: Start, last_day: LastDay) -> Counting:
    return Counting(unit, start, last_day)


def start_of_day(day: int) -> int:
    """The first millisecond of a day in China."""
    return day * DAY_MS - _CST_MS


def end_of_day(day: int) -> int:
    """The last millisecond of a day in China."""
    return start_of_day(day + 1) - 1


def ending(counting: Counting, from_ms: int, length: int, still: Iterable[Standstill], calendar: Calendar) -> Ending:
    """When a term of some length from an instant ends. Standstills must be apart, and ended: one that lasts is taken as none."""
    match counting.unit:
        case "hour":
            return _in_hours(counting.start, from_ms, length, still)
        case "working_day":
            return _in_working_days(day_of(from_ms), length, still, calendar)
        case "calendar_day":
            first = day_of(from_ms)
            return _on_day(first + length + _days_still(first, still), counting.last_day, calendar)
        case "month":
            first = day_of(from_ms)
            return _on_day(add_months(first, length) + _days_still(first, still), counting.last_day, calendar)
        case "year":
            first = day_of(from_ms)
            return _on_day(add_months(first, length * 12) + _days_still(first, still), counting.last_day, calendar)
        case _:
            assert_never(counting.unit)


def add_months(day: int, months: int) -> int:
    """The day of the same number so many months on, or the last of that month when it has none; none after the year 9998."""
    begin = date.fromordinal(_EPOCH_DAY + day)
    year, month = divmod(begin.year * 12 + begin.month - 1 + months, 12)
    if year > _LATEST_YEAR:
        return _LATEST_DAY
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(begin.day, last)).toordinal() - _EPOCH_DAY


def warned_at(counting: Counting, end: Ending, warn: int, calendar: Calendar) -> int:
    """When to warn of an end: so many units before it; calendar days for months and years."""
    match counting.unit:
        case "hour":
            return end.due_ms - warn * HOUR_MS
        case "working_day":
            return end_of_day(calendar.back_working_days(end.due_day, warn))
        case "calendar_day" | "month" | "year":
            return end.due_ms - warn * DAY_MS
        case _:
            assert_never(counting.unit)


def _in_hours(start: Start, from_ms: int, length: int, still: Iterable[Standstill]) -> Ending:
    begin = from_ms if start == "exact_moment" else (from_ms // HOUR_MS + 1) * HOUR_MS
    stood = sum(max(0, (one.until_ms or 0) - max(one.from_ms, begin)) for one in still)
    due = min(begin + length * HOUR_MS + stood, end_of_day(_LATEST_DAY))
    return Ending(due, day_of(due), day_of(due))


def _in_working_days(first: int, length: int, still: Iterable[Standstill], calendar: Calendar) -> Ending:
    stood = sum(calendar.working_days(begin, until) for begin, until in _day_spans(first, still))
    due = min(calendar.add_working_days(first, length + stood), _LATEST_DAY)
    return Ending(end_of_day(due), due, due, calendar.unpublished(first + 1, due))


def _on_day(counted: int, last_day: LastDay, calendar: Calendar) -> Ending:
    nominal = min(counted, _LATEST_DAY)
    if last_day != "next_working_day":
        return Ending(end_of_day(nominal), nominal, nominal)
    due = min(calendar.on_or_after(nominal), _LATEST_DAY)
    return Ending(end_of_day(due), due, nominal, calendar.unpublished(nominal, due))


def _days_still(first: int, still: Iterable[Standstill]) -> int:
    return sum(until - begin for begin, until in _day_spans(first, still))


def _day_spans(first: int, still: Iterable[Standstill]) -> list[tuple[int, int]]:
    """The days that standstills take from a term: each after its first, up to its last; nothing before the term began."""
    spans = ((max(first, day_of(one.from_ms)), day_of(one.until_ms)) for one in still if one.until_ms is not None)
    return [(begin, until) for begin, until in spans if begin < until]
