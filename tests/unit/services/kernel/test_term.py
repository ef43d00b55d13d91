"""When a term ends, with the test vectors of the collected facts (domain 4.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.calendar import Calendar
from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_moments import Standstill
from services.kernel.clock_rules import LastDay, Start, Unit
from services.kernel.codes import day_of
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_day, format_instant, parse_day, parse_instant
from services.kernel.term import Counting, add_months, end_of_day, ending, start_of_day, warned_at

CALENDAR = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
WORKING = Counting("working_day", "next_day", "by_nature")
CALENDAR_DAYS = Counting("calendar_day", "next_day", "next_working_day")
HOURS = Counting("hour", "next_hour", "as_is")


def at(text: str) -> int:
    """An instant by the clock on the wall in China."""
    return parse_instant(f"{text}:00.000Z") - 8 * 3_600_000


def due(counting: Counting, start: str, length: int, *still: Standstill) -> str:
    return format_day(ending(counting, at(start), length, still, CALENDAR).due_day)


@pytest.mark.parametrize(
    ("counting", "start", "length", "end"),
    [
        (WORKING, "2026-02-09", 15, "2026-03-06"),
        (WORKING, "2026-02-09", 30, "2026-03-27"),
        (WORKING, "2026-09-21", 15, "2026-10-19"),
        (WORKING, "2026-09-18", 7, "2026-09-29"),
        (CALENDAR_DAYS, "2026-09-03", 30, "2026-10-08"),
    ],
)
@pytest.mark.parametrize("hour", ["00:00", "09:30", "23:59"])
def test_the_vectors_of_the_collected_facts(counting: Counting, start: str, length: int, end: str, hour: str) -> None:
    assert due(counting, f"{start}T{hour}", length) == end


def test_a_last_day_that_is_off_is_kept_where_the_rule_does_not_move_it() -> None:
    end = ending(Counting("calendar_day", "next_day", "as_is"), at("2026-09-03T10:00"), 30, (), CALENDAR)
    assert format_day(end.due_day) == "2026-10-03"
    moved = ending(CALENDAR_DAYS, at("2026-09-03T10:00"), 30, (), CALENDAR)
    assert (format_day(moved.nominal_day), format_day(moved.due_day)) == ("2026-10-03", "2026-10-08")


def test_a_day_ends_at_its_last_millisecond_in_china() -> None:
    assert format_instant(end_of_day(parse_day("2026-03-06"))) == "2026-03-06T15:59:59.999Z"
    assert day_of(end_of_day(parse_day("2026-03-06")) + 1) == parse_day("2026-03-07")
    assert format_instant(start_of_day(parse_day("2026-03-06"))) == "2026-03-05T16:00:00.000Z"


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2025-12-31", 6, "2026-06-30"),
        ("2026-08-15", 4, "2026-12-15"),
    ],
)
def test_months_end_on_the_same_number_or_the_month_end(start: str, months: int, end: str) -> None:
    assert format_day(add_months(parse_day(start), months)) == end


def test_years_are_twelve_months_and_roll_like_days() -> None:
    years = Counting("year", "next_day", "next_working_day")
    assert due(years, "2024-02-29T10:00", 1) == "2025-02-28"
    assert due(years, "2024-10-03T10:00", 2) == "2026-10-08"  # 2026-10-03 is off
    assert due(Counting("month", "next_day", "next_working_day"), "2026-01-15T10:00", 1) == "2026-02-24"


@pytest.mark.parametrize(
    ("start", "from_time", "end"),
    [
        ("next_hour", "2026-03-02T10:20", "2026-03-03T11:00"),
        ("next_hour", "2026-03-02T10:00", "2026-03-03T11:00"),
        ("next_hour", "2026-12-31T23:59", "2027-01-02T00:00"),
        ("exact_moment", "2026-03-02T10:20", "2026-03-03T10:20"),
    ],
)
def test_hours_run_from_the_next_hour_or_the_moment(start: Start, from_time: str, end: str) -> None:
    assert ending(Counting("hour", start, "as_is"), at(from_time), 24, (), CALENDAR).due_ms == at(end)


def test_a_standstill_shifts_the_end_by_its_days_the_first_not_counted() -> None:
    still = Standstill(at("2026-03-03T23:00"), at("2026-03-05T01:00"), ("testing",))
    assert due(WORKING, "2026-03-02T10:00", 5) == "2026-03-09"
    assert due(WORKING, "2026-03-02T10:00", 5, still) == "2026-03-11"
    assert due(CALENDAR_DAYS, "2026-03-02T10:00", 14) == "2026-03-16"
    assert due(CALENDAR_DAYS, "2026-03-02T10:00", 14, still) == "2026-03-18"
    assert due(Counting("month", "next_day", "as_is"), "2026-03-02T10:00", 1, still) == "2026-04-04"


def test_a_standstill_of_one_day_or_over_days_off_takes_no_working_day() -> None:
    one_day = Standstill(at("2026-03-03T08:00"), at("2026-03-03T18:00"), ("testing",))
    weekend = Standstill(at("2026-03-06T08:00"), at("2026-03-08T18:00"), ("testing",))
    assert due(WORKING, "2026-03-02T10:00", 5, one_day, weekend) == "2026-03-09"


def test_what_stood_still_before_the_term_began_does_not_lengthen_it() -> None:
    before = Standstill(at("2026-02-01T08:00"), at("2026-03-03T18:00"), ("testing",))
    assert due(WORKING, "2026-03-02T10:00", 5, before) == "2026-03-10"
    assert due(WORKING, "2026-03-04T10:00", 5, before) == due(WORKING, "2026-03-04T10:00", 5)


def test_hours_stand_still_by_the_millisecond() -> None:
    still = Standstill(at("2026-03-02T10:30"), at("2026-03-02T12:30"), ("testing",))  # half an hour of it before 11:00
    assert ending(HOURS, at("2026-03-02T10:20"), 24, (still,), CALENDAR).due_ms == at("2026-03-03T12:30")


def test_an_end_names_the_years_it_rests_on_and_that_are_not_published() -> None:
    assert ending(WORKING, at("2026-12-01T10:00"), 5, (), CALENDAR).settled
    assert ending(WORKING, at("2026-12-25T10:00"), 10, (), CALENDAR).unpublished == (2027,)
    assert ending(CALENDAR_DAYS, at("2026-12-20T10:00"), 15, (), CALENDAR).unpublished == (2027,)
    assert ending(HOURS, at("2026-12-31T10:00"), 24, (), CALENDAR).settled
    assert ending(Counting("calendar_day", "next_day", "as_is"), at("2026-12-20T10:00"), 15, (), CALENDAR).settled
    assert not ending(WORKING, at("2026-12-01T10:00"), 5, (), Calendar(())).settled


@pytest.mark.parametrize(
    ("counting", "length", "warn", "warned"),
    [
        (WORKING, 15, 3, end_of_day(parse_day("2026-03-03"))),
        (CALENDAR_DAYS, 30, 5, end_of_day(parse_day("2026-03-06"))),
        (Counting("month", "next_day", "next_working_day"), 1, 10, end_of_day(parse_day("2026-02-27"))),
        (HOURS, 24, 6, at("2026-02-10T05:00")),
    ],
)
def test_a_warning_comes_so_many_units_before_the_end(counting: Counting, length: int, warn: int, warned: int) -> None:
    end = ending(counting, at("2026-02-09T10:00"), length, (), CALENDAR)
    assert warned_at(counting, end, warn, CALENDAR) == warned


COUNTINGS: list[tuple[Unit, Start, LastDay]] = [
    ("working_day", "next_day", "by_nature"),
    ("calendar_day", "next_day", "next_working_day"),
    ("calendar_day", "next_day", "as_is"),
    ("month", "next_day", "next_working_day"),
    ("year", "next_day", "as_is"),
    ("hour", "next_hour", "as_is"),
    ("hour", "exact_moment", "as_is"),
]


@given(st.sampled_from(COUNTINGS), st.integers(at("2022-06-01T00:00"), at("2028-01-01T00:00")), st.integers(1, 90))
def test_a_longer_term_never_ends_earlier_and_none_before_it_began(
    counting: tuple[Unit, Start, LastDay], start: int, length: int
) -> None:
    shorter, longer = (ending(Counting(*counting), start, more, (), CALENDAR).due_ms for more in (length, length + 1))
    assert start < shorter <= longer


@pytest.mark.parametrize("counting", [WORKING, CALENDAR_DAYS, Counting("month", "next_day", "as_is"), HOURS])
def test_a_term_that_would_end_after_the_year_9998_ends_with_it(counting: Counting) -> None:
    found = ending(counting, at("2026-02-09T10:00"), 400_000_000, (), CALENDAR)
    assert format_day(found.due_day) == "9998-12-31"
    assert found.due_ms <= end_of_day(found.due_day)
    assert warned_at(counting, found, 1, CALENDAR) < found.due_ms
