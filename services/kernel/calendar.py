"""The calendar of working days: which days the organs of the country work on, and how far that is settled.

The State Council says each year, in a notice of the November before or so, which days are off and which weekends are
worked (全国年节及纪念日放假办法 2024; domain 4.2). A day that no notice names is as the week has it. Days are days since
1970-01-01 in China Standard Time, as everywhere in the kernel. Pure; the documents are read in `calendar_documents.py`.

What lies past the last notice is counted as the week has it and is *not settled*: whoever rests a term on it says so.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_WEEKDAY_OF_DAY_0: Final = 3  # 1970-01-01 was a Thursday
_SATURDAY: Final = 5
_TURN_OF_THE_YEAR: Final = (12, 25)
"""From this day on a year's days may still be moved by the notice of the next (2018-12-29 and 2011-12-31 were)."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """One holiday of a notice: the days off, both included, and the weekend days worked for it (调休)."""

    zh: str
    en: str
    first: int
    last: int
    working: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice of the State Council: its title, number and day, and what it arranges."""

    title: str
    number: str
    issued: int
    confidence: str
    source: str
    holidays: tuple[Holiday, ...]


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """The notices that arrange one year, oldest first; a later one prevails where they differ (as in 2020)."""

    year: int
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Calendar:
    """All loaded years. Equal by them; the tables that answer are made once.

    With no year at all it still answers, by the week alone, and settles nothing.
    """

    years: tuple[CalendarYear, ...]
    _first: int = field(init=False, repr=False, compare=False)
    _working: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _ranks: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _off: dict[int, Holiday] = field(init=False, repr=False, compare=False)
    _off_days: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _worked: frozenset[int] = field(init=False, repr=False, compare=False)
    _worked_days: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _published: frozenset[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        off, worked = _special_days(self.years)
        special = sorted((*off, *worked))
        first, end = (special[0], special[-1] + 1) if special else (0, 0)
        working, ranks = [], []
        for day in range(first, end):
            if day in worked or (day not in off and not is_weekend(day)):
                working.append(day)
            ranks.append(len(working))
        for name, value in (
            ("_first", first),
            ("_working", tuple(working)),
            ("_ranks", tuple(ranks)),
            ("_off", off),
            ("_off_days", tuple(sorted(off))),
            ("_worked", frozenset(worked)),
            ("_worked_days", tuple(sorted(worked))),
            ("_published", frozenset(held.year for held in self.years)),
        ):
            object.__setattr__(self, name, value)

    @property
    def last_year(self) -> int | None:
        """The last year whose notice is loaded; None when there is none."""
        return max(self._published, default=None)

    def is_working_day(self, day: int) -> bool:
        """Whether organs work on a day, by the notices, else by the week."""
        return day in self._worked or (day not in self._off and not is_weekend(day))

    def holiday(self, day: int) -> Holiday | None:
        """The holiday that a day is off for; None on every other day, plain weekends too."""
        return self._off.get(day)

    def working_days(self, after: int, until: int) -> int:
        """How many working days lie after a day up to and including another; never negative."""
        return max(0, self._rank(until) - self._rank(after))

    def add_working_days(self, start: int, count: int) -> int:
        """The day on which the ``count``-th working day after ``start`` falls; ``start`` itself is not counted.

        A count of nothing or less is ``start``.
        """
        if count <= 0:
            return start
        return self._nth(self._rank(start) + count)

    def back_working_days(self, start: int, count: int) -> int:
        """The day from which ``count`` working days are left to ``start``, which is counted: the inverse of adding them."""
        if count <= 0:
            return start
        return self._nth(self._rank(start) - count)

    def on_or_after(self, day: int) -> int:
        """The first working day that is not before a day."""
        return day if self.is_working_day(day) else self.add_working_days(day, 1)

    def unpublished(self, first: int, last: int) -> tuple[int, ...]:
        """The years whose notices say how the days from ``first`` to ``last`` are worked and are not loaded; none: all settled."""
        begin, end = date.fromordinal(_EPOCH_DAY + first), date.fromordinal(_EPOCH_DAY + last)
        until = end.year + ((end.month, end.day) >= _TURN_OF_THE_YEAR)
        return tuple(year for year in range(begin.year, until + 1) if year not in self._published)

    def holidays(self, after: int, until: int) -> tuple[Holiday, ...]:
        """The holidays with a day off after a day up to another, in order, each once."""
        found: list[Holiday] = []
        for day in _between(self._off_days, after, until):
            holiday = self._off[day]
            if not found or found[-1] is not holiday:
                found.append(holiday)
        return tuple(found)

    def worked_weekends(self, after: int, until: int) -> tuple[int, ...]:
        """The weekend days after a day up to another that are working days by notice (调休), in order."""
        return _between(self._worked_days, after, until)

    def _rank(self, day: int) -> int:
        """Working days from the first special day to this one, counted on by the week on either side; grows with the day."""
        index = day - self._first
        if 0 <= index < len(self._ranks):
            return self._ranks[index]
        if index < 0:
            return -_weekdays(day, self._first - 1)
        return len(self._working) + _weekdays(self._first + len(self._ranks) - 1, day)

    def _nth(self, rank: int) -> int:
        """The working day whose rank this is."""
        if 1 <= rank <= len(self._working):
            return self._working[rank - 1]
        if rank < 1:
            return _nth_weekday_back(self._first - 1, 1 - rank)
        return _nth_weekday(self._first + len(self._ranks) - 1, rank - len(self._working))


def is_weekend(day: int) -> bool:
    """Whether a day is a Saturday or a Sunday."""
    return (day + _WEEKDAY_OF_DAY_0) % 7 >= _SATURDAY


def _between(days: tuple[int, ...], after: int, until: int) -> tuple[int, ...]:
    return days[bisect_right(days, after) : bisect_right(days, until)]


def _special_days(years: Iterable[CalendarYear]) -> tuple[dict[int, Holiday], set[int]]:
    off: dict[int, Holiday] = {}
    worked: set[int] = set()
    for year in sorted(years, key=lambda held: held.year):
        for notice in year.notices:
            for holiday in notice.holidays:
                for day in range(holiday.first, holiday.last + 1):
                    off[day] = holiday
                    worked.discard(day)
                for day in holiday.working:
                    off.pop(day, None)
                    worked.add(day)
    return off, worked


def _weekdays_to(day: int) -> int:
    """Mondays to Fridays from 1970-01-05 (a Monday) to a day, both included; falls below nothing before."""
    weeks, rest = divmod(day - 3, 7)
    return weeks * 5 + min(rest, 5)


def _weekdays(after: int, until: int) -> int:
    return _weekdays_to(until) - _weekdays_to(after)


def _nth_weekday(after: int, count: int) -> int:
    """The ``count``-th Monday to Friday after a day; ``count`` is at least 1."""
    low, high = after + count, after + count * 2 + 3
    return bisect_left(range(high), count, lo=low, hi=high, key=lambda day: _weekdays(after, day))


def _nth_weekday_back(until: int, count: int) -> int:
    """The ``count``-th Monday to Friday counted back from a day, which is counted; ``count`` is at least 1."""
    day = until
    while count > 1 or is_weekend(day):
        count -= not is_weekend(day)
        day -= 1
    return day
