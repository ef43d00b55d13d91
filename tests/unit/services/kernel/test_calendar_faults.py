"""What is wrong with a notice is said in a sentence; a good one has no fault."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.calendar import Holiday, Notice
from services.kernel.calendar_documents import load_calendar
from services.kernel.calendar_faults import notice_fault
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_day

DAY = parse_day
HOLIDAY = Holiday("元旦", "New Year's Day", DAY("2026-12-31"), DAY("2027-01-02"), (DAY("2027-01-03"),))
NOTICE = Notice("made up", "made up 1", DAY("2026-11-20"), "certain", "made up", (HOLIDAY,))


def fault(year: int = 2027, **changes: object) -> str:
    notice = replace(NOTICE, holidays=(replace(HOLIDAY, **changes),))  # type: ignore[arg-type]
    return notice_fault(year, notice) or ""


def test_every_shipped_notice_is_without_fault() -> None:
    calendar = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
    assert [notice_fault(year.year, notice) for year in calendar.years for notice in year.notices] == [None] * 4


@pytest.mark.parametrize(
    ("year", "changes", "expected"),
    [
        (2027, {}, ""),
        (1999, {}, "outside the years"),
        (2200, {}, "outside the years"),
        (2026, {}, "within the year 2026"),
        (2029, {}, "within the year 2029"),
        (2027, {"first": DAY("2027-01-03")}, "ends before it begins"),
        (2027, {"first": DAY("2026-11-30")}, "within the year 2027"),
        (2027, {"last": DAY("2028-01-01")}, "within the year 2027"),
        (2027, {"first": -(10**12), "last": 10**12}, "within the year 2027"),
        (2027, {"working": (DAY("2027-01-04"),)}, "no weekend day"),
        (2027, {"working": (DAY("2028-01-01"),)}, "worked day"),
        (2027, {"working": (DAY("2027-01-02"),)}, "named twice"),
        (2027, {"working": (DAY("2027-01-03"), DAY("2027-01-03"))}, "named twice"),
    ],
)
def test_the_fault_is_named(year: int, changes: dict[str, object], expected: str) -> None:
    found = fault(year, **changes)
    assert expected in found
    assert bool(found) == bool(expected)


def test_a_notice_that_names_no_day_arranges_nothing() -> None:
    assert "names no day" in (notice_fault(2027, replace(NOTICE, holidays=())) or "")


def test_a_day_of_two_holidays_of_one_notice_is_named_twice() -> None:
    assert "named twice" in (notice_fault(2027, replace(NOTICE, holidays=(HOLIDAY, HOLIDAY))) or "")


@given(st.integers(), st.integers(), st.integers(), st.lists(st.integers(), max_size=3))
def test_whatever_is_stated_there_is_an_answer(year: int, first: int, last: int, working: list[int]) -> None:
    found = fault(year, first=first, last=last, working=tuple(working))
    assert found == "" or len(found) > 5
