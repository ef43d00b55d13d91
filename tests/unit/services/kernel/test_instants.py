"""Instants and days: one text each, and no other text is one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel import instants
from services.kernel.errors import Refused
from services.kernel.instants import format_day, format_instant, format_minute, parse_day, parse_instant

LAST_MS = 253_402_300_799_999


@given(st.integers(0, LAST_MS))
@settings(deadline=None)
def test_parsing_what_was_formatted_gives_the_instant_back(instant_ms: int) -> None:
    text = format_instant(instant_ms)
    assert parse_instant(text) == instant_ms
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant_ms)
    assert text == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "instant_ms"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("2000-02-29T23:59:59.999Z", 951_868_799_999),
        ("2026-11-24T06:11:37.123Z", 1_795_500_697_123),
        ("9999-12-31T23:59:59.999Z", LAST_MS),
    ],
)
def test_known_instants(text: str, instant_ms: int) -> None:
    assert parse_instant(text) == instant_ms
    assert format_instant(instant_ms) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-24",
        "2026-11-24T06:11:37Z",
        "2026-11-24T06:11:37.12Z",
        "2026-11-24T06:11:37.1234Z",
        "2026-11-24T06:11:37,123Z",
        "2026-11-24T06:11:37.123",
        "2026-11-24T06:11:37.123z",
        "2026-11-24t06:11:37.123Z",
        "2026-11-24 06:11:37.123Z",
        "2026-11-24T06:11:37.123+00:00",
        "2026-11-24T06:11:37.123Z\n",
        " 2026-11-24T06:11:37.123Z",
        "2026-02-29T00:00:00.000Z",
        "2026-00-01T00:00:00.000Z",
        "2026-13-01T00:00:00.000Z",
        "2026-01-00T00:00:00.000Z",
        "2026-04-31T00:00:00.000Z",
        "2026-11-24T24:00:00.000Z",
        "2026-11-24T23:60:00.000Z",
        "2026-11-24T23:59:60.000Z",
        "1969-12-31T23:59:59.999Z",
        "0000-01-01T00:00:00.000Z",
        "２０26-11-24T06:11:37.123Z",
        "2026-W48-2T06:11:37.123Z",
    ],
)
def test_every_other_spelling_is_refused_also_the_second_time(text: str) -> None:
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            parse_instant(text)
        assert (caught.value.code, caught.value.field) == ("bad-attribute", "time")


@pytest.mark.parametrize("instant_ms", [-1, LAST_MS + 1, 2**63])
def test_an_instant_outside_the_years_is_not_formatted(instant_ms: int) -> None:
    with pytest.raises(Refused) as caught:
        format_instant(instant_ms)
    assert caught.value.code == "bad-attribute"


def test_many_different_days_do_not_spoil_the_memory_of_them() -> None:
    for day in range(12_000):
        assert parse_instant(format_instant(day * 86_400_000 + 1)) == day * 86_400_000 + 1
        assert len(instants._days) <= 4096
        assert len(instants._starts) <= 4096


@given(st.dates())
@settings(deadline=None)
def test_parsing_what_was_formatted_gives_the_day_back(day: date) -> None:
    days = day.toordinal() - date(1970, 1, 1).toordinal()
    assert format_day(days) == day.isoformat()
    assert parse_day(day.isoformat()) == days


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        ("2026-02-09T02:05:59.999Z", "2026-02-09 10:05"),
        ("2026-03-06T15:59:59.999Z", "2026-03-06 23:59"),
        ("2026-03-06T16:00:00.000Z", "2026-03-07 00:00"),
    ],
)
def test_a_minute_is_told_in_the_time_of_china(instant: str, text: str) -> None:
    assert format_minute(parse_instant(instant)) == text


def test_a_minute_before_1970_is_told_too() -> None:
    assert format_minute(-1) == "1970-01-01 07:59"
    assert format_minute(-9 * 3_600_000) == "1969-12-31 23:00"


@pytest.mark.parametrize(
    "text",
    ["", "20261124", "2026-W48-2", "2026-11-31", "2026-1-1", "2026-11-24 ", "26-11-24", "0000-01-01", "2026/11/24"],
)
def test_every_other_text_is_no_day(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_day(text)
    assert caught.value.code == "bad-field"


@pytest.mark.parametrize("days", [-719_163, 2_932_897, 2**31 - 1, -(2**31), 2**63])
def test_a_day_outside_the_years_is_refused(days: int) -> None:
    with pytest.raises(Refused) as caught:
        format_day(days)
    assert caught.value.code == "bad-field"
