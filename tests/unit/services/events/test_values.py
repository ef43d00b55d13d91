"""Typed event to plain value and back, for every type, with values that hypothesis makes from the schemas."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.schema import compile_schema
from services.events import EVENT_TYPES, from_value, to_value
from services.events.clue import ClueReported, Party, Right
from services.events.values import record_to_value
from tests.unit.services.events.mirror import SCHEMAS

COMPILED = {name: compile_schema(json.dumps(schema)) for name, schema in SCHEMAS.items()}
EMPTY = ClueReported(
    subtype="inspection", right_type="patent", title="t", facts="f", place_division="320100", discovered_at=1
)
LIMITS = {"int": 2**31, "long": 2**63}


def values_of(kind: Any, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema type, small but with every shape: null and not, empty and not."""
    match kind:
        case str() if kind in named or kind.rpartition(".")[2] in named:
            return values_of(named[kind.rpartition(".")[2]], named)
        case "string":
            return st.text(max_size=4)
        case "bytes":
            return st.binary(max_size=4)
        case "boolean":
            return st.booleans()
        case "int" | "long":
            return st.integers(-LIMITS[kind], LIMITS[kind] - 1)
        case ["null", inner]:
            return st.none() | values_of(inner, named)
        case {"type": "array", "items": items}:
            return st.lists(values_of(items, named), max_size=2)
        case {"type": "enum", "symbols": symbols}:
            named[kind["name"]] = kind
            return st.sampled_from(symbols)
        case {"type": "record", "fields": fields}:
            named[kind["name"]] = kind
            return st.fixed_dictionaries({field["name"]: values_of(field["type"], named) for field in fields})
        case _:
            return values_of(kind["type"], named)


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_value_comes_back_from_its_event_and_encodes(name: str, data: st.DataObject) -> None:
    value = data.draw(values_of(SCHEMAS[name], {}))
    event = from_value(name, value)
    assert to_value(event) == value
    assert from_value(name, to_value(event)) == event
    schema = COMPILED[name]
    assert from_value(name, schema.decode(schema.encode(to_value(event)))) == event


def test_arrays_become_tuples_and_records_become_records() -> None:
    party = {"name": "甲", "uscc": None, "division": None, "address": None}
    right = {**record_to_value(Right(right_type="patent")), "holder": party}
    event = from_value(ClueReported.TYPE, {**to_value(EMPTY), "suspects": [party], "rights": [right]})
    assert isinstance(event, ClueReported)
    assert event.suspects == (Party(name="甲"),)
    assert event.rights == (Right(right_type="patent", holder=Party(name="甲")),)
    assert isinstance(hash(event), int)


def test_the_value_given_is_left_as_it_was() -> None:
    value = to_value(EMPTY)
    before = repr(value)
    from_value(ClueReported.TYPE, value)
    assert repr(value) == before


def test_a_value_with_another_field_is_a_bug() -> None:
    with pytest.raises(TypeError):
        from_value(ClueReported.TYPE, {**to_value(EMPTY), "colour": "red"})
