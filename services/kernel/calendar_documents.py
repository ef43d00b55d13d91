"""Calendar years as shipped documents (`schemas/codes/calendars/<year>.toml`) -> the calendar of working days.

The form is in schemas/DESIGN.md, "Calendars". A file is named by the year its notice is titled with; a day of the December
before may stand in it (domain 4.2), no other day of another year may.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from services.kernel import document_fields as fields
from services.kernel.calendar import Calendar, CalendarYear, Holiday, Notice
from services.kernel.calendar_faults import notice_fault
from services.kernel.errors import BadSettings

_YEAR_KEYS: Final = frozenset({"year", "notice"})
_NOTICE_KEYS: Final = frozenset({"title", "number", "issued", "confidence", "source", "holiday"})
_HOLIDAY_KEYS: Final = frozenset({"zh", "en", "first", "last", "working"})
CONFIDENCES: Final = ("certain", "advisory")


def parse_calendar_year(document: Mapping[str, Any], where: str) -> CalendarYear:
    """The year that a document states. BadSettings, naming the place, on one that is not of the form.

    Refused: an unknown key, no notice, a day outside the year and the December before it, a day that one notice names
    twice, a worked day that is no weekend, holidays that end before they begin.
    """
    fields.only(document, _YEAR_KEYS, where)
    year = fields.number(document, "year", where)
    stated = fields.tables(document, "notice", where)
    if not stated:
        raise BadSettings(f"{where}: a year without a notice is not published, and has no file")
    notices = tuple(_notice(entry, year, where) for entry in stated)
    if list(notices) != sorted(notices, key=lambda notice: notice.issued):
        raise BadSettings(f"{where}: the notices must stand in the order of their days")
    return CalendarYear(year, notices)


def calendar_of(years: Iterable[CalendarYear]) -> Calendar:
    """The calendar of some years, in their order. BadSettings when a year occurs twice."""
    ordered = tuple(sorted(years, key=lambda held: held.year))
    for earlier, later in pairwise(ordered):
        if earlier.year == later.year:
            raise BadSettings(f"calendar: the year {later.year} is there twice")
    return Calendar(ordered)


def load_calendar(directory: Path) -> Calendar:
    """The calendar of every ``<year>.toml`` of a directory; BadSettings when one is not of the form, or there is none.

    Blocks on the disk.
    """
    years = [load_calendar_year(path) for path in sorted(directory.glob("*.toml"))]
    if not years:
        raise BadSettings("calendar: there is no <year>.toml in the directory of calendars")
    return calendar_of(years)


def load_calendar_year(path: Path) -> CalendarYear:
    """The year of one file, which must be named by it. BadSettings otherwise; blocks on the disk."""
    year = parse_calendar_year(fields.read_document(path), f"calendar {path.name}")
    if path.stem != str(year.year):
        raise BadSettings(f"calendar {path.name}: says the year {year.year}")
    return year


def _notice(stated: Mapping[str, Any], year: int, where: str) -> Notice:
    fields.only(stated, _NOTICE_KEYS, f"{where}, a notice")
    notice = Notice(
        title=fields.text(stated, "title", where),
        number=fields.text(stated, "number", where),
        issued=fields.day(stated, "issued", where),
        confidence=fields.one_of(stated, "confidence", CONFIDENCES, where),
        source=fields.text(stated, "source", where),
        holidays=tuple(_holiday(entry, where) for entry in fields.tables(stated, "holiday", where)),
    )
    fault = notice_fault(year, notice)
    if fault is not None:
        raise BadSettings(f"{where}: {fault}")
    return notice


def _holiday(stated: Mapping[str, Any], where: str) -> Holiday:
    place = f"{where}, holiday {stated.get('zh')}"
    fields.only(stated, _HOLIDAY_KEYS, place)
    return Holiday(
        zh=fields.text(stated, "zh", place),
        en=fields.text(stated, "en", place),
        first=fields.day(stated, "first", place),
        last=fields.day(stated, "last", place),
        working=fields.days(stated, "working", place),
    )
