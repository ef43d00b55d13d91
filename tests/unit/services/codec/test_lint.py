"""The lint: each rule finds what breaks it, and only that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from services.codec.lint import lint_schema, lint_tables, lint_together
from services.kernel.codes import CodeTables, parse_code_table

DOC = "A thing. 某物。"
TABLES = CodeTables(
    {"colours": parse_code_table("colours", "code,zh,en,valid_from,valid_until,source\nred,红,red,,,x\n")}
)
FILE = "clue/ThingSeen.avsc"


def schema() -> dict[str, Any]:
    party = {"type": "record", "name": "Party", "doc": DOC, "fields": [{"name": "name", "type": "string", "doc": DOC}]}
    return {
        "type": "record",
        "name": "ThingSeen",
        "namespace": "cn.ipx.clue",
        "doc": DOC,
        "ipx.order": [["began_at", "ended_at"]],
        "fields": [
            {"name": "colour", "type": "string", "doc": DOC, "ipx.codes": "colours"},
            {"name": "code", "type": ["null", "string"], "default": None, "doc": DOC, "ipx.format": "uscc"},
            {"name": "began_at", "type": "long", "doc": DOC, "ipx.format": "past_instant"},
            {"name": "ended_at", "type": "long", "doc": DOC},
            {"name": "owner", "type": ["null", party], "default": None, "doc": DOC},
            {"name": "owners", "type": {"type": "array", "items": "Party"}, "default": [], "doc": DOC},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "doc": DOC, "symbols": ["A"]}, "doc": DOC},
            {"name": "who", "type": ["null", "string"], "default": None, "doc": DOC, "ipx.disclosure": "restricted"},
        ],
    }


def field(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in document["fields"] if each["name"] == name)
    return found


Change = Callable[[dict[str, Any]], object]


def _party(document: dict[str, Any]) -> dict[str, Any]:
    held: dict[str, Any] = field(document, "owner")["type"][1]
    return held


CHANGES: list[tuple[str, str, Change]] = [
    ("docs", "ThingSeen", lambda s: s.update(doc="English only.")),
    ("docs", "ThingSeen", lambda s: s.pop("doc")),
    ("docs", "ThingSeen.colour", lambda s: field(s, "colour").update(doc="只有中文。")),
    ("docs", "ThingSeen.owner", lambda s: _party(s).pop("doc")),
    ("docs", "ThingSeen.owner.name", lambda s: _party(s)["fields"][0].pop("doc")),
    ("docs", "ThingSeen.kind", lambda s: field(s, "kind")["type"].pop("doc")),
    ("codes", "ThingSeen.colour", lambda s: field(s, "colour").update({"ipx.codes": "sizes"})),
    ("codes", "ThingSeen.ended_at", lambda s: field(s, "ended_at").update({"ipx.codes": "colours"})),
    ("codes", "ThingSeen.colour", lambda s: field(s, "colour").update({"ipx.format": "uscc"})),
    ("format", "ThingSeen.code", lambda s: field(s, "code").update({"ipx.format": "ucss"})),
    ("format", "ThingSeen.code", lambda s: field(s, "code").update({"ipx.format": "positive"})),
    ("format", "ThingSeen.ended_at", lambda s: field(s, "ended_at").update({"ipx.format": "uuid"})),
    ("defaults", "ThingSeen.code", lambda s: field(s, "code").pop("default")),
    ("properties", "ThingSeen.colour", lambda s: field(s, "colour").update({"ipx.color": "red"})),
    ("properties", "ThingSeen", lambda s: s.update({"ipx.colour": "red"})),
    ("order", "ThingSeen", lambda s: s.update({"ipx.order": [["began_at", "never_at"]]})),
    ("order", "ThingSeen", lambda s: s.update({"ipx.order": [["began_at", "colour"]]})),
    ("form", "ThingSeen.owner", lambda s: _party(s).update(namespace="cn.ipx.clue")),
    ("form", "ThingSeen.owners[]", lambda s: field(s, "owners")["type"].update(items="cn.ipx.clue.Party")),
    ("names", "name", lambda s: s.update(name="thing_seen")),
    ("names", "name", lambda s: s.update(name="OtherThing")),
    ("names", "namespace", lambda s: s.update(namespace="org.example")),
    ("names", "ThingSeen.Colour", lambda s: field(s, "colour").update(name="Colour")),
]


def test_a_schema_that_keeps_the_rules_has_no_finding() -> None:
    assert lint_schema(FILE, schema(), TABLES) == ()


@pytest.mark.parametrize(("rule", "where", "change"), CHANGES)
def test_a_broken_rule_is_found_where_it_is_broken(rule: str, where: str, change: Change) -> None:
    document = schema()
    change(document)
    found = lint_schema(FILE, document, TABLES)
    assert (rule, where) in {(each.rule, each.where) for each in found}, found


@pytest.mark.parametrize(
    "kind",
    [
        ["null", "ThingSeen"],  # recursion
        {"type": "array", "items": "null"},  # items of no size
        {"type": "array", "items": {"type": "fixed", "name": "Nothing", "size": 0}},
        {"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}},
        {"type": "map", "values": "string"},
        "double",
        ["string", "null"],
        ["null", "string", "long"],
    ],
)
def test_what_the_codec_refuses_is_the_only_finding(kind: Any) -> None:
    document = schema()
    document["fields"].append({"name": "odd", "type": kind})
    assert [each.rule for each in lint_schema(FILE, document, TABLES)] == ["codec"]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: field(s, "who").update({"ipx.disclosure": "secret"}),
        lambda s: field(s, "colour").update({"ipx.disclosure": "restricted"}),
        lambda s: _party(s)["fields"][0].update({"ipx.disclosure": "restricted"}),
        lambda s: s.update({"ipx.disclosure": "restricted"}),
    ],
)
def test_a_restricted_field_is_a_nullable_one_of_the_event_itself(change: Change) -> None:
    document = schema()
    change(document)
    assert [each.rule for each in lint_schema(FILE, document, TABLES)] == ["codec"]


def test_a_nested_type_is_the_same_wherever_it_is_used() -> None:
    first, second = schema(), copy.deepcopy(schema())
    second["name"] = "ThingLost"
    assert lint_together({"a": first, "b": second}) == ()
    _party(second)["fields"].append({"name": "more", "type": ["null", "string"], "default": None, "doc": DOC})
    assert {(each.file, each.rule) for each in lint_together({"a": first, "b": second}) if "Party" in each.message} == {
        ("b", "same-name")
    }


def test_a_nested_type_may_be_defined_at_another_place_in_another_schema() -> None:
    first, second = schema(), schema()
    second["name"] = "ThingLost"
    party = _party(second)
    second["fields"] = [{"name": "thief", "type": party, "doc": DOC}]
    assert [each for each in lint_together({"a": first, "b": second}) if "Party" in each.message] == []


def test_a_name_in_the_wrong_language_is_found_in_a_code_table() -> None:
    rows = "red,red,红,,,x\nblue,蓝,blue,,,x\nx,甲,—,,,x\n"
    tables = CodeTables({"c": parse_code_table("c", "code,zh,en,valid_from,valid_until,source\n" + rows)})
    assert [each.where for each in lint_tables(tables)] == ["red", "x"]
