"""The calendar of the members log: every notice once, the later of a year prevails, whatever the order in which they came."""

from __future__ import annotations

from services.events import from_value, to_value
from services.events.member import CalendarHoliday, CalendarPublished
from services.kernel.calendar_documents import load_calendar
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_day
from services.members.calendars import NO_CALENDAR, notice_of, notice_of_value, notices_of, published, with_notice
from services.members.registry import EMPTY
from tests.unit.services.members.town import Said, notice, told

NEW_YEAR = parse_day("2027-01-01")
SUNDAY = parse_day("2027-01-03")
LATER = notice(
    "试2号",
    issued_on=parse_day("2026-12-20"),
    holidays=(CalendarHoliday(name_zh="元旦", name_en="x", first_on=NEW_YEAR, last_on=SUNDAY),),
)


def test_without_a_notice_the_registry_has_a_calendar_that_settles_nothing() -> None:
    assert EMPTY.calendar == NO_CALENDAR
    assert EMPTY.calendar.last_year is None


def test_a_published_year_is_in_the_calendar_of_the_registry_from_then_on() -> None:
    registry = told(EMPTY, Said(notice()))
    assert registry.calendar.last_year == 2027
    assert not registry.calendar.is_working_day(NEW_YEAR)
    assert registry.calendar.is_working_day(SUNDAY)
    assert EMPTY.calendar.last_year is None


def test_the_later_notice_of_a_year_prevails_in_whatever_order_they_came() -> None:
    one, other = told(EMPTY, Said(notice()), Said(LATER)), told(EMPTY, Said(LATER), Said(notice()))
    assert one.calendar == other.calendar
    assert not one.calendar.is_working_day(SUNDAY)
    assert [held.number for held in notices_of(one.calendar, 2027)] == ["试1号", "试2号"]
    assert notices_of(one.calendar, 2028) == ()


def test_a_number_that_is_there_and_a_faulty_notice_change_nothing_but_the_size() -> None:
    registry = told(EMPTY, Said(notice()))
    for event in (notice(issued_on=1), notice("试2号", year=2030), notice("试2号", holidays=())):
        grown = told(registry, Said(event))
        assert (grown.size, grown.calendar) == (2, registry.calendar)


def test_equal_calendars_of_two_registries_are_one_object() -> None:
    assert told(EMPTY, Said(notice())).calendar is told(EMPTY, Said(notice())).calendar


def test_the_shipped_years_go_through_the_log_and_are_what_the_files_say() -> None:
    shipped = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
    events = [published(year.year, held) for year in shipped.years for held in year.notices]
    assert told(EMPTY, *(Said(event) for event in events)).calendar == shipped


def test_a_notice_is_the_same_as_event_as_value_and_in_the_words_of_the_kernel() -> None:
    event = notice()
    assert published(2027, notice_of(event)) == event
    assert notice_of_value(to_value(event)) == notice_of(event)
    assert from_value(CalendarPublished.TYPE, to_value(event)) == event
    assert with_notice(NO_CALENDAR, event).years[0].notices == (notice_of(event),)
