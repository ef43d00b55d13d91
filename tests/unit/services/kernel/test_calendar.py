"""The calendar of working days: the notices, the week, and where nothing is settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.calendar import Calendar, CalendarYear, Holiday, Notice, is_weekend
from services.kernel.calendar_documents import load_calendar
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_day, parse_day

CALENDAR = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
EMPTY = Calendar(())
DAYS = st.integers(parse_day("2015-01-01"), parse_day("2035-12-31"))


def day(text: str) -> int:
    return parse_day(text)


def year_of(number: int, *holidays: Holiday, issued: str = "2019-11-21") -> CalendarYear:
    return CalendarYear(number, (Notice("made up", f"no. {number}", day(issued), "certain", "made up", holidays),))


def test_a_holiday_is_off_a_worked_weekend_is_not_and_the_rest_is_as_the_week() -> None:
    assert not CALENDAR.is_working_day(day("2026-02-16"))
    assert CALENDAR.is_working_day(day("2026-02-14"))  # a Saturday
    assert CALENDAR.is_working_day(day("2026-11-24"))
    assert not CALENDAR.is_working_day(day("2026-11-21"))


def test_a_december_day_of_the_next_years_notice_is_off() -> None:
    assert not CALENDAR.is_working_day(day("2022-12-31"))
    assert CALENDAR.holiday(day("2022-12-31")) is not None


def test_the_years_2025_and_2026_have_248_working_days_each() -> None:
    assert CALENDAR.working_days(day("2024-12-31"), day("2025-12-31")) == 248
    assert CALENDAR.working_days(day("2025-12-31"), day("2026-12-31")) == 248


def test_terms_in_working_days_end_as_in_the_collected_facts() -> None:
    ends = [
        format_day(CALENDAR.add_working_days(day(start), count))
        for start, count in [("2026-02-09", 15), ("2026-02-09", 30), ("2026-09-21", 15), ("2026-09-18", 7)]
    ]
    assert ends == ["2026-03-06", "2026-03-27", "2026-10-19", "2026-09-29"]
    assert format_day(EMPTY.add_working_days(day("2026-02-09"), 15)) == "2026-03-02"  # by the week alone


def test_a_day_off_moves_to_the_first_working_day_after_it() -> None:
    assert format_day(CALENDAR.on_or_after(day("2026-10-03"))) == "2026-10-08"
    assert format_day(CALENDAR.on_or_after(day("2026-10-08"))) == "2026-10-08"


def test_no_working_day_is_added_for_nothing() -> None:
    assert CALENDAR.add_working_days(day("2026-10-03"), 0) == day("2026-10-03")
    assert CALENDAR.back_working_days(day("2026-10-08"), 0) == day("2026-10-08")


def test_a_year_without_its_notice_is_named() -> None:
    assert CALENDAR.unpublished(day("2026-01-01"), day("2026-12-24")) == ()
    assert CALENDAR.unpublished(day("2026-12-01"), day("2027-01-04")) == (2027,)
    assert CALENDAR.unpublished(day("2022-12-01"), day("2023-01-04")) == (2022,)
    assert EMPTY.unpublished(day("2026-01-01"), day("2026-01-02")) == (2026,)
    assert (CALENDAR.last_year, EMPTY.last_year) == (2026, None)


def test_the_turn_of_a_year_waits_for_the_notice_of_the_next() -> None:
    assert CALENDAR.unpublished(day("2026-12-25"), day("2026-12-25")) == (2027,)
    assert CALENDAR.unpublished(day("2025-12-25"), day("2025-12-31")) == ()


def test_the_holidays_and_worked_weekends_of_a_stretch_are_in_order_and_once() -> None:
    names = [holiday.zh for holiday in CALENDAR.holidays(day("2026-09-20"), day("2026-10-10"))]
    assert names == ["中秋节", "国庆节"]
    assert CALENDAR.worked_weekends(day("2026-09-20"), day("2026-10-10")) == (day("2026-10-10"),)
    assert CALENDAR.holidays(day("2026-10-07"), day("2026-12-01")) == ()


def test_a_later_notice_of_a_year_prevails() -> None:
    first = Holiday("春节", "Spring Festival", day("2020-01-24"), day("2020-01-30"), (day("2020-02-01"),))
    second = Holiday("春节", "Spring Festival", day("2020-01-24"), day("2020-02-02"), ())
    notices = (*year_of(2020, first).notices, *year_of(2020, second, issued="2020-01-26").notices)
    calendar = Calendar((CalendarYear(2020, notices),))
    assert not calendar.is_working_day(day("2020-02-01"))
    assert not calendar.is_working_day(day("2020-01-31"))
    assert Calendar((year_of(2020, first),)).is_working_day(day("2020-02-01"))


def test_a_weekend_that_a_later_notice_lets_work_is_no_holiday_any_more() -> None:
    first = Holiday("春节", "Spring Festival", day("2020-01-24"), day("2020-02-02"), ())
    second = Holiday("春节", "Spring Festival", day("2020-01-24"), day("2020-01-31"), (day("2020-02-01"),))
    notices = (*year_of(2020, first).notices, *year_of(2020, second, issued="2020-01-26").notices)
    calendar = Calendar((CalendarYear(2020, notices),))
    assert calendar.is_working_day(day("2020-02-01"))
    assert calendar.holiday(day("2020-02-01")) is None
    assert calendar.worked_weekends(day("2020-01-20"), day("2020-02-05")) == (day("2020-02-01"),)


# Its only special day is a Thursday: what lies before and after is counted on from a weekday.
MIDWEEK = Calendar((year_of(2026, Holiday("元旦", "New Year's Day", day("2026-01-01"), day("2026-01-01"), ())),))


@given(DAYS, st.integers(1, 400))
def test_the_working_days_of_a_term_are_as_many_as_it_has(start: int, count: int) -> None:
    for calendar in (CALENDAR, EMPTY, MIDWEEK):
        end = calendar.add_working_days(start, count)
        walked = sum(calendar.is_working_day(one) for one in range(start + 1, end + 1))
        assert walked == count
        assert calendar.is_working_day(end)
        assert calendar.working_days(start, end) == count


@given(DAYS, st.integers(1, 60))
def test_counting_back_undoes_counting_on(start: int, count: int) -> None:
    for calendar in (CALENDAR, EMPTY, MIDWEEK):
        end = calendar.add_working_days(start, count)
        back = calendar.back_working_days(end, count)
        assert back <= start or calendar.working_days(start, back) == 0
        assert calendar.working_days(back, end) == count
        assert calendar.is_working_day(back)


@given(DAYS)
def test_weekends_are_those_of_the_week(start: int) -> None:
    assert is_weekend(start) == (EMPTY.is_working_day(start) is False)
    assert sum(is_weekend(start + shift) for shift in range(7)) == 2
    assert is_weekend(day("2026-11-22"))
