"""Each kind of rule, what it makes of nothing, and where a wrong rule is found."""

from typing import Any

import pytest

from connectors.kit.paths import MISSING
from connectors.kit.rules import MAX_ITEMS, Way, compile_fields, compile_rule, evaluate, record
from connectors.kit.tables import compile_table
from services.kernel.errors import BadSettings, Refused

TABLES = {"lx": compile_table("lx", {"1": "trademark"})}


def read(rule: Any, document: Any, **known: Any) -> Any:
    return evaluate(compile_rule(rule, TABLES, "here"), document, known, Way.FROM_CITY)


def write(rule: Any, document: Any, **known: Any) -> Any:
    return evaluate(compile_rule(rule, TABLES, "here"), document, known, Way.TO_CITY)


def test_a_path_takes_text() -> None:
    assert read("a.b", {"a": {"b": " x "}}) == "x"


@pytest.mark.parametrize("nothing", [None, "", [], "absent"])
def test_null_empty_and_absent_are_nothing(nothing: Any) -> None:
    document = {} if nothing == "absent" else {"a": nothing}
    assert read("a", document) is MISSING
    assert read({"from": "a", "default": "d"}, document) == "d"


def test_zero_and_false_are_something() -> None:
    assert read({"from": "a", "as": "integer"}, {"a": 0}) == 0
    assert write({"from": "a", "as": "flag"}, {"a": False}) == "0"


def test_converter_and_table_are_applied_in_both_directions() -> None:
    assert read({"from": "a", "codes": "lx"}, {"a": "1"}) == "trademark"
    assert write({"from": "a", "codes": "lx"}, {"a": "trademark"}) == "1"
    assert read({"from": "a", "as": "joined", "codes": "lx"}, {"a": "1、1"}) == ["trademark", "trademark"]
    assert write({"from": "a", "as": "joined", "codes": "lx"}, {"a": ["trademark"]}) == "1"


def test_what_is_known_about_the_event_is_found_by_an_at_sign() -> None:
    assert write("@source", {"source": "no"}, source="yes") == "yes"
    assert read("@answered.id", {}, answered={"id": "e"}) == "e"
    assert read("@answered.id", {}, answered=None) is MISSING


def test_a_constant_needs_no_document() -> None:
    assert read({"const": "SL"}, {}) == "SL"


def test_a_join_has_all_its_parts_or_nothing() -> None:
    rule = {"join": [{"const": "CL"}, "@division", "n"], "by": "-"}
    assert read(rule, {"n": "7"}, division="320100") == "CL-320100-7"
    assert read(rule, {}, division="320100") is MISSING


def test_the_first_that_has_a_value_is_taken() -> None:
    rule = {"first": ["a", "b", {"const": "c"}]}
    assert read(rule, {"b": "2"}) == "2"
    assert read(rule, {}) == "c"


def test_each_object_of_a_list_becomes_a_record() -> None:
    rule = {"each": "l", "fields": {"name": "mc", "who": "@participant"}}
    assert read(rule, {"l": [{"mc": "甲"}, {}]}, participant="p") == [{"name": "甲", "who": "p"}, {"who": "p"}]
    assert read(rule, {}) is MISSING


@pytest.mark.parametrize("broken", ["x", {"a": 1}, [{}] * (MAX_ITEMS + 1)])
def test_what_is_not_a_list_of_bearable_length_is_refused(broken: Any) -> None:
    with pytest.raises(Refused) as refused:
        read({"each": "l", "fields": {}}, {"l": broken})
    assert refused.value.code == "cannot-map"


def test_a_group_is_there_only_when_something_stands_at_its_condition() -> None:
    rule = {"fields": {"name": "zhmc", "booth": "zwh"}, "when": "zhmc"}
    assert read(rule, {"zhmc": "展会", "zwh": "A1"}) == {"name": "展会", "booth": "A1"}
    assert read(rule, {"zwh": "A1"}) is MISSING
    assert read({**rule, "many": True}, {"zhmc": "展会"}) == [{"name": "展会"}]


def test_to_the_city_names_are_paths_of_the_document() -> None:
    fields = compile_fields({"a.b": "x", "a.c": {"const": 1}, "d": "missing"}, {}, "here")
    assert record(fields, {"x": "1"}, {}, Way.TO_CITY) == {"a": {"b": "1", "c": 1}}
    assert record(fields, {"x": "1"}, {}, Way.FROM_CITY) == {"a.b": "1", "a.c": 1}


def test_a_refusal_names_the_field_down_to_the_record_in_which_it_lies() -> None:
    fields = compile_fields(
        {"goods": {"each": "l", "fields": {"quantity": {"from": "sl", "as": "integer"}}}}, {}, "here"
    )
    with pytest.raises(Refused) as refused:
        record(fields, {"l": [{"sl": "many"}]}, {}, Way.FROM_CITY)
    assert refused.value.field == "goods.quantity"


@pytest.mark.parametrize(
    "rule",
    [
        7,
        {},
        {"of": "a"},
        {"from": "a", "as": "nothing"},
        {"from": "a", "codes": "nothing"},
        {"from": "a", "by": "-"},
        {"join": []},
        {"first": "a"},
        {"each": "l"},
        {"const": 1, "default": 2},
    ],
)
def test_a_rule_that_is_not_of_the_forms_is_a_bad_setting_that_says_where(rule: Any) -> None:
    with pytest.raises(BadSettings, match="here"):
        compile_rule(rule, TABLES, "here")


def test_a_list_may_become_a_list_of_texts() -> None:
    rule = {"each": "to", "text": {"join": ["q", "d"], "by": "."}}
    assert read(rule, {"to": [{"q": "1", "d": "a"}, {"q": "2", "d": "b"}]}) == ["1.a", "2.b"]
    assert read(rule, {}) is MISSING
    with pytest.raises(Refused) as caught:
        read(rule, {"to": [{"q": "1"}]})
    assert caught.value.code == "cannot-map"


def test_what_is_gathered_stands_once_and_in_order() -> None:
    rule = {"gather": ["one", {"from": "more", "as": "list"}, {"from": "@case.others", "as": "list"}], "by": ","}
    assert read(rule, {"one": "b", "more": ["a", "b"]}, case={"others": ["c", "a"]}) == "b,a,c"
    assert read({**rule, "gather": ["one"]}, {"one": "b"}) == "b"
    assert read(rule, {}, case=None) is MISSING
    assert read({"gather": ["one", "two"]}, {"two": "x"}) == ["x"]


@pytest.mark.parametrize(
    "rule",
    [
        {"each": "to"},
        {"each": "to", "text": "q", "fields": {"q": "q"}},
        {"gather": []},
        {"gather": ["a"], "text": "b"},
    ],
)
def test_a_list_of_texts_and_what_is_gathered_are_checked_when_they_are_read(rule: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        compile_rule(rule, TABLES, "here")
