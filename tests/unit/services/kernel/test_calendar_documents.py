"""Calendar years as documents: what is read, and what is refused."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.kernel.calendar_documents import calendar_of, load_calendar, load_calendar_year, parse_calendar_year
from services.kernel.errors import BadSettings
from services.kernel.instants import parse_day

TEXT = """
year = 2027

[[notice]]
title = "made up"
number = "made up 1"
issued = 2026-11-20
confidence = "certain"
source = "made up"

[[notice.holiday]]
zh = "元旦"
en = "New Year's Day"
first = 2026-12-31
last = 2027-01-02
working = [2027-01-03]
"""


def document() -> dict[str, Any]:
    return tomllib.loads(TEXT)


def test_a_year_is_read_as_it_stands() -> None:
    year = parse_calendar_year(document(), "test")
    holiday = year.notices[0].holidays[0]
    assert year.year == 2027
    assert (holiday.first, holiday.last) == (parse_day("2026-12-31"), parse_day("2027-01-02"))
    assert holiday.working == (parse_day("2027-01-03"),)


def _holiday(key: str, text: str) -> Callable[[dict[str, Any]], None]:
    value = tomllib.loads(f"value = {text}")["value"]
    return lambda stated: stated["notice"][0]["holiday"][0].update({key: value})


def _twice(stated: dict[str, Any]) -> None:
    stated["notice"][0]["holiday"].append(copy.deepcopy(stated["notice"][0]["holiday"][0]))


def _older(stated: dict[str, Any]) -> None:
    stated["notice"].append({**copy.deepcopy(stated["notice"][0]), "issued": tomllib.loads("d = 2025-01-01")["d"]})


@pytest.mark.parametrize(
    "change",
    [
        lambda stated: stated.update(extra=1),
        lambda stated: stated.pop("year"),
        lambda stated: stated.update(year=10000),
        lambda stated: stated.pop("notice"),
        lambda stated: stated["notice"][0].update(extra=1),
        lambda stated: stated["notice"][0].pop("number"),
        lambda stated: stated["notice"][0].update(confidence="sure"),
        lambda stated: stated["notice"][0].update(issued="2026-11-20"),
        lambda stated: stated["notice"][0].update(holiday=[]),
        _holiday("extra", "1"),
        _holiday("first", "2027-01-03"),  # after its last day
        _holiday("first", "2026-11-30"),
        _holiday("last", "2028-01-01"),
        _holiday("working", "[2027-01-02]"),  # off already
        _holiday("working", "[2027-01-04]"),  # a Monday
        _holiday("working", "[2028-01-01]"),
        _twice,
        _older,
    ],
)
def test_a_year_that_is_not_of_the_form_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    stated = document()
    change(stated)
    with pytest.raises(BadSettings):
        parse_calendar_year(stated, "test")


def test_a_year_that_is_there_twice_is_refused() -> None:
    year = parse_calendar_year(document(), "test")
    with pytest.raises(BadSettings):
        calendar_of([year, year])


def test_a_file_is_named_by_its_year(tmp_path: Path) -> None:
    (tmp_path / "2028.toml").write_text(TEXT, encoding="utf-8")
    with pytest.raises(BadSettings):
        load_calendar(tmp_path)
    (tmp_path / "2028.toml").rename(tmp_path / "2027.toml")
    assert load_calendar(tmp_path).last_year == 2027
    assert load_calendar_year(tmp_path / "2027.toml").year == 2027


def test_a_directory_without_years_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        load_calendar(tmp_path)


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "2027.toml").write_text("year = ", encoding="utf-8")
    with pytest.raises(BadSettings):
        load_calendar(tmp_path)
