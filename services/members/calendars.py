"""The calendar of working days as the members log holds it: one event for each notice of the State Council.

A notice is what ``ipx calendar load`` publishes and ``ipx members init`` finds in the shipped years. The notices of a year stand in the
order of their days, so that the later one prevails whatever the order in which they came. Pure.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal, cast

from services.events.member import CalendarHoliday, CalendarPublished
from services.kernel.calendar import Calendar, CalendarYear, Holiday, Notice
from services.kernel.calendar_faults import notice_fault

NO_CALENDAR: Final = Calendar(())


def with_notice(calendar: Calendar, event: CalendarPublished) -> Calendar:
    """The calendar with one notice more. What admission refuses (a faulty one, a number that the year has) changes nothing."""
    notice = notice_of(event)
    known = notices_of(calendar, event.year)
    if notice_fault(event.year, notice) is not None or any(one.number == notice.number for one in known):
        return calendar
    year = CalendarYear(event.year, tuple(sorted((*known, notice), key=lambda one: one.issued)))
    others = (one for one in calendar.years if one.year != event.year)
    return _calendar(tuple(sorted((*others, year), key=lambda one: one.year)))


def notices_of(calendar: Calendar, year: int) -> tuple[Notice, ...]:
    """The notices of a year, oldest first; none for one that is not published."""
    return next((held.notices for held in calendar.years if held.year == year), ())


def notice_of(event: CalendarPublished) -> Notice:
    """The notice that an event states, in the words of the kernel."""
    return Notice(
        title=event.title,
        number=event.number,
        issued=event.issued_on,
        confidence=event.confidence,
        source=event.source,
        holidays=tuple(
            Holiday(one.name_zh, one.name_en, one.first_on, one.last_on, one.working_on) for one in event.holidays
        ),
    )


def notice_of_value(value: dict[str, Any]) -> Notice:
    """The same of a decoded value that is not typed yet, as admission has it."""
    return Notice(
        title=value["title"],
        number=value["number"],
        issued=value["issued_on"],
        confidence=value["confidence"],
        source=value["source"],
        holidays=tuple(
            Holiday(one["name_zh"], one["name_en"], one["first_on"], one["last_on"], tuple(one["working_on"]))
            for one in value["holidays"]
        ),
    )


def published(year: int, notice: Notice) -> CalendarPublished:
    """The event that states a notice of a year: the inverse of :func:`notice_of`."""
    return CalendarPublished(
        year=year,
        title=notice.title,
        number=notice.number,
        issued_on=notice.issued,
        confidence=cast("Literal['certain', 'advisory']", notice.confidence),
        source=notice.source,
        holidays=tuple(
            CalendarHoliday(
                name_zh=one.zh, name_en=one.en, first_on=one.first, last_on=one.last, working_on=one.working
            )
            for one in notice.holidays
        ),
    )


@lru_cache(maxsize=64)
def _calendar(years: tuple[CalendarYear, ...]) -> Calendar:
    """One object for equal years: a registry of an older size is folded anew, and its calendar is then compared by identity."""
    return Calendar(years)
