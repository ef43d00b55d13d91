"""The fields of a parsed document: each has its kind, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from services.kernel import document_fields as fields
from services.kernel.errors import BadSettings
from services.kernel.instants import parse_day

GOOD: dict[str, Any] = {
    "text": "x",
    "number": 3,
    "day": date(2026, 11, 24),
    "days": [date(2026, 11, 24)],
    "texts": ["a", "b"],
    "tables": [{"a": 1}],
}


def test_a_document_of_the_form_is_read() -> None:
    assert fields.text(GOOD, "text", "here") == "x"
    assert fields.one_of(GOOD, "text", ("x", "y"), "here") == "x"
    assert fields.number(GOOD, "number", "here") == 3
    assert fields.number_or_none(GOOD, "away", "here") is None
    assert fields.day(GOOD, "day", "here") == parse_day("2026-11-24")
    assert fields.day_or_none(GOOD, "away", "here") is None
    assert fields.days(GOOD, "days", "here") == (parse_day("2026-11-24"),)
    assert fields.texts(GOOD, "texts", "here") == ("a", "b")
    assert fields.texts(GOOD, "away", "here") == ()
    assert fields.tables(GOOD, "tables", "here") == ({"a": 1},)
    fields.only(GOOD, frozenset(GOOD), "here")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (fields.text, " "),
        (fields.text, 1),
        (fields.text, None),
        (fields.number, 0),
        (fields.number, True),
        (fields.number, "3"),
        (fields.day, "2026-11-24"),
        (fields.day, datetime(2026, 11, 24, tzinfo=UTC)),
        (fields.days, date(2026, 11, 24)),
        (fields.texts, ["a", "a"]),
        (fields.texts, ["a", 1]),
        (fields.texts, "ab"),
        (fields.tables, [1]),
        (fields.tables, {"a": 1}),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(read: Callable[..., Any], value: object) -> None:
    with pytest.raises(BadSettings, match="here: key"):
        read({"key": value}, "key", "here")


def test_a_value_outside_the_list_and_an_unknown_key_are_refused() -> None:
    with pytest.raises(BadSettings, match="here"):
        fields.one_of({"key": "z"}, "key", ("x", "y"), "here")
    with pytest.raises(BadSettings, match="extra"):
        fields.only({"extra": 1}, frozenset({"key"}), "here")


def test_a_file_that_is_away_or_no_text_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    for name in ("a.toml", "b.toml"):
        with pytest.raises(BadSettings, match=name):
            fields.read_document(tmp_path / name)
