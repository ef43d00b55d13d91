"""The published years as ``ipx calendar show`` tells them."""

from __future__ import annotations

import pytest

from services.commands.calendar_show import document
from services.kernel.calendar import Calendar
from services.kernel.calendar_documents import load_calendar
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import Refused

CALENDAR = load_calendar(SCHEMAS_DIR / "codes" / "calendars")


def test_every_year_is_listed_with_its_notice_and_working_days() -> None:
    shown = document(CALENDAR, None)
    assert shown["last_year"] == CALENDAR.last_year
    assert {year["year"]: year["working_days"] for year in shown["years"]}.items() >= {2025: 248, 2026: 248}.items()
    assert all("holidays" not in notice for year in shown["years"] for notice in year["notices"])


def test_one_year_is_shown_with_its_days() -> None:
    (year,) = document(CALENDAR, 2026)["years"]
    (notice,) = year["notices"]
    spring = next(one for one in notice["holidays"] if one["zh"] == "春节")
    assert spring == {
        "zh": "春节",
        "en": "Spring Festival",
        "first_on": "2026-02-15",
        "last_on": "2026-02-23",
        "working_on": ["2026-02-14", "2026-02-28"],
    }


def test_a_year_that_is_not_published_is_refused_by_name() -> None:
    with pytest.raises(Refused) as refused:
        document(CALENDAR, 2027)
    assert refused.value.code == "not-found"
    assert "2026" in refused.value.message


def test_without_a_calendar_there_is_nothing_to_show() -> None:
    assert document(Calendar(()), None) == {"last_year": None, "years": []}
