"""Examples: read by their name, judged like an event that comes in, and told when they are no longer true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.codec.examples import Answer, Example, answer_to, lint_examples, read_examples
from services.codec.schema import compile_schema
from services.kernel.codes import CodeTables, parse_code_table
from services.kernel.errors import BadSettings

TYPE = "cn.ipx.clue.Seen"
TABLES = CodeTables(
    {"colours": parse_code_table("colours", "code,zh,en,valid_from,valid_until,source\nred,红,red,,,x\n")}
)
SCHEMA = compile_schema(
    json.dumps(
        {
            "type": "record",
            "name": "Seen",
            "namespace": "cn.ipx.clue",
            "fields": [
                {"name": "colour", "type": "string", "ipx.codes": "colours"},
                {"name": "case", "type": ["null", "string"], "default": None, "ipx.format": "court_case_number"},
            ],
        }
    )
)
GOOD = Example(TYPE, "valid-red", {"colour": "red"}, None)
BAD = Example(TYPE, "invalid-blue", {"colour": "blue"}, Answer("bad-code", "colour"))


def write(directory: Path, name: str, document: Any) -> None:
    path = directory / TYPE / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ({"colour": "red"}, None),
        ({"colour": "red", "case": "案号待定"}, None),  # a warning is no refusal
        ({"colour": "blue"}, Answer("bad-code", "colour")),
        ({"colour": 1}, Answer("bad-field", "colour")),
        ({}, Answer("bad-field", "colour")),
        ({"colour": "red", "color": "red"}, Answer("bad-field", "color")),
    ],
)
def test_data_is_answered_as_an_event_is(data: Any, answer: Answer | None) -> None:
    assert answer_to(Example(TYPE, "x", data, None), SCHEMA, TABLES) == answer


def test_true_examples_are_not_found() -> None:
    assert lint_examples([GOOD, BAD], {TYPE: SCHEMA}, TABLES) == ()


@pytest.mark.parametrize(
    "example",
    [
        Example(TYPE, "valid-x", {"colour": "blue"}, None),
        Example(TYPE, "invalid-x", {"colour": "red"}, Answer("bad-code", "colour")),
        Example(TYPE, "invalid-x", {"colour": "blue"}, Answer("bad-field", "colour")),
        Example(TYPE, "invalid-x", {"colour": "blue"}, Answer("bad-code", "case")),
        Example("cn.ipx.clue.Never", "valid-x", {}, None),
    ],
)
def test_an_example_that_is_not_true_is_found_by_its_file(example: Example) -> None:
    found = lint_examples([GOOD, BAD, example], {TYPE: SCHEMA}, TABLES)
    assert [each.file for each in found] == [f"{example.type}/{example.name}.json"]


def test_a_type_without_a_valid_or_an_invalid_example_is_found() -> None:
    assert [each.message for each in lint_examples([GOOD], {TYPE: SCHEMA}, TABLES)] == ["there is no invalid example"]
    assert [each.message for each in lint_examples([BAD], {TYPE: SCHEMA}, TABLES)] == ["there is no valid example"]


def test_examples_are_read_by_type_and_name(tmp_path: Path) -> None:
    write(tmp_path, "valid-red.json", GOOD.data)
    write(tmp_path, "invalid-blue.json", {"expect": {"code": "bad-code", "field": "colour"}, "data": BAD.data})
    assert read_examples(tmp_path) == (BAD, GOOD)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("valid-x.json", "{"),
        ("other.json", {}),
        ("invalid-x.json", {"colour": "blue"}),
        ("invalid-x.json", {"expect": {"field": "colour"}, "data": {}}),
        ("invalid-x.json", {"expect": {"code": "bad-code", "why": "x"}, "data": {}}),
        ("invalid-x.json", {"expect": "bad-code", "data": {}}),
    ],
)
def test_a_file_of_another_form_is_refused_by_name(tmp_path: Path, name: str, document: Any) -> None:
    write(tmp_path, name, document)
    with pytest.raises(BadSettings, match=name):
        read_examples(tmp_path)
