"""What is wrong with one notice of a calendar year: the same answer for a file, for admission and for every reader of the log.

The form is in schemas/DESIGN.md, "Calendars": days lie in the year or the December before it (domain 4.2: yearly notices are named
by their title, and one may move days of the December before), a day is named once, and only a weekend is worked by notice. Pure.
"""

from datetime import date
from typing import Final

from services.kernel.calendar import Holiday, Notice, is_weekend
from services.kernel.instants import format_day

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2199
"""Years outside these are no calendar that this exchange counts by; the bound also keeps the tables of days small."""


def notice_fault(year: int, notice: Notice) -> str | None:
    """Why a notice does not arrange that year, in a sentence; None when it does. Total, and quick on whatever is stated."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return f"the year {year} is outside the years {FIRST_YEAR} to {LAST_YEAR}"
    named: set[int] = set()
    for holiday in notice.holidays:
        fault = _holiday_fault(year, holiday)
        if fault is not None:
            return f"holiday {holiday.zh}: {fault}"
        for day in (*range(holiday.first, holiday.last + 1), *holiday.working):
            if day in named:
                return f"{format_day(day)} is named twice by {notice.number}"
            named.add(day)
    return None if named else f"{notice.number} names no day"


def _holiday_fault(year: int, holiday: Holiday) -> str | None:
    begin, end = date(year - 1, 12, 1).toordinal() - _EPOCH_DAY, date(year + 1, 1, 1).toordinal() - _EPOCH_DAY
    if holiday.last < holiday.first:
        return "ends before it begins"
    if not (begin <= holiday.first and holiday.last < end):
        return f"must lie within the year {year} or the December before"
    for day in holiday.working:
        if not begin <= day < end:
            return f"a worked day must lie within the year {year} or the December before"
        if not is_weekend(day):
            return f"{format_day(day)} is no weekend day, so nobody works it by notice"
    return None
