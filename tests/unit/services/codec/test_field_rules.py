"""Field rules compiled from a schema: codes by day, formats, order in time; nested, in arrays, named by their path."""

from __future__ import annotations

from typing import Any

import pytest

from services.codec.field_rules import AHEAD_MS, FieldProblem, compile_field_rules
from services.kernel.codes import CodeTables, parse_code_table
from services.kernel.errors import Refused
from services.kernel.instants import parse_day, parse_instant

AT = parse_instant("2026-11-24T08:00:00.000Z")
TODAY = parse_day("2026-11-24")
COLOURS = parse_code_table(
    "colours", "code,zh,en,valid_from,valid_until,source\nred,红,red,,,x\nold,旧,old,,2026-11-23,x\n"
)
TABLES = CodeTables({"colours": COLOURS})
PARTY = {
    "type": "record",
    "name": "Party",
    "fields": [
        {"name": "uscc", "type": ["null", "string"], "ipx.format": "uscc"},
        {"name": "note", "type": "string"},
    ],
}
SCHEMA = {
    "type": "record",
    "name": "Thing",
    "namespace": "cn.ipx.test",
    "ipx.order": [["began_on", "ended_on"]],
    "fields": [
        {"name": "colour", "type": "string", "ipx.codes": "colours"},
        {"name": "colours", "type": {"type": "array", "items": "string"}, "ipx.codes": "colours"},
        {
            "name": "seen_at",
            "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}],
            "ipx.format": "past_instant",
        },
        {"name": "began_on", "type": ["null", {"type": "int", "logicalType": "date"}], "ipx.format": "past_day"},
        {"name": "ended_on", "type": ["null", {"type": "int", "logicalType": "date"}]},
        {"name": "case", "type": ["null", "string"], "ipx.format": "court_case_number"},
        {"name": "owner", "type": ["null", PARTY]},
        {"name": "others", "type": {"type": "array", "items": "Party"}},
        {"name": "free", "type": ["null", "string"]},
    ],
}
GOOD: dict[str, Any] = {
    "colour": "red",
    "colours": ["red"],
    "seen_at": AT,
    "began_on": TODAY,
    "ended_on": TODAY,
    "case": "（2023）苏01民初123号",
    "owner": {"uscc": "91320100MA1QXT001U", "note": "anything"},
    "others": [{"uscc": None, "note": ""}, {"uscc": "91110000600037341L", "note": ""}],
    "free": "anything",
}
RULES = compile_field_rules(SCHEMA)


def problems(**changed: Any) -> tuple[FieldProblem, ...]:
    return RULES.check({**GOOD, **changed}, AT, TABLES)


def test_a_value_that_keeps_every_rule_has_no_problem() -> None:
    assert problems() == ()


def test_nulls_and_empty_arrays_are_not_checked() -> None:
    assert problems(colours=[], seen_at=None, began_on=None, ended_on=None, case=None, owner=None, others=[]) == ()


@pytest.mark.parametrize(
    ("changed", "code", "field"),
    [
        ({"colour": "blue"}, "bad-code", "colour"),
        ({"colour": "old"}, "bad-code", "colour"),
        ({"colours": ["red", "blue"]}, "bad-code", "colours[1]"),
        ({"seen_at": AT + AHEAD_MS + 1}, "time-in-future", "seen_at"),
        ({"began_on": TODAY + 1, "ended_on": None}, "time-in-future", "began_on"),
        ({"ended_on": TODAY - 1}, "bad-field", "ended_on"),
        ({"owner": {"uscc": "91320100MA1QXT001X", "note": ""}}, "bad-field", "owner.uscc"),
        ({"others": [{"uscc": None, "note": ""}, {"uscc": "x", "note": ""}]}, "bad-field", "others[1].uscc"),
    ],
)
def test_a_broken_rule_is_named_by_code_and_path(changed: dict[str, Any], code: str, field: str) -> None:
    (problem,) = problems(**changed)
    assert (problem.code, problem.field, problem.warning) == (code, field, False)
    assert problem.expected_zh
    assert problem.expected_en


def test_a_court_case_number_of_another_form_is_a_warning() -> None:
    (problem,) = problems(case="案号待定")
    assert (problem.code, problem.field, problem.warning) == ("bad-field", "case", True)


def test_an_instant_within_five_minutes_after_the_event_is_taken() -> None:
    assert problems(seen_at=AT + AHEAD_MS) == ()


def test_a_code_is_judged_on_the_day_of_the_event_in_china() -> None:
    last = parse_instant("2026-11-23T15:59:59.000Z")
    value = {**GOOD, "colour": "old", "seen_at": None, "began_on": None, "ended_on": None}
    assert RULES.check(value, last, TABLES) == ()
    assert [p.field for p in RULES.check(value, last + 1000, TABLES)] == ["colour"]
    assert RULES.check(value, last, TABLES) == ()


def test_other_tables_are_looked_at_anew() -> None:
    assert problems() == ()
    other = CodeTables(
        {"colours": parse_code_table("colours", "code,zh,en,valid_from,valid_until,source\nblue,蓝,blue,,,x\n")}
    )
    assert [p.field for p in RULES.check(GOOD, AT, other)] == ["colour", "colours[0]"]


def test_every_problem_of_a_value_is_told_in_the_order_of_the_fields() -> None:
    found = problems(colour="blue", owner={"uscc": "x", "note": ""}, ended_on=TODAY - 1)
    assert [p.field for p in found] == ["colour", "owner.uscc", "ended_on"]


def test_a_problem_never_holds_the_value() -> None:
    (problem,) = problems(owner={"uscc": "91320100MA1QXT001X", "note": ""})
    assert "91320100MA1QXT001X" not in repr(problem)


def test_the_tables_a_schema_needs_are_known() -> None:
    assert (RULES.name, RULES.tables) == ("cn.ipx.test.Thing", ("colours",))


def test_a_schema_without_rules_finds_nothing() -> None:
    plain = {"type": "record", "name": "P", "namespace": "cn.ipx.test", "fields": [{"name": "a", "type": "string"}]}
    assert compile_field_rules(plain).check({"a": ""}, AT, TABLES) == ()


def test_an_unknown_format_is_refused_when_the_rules_are_compiled() -> None:
    odd = {
        "type": "record",
        "name": "P",
        "namespace": "n",
        "fields": [{"name": "a", "type": "string", "ipx.format": "odd"}],
    }
    with pytest.raises(Refused) as caught:
        compile_field_rules(odd)
    assert caught.value.code == "bad-schema"
