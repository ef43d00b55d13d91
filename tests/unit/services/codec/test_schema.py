"""A compiled schema: its digest, its segments, and an encoder that never bends a value."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings

from services.codec.released import load_released
from services.codec.schema import MAX_BODY_BYTES, EventSchema, compile_schema, schema_digest
from services.kernel.errors import Refused
from tests.unit.services.codec.samples import SCHEMA, SIGHTING, VALUE, events


def changed(**fields: Any) -> dict[str, Any]:
    return {**VALUE, **fields}


def test_the_digest_is_over_the_rfc_8785_form_so_spelling_does_not_matter() -> None:
    spaced = json.dumps(SIGHTING, indent=7, sort_keys=True, ensure_ascii=False)
    assert compile_schema(spaced).digest == SCHEMA.digest == hashlib.sha256(rfc8785.dumps(SIGHTING)).digest()
    assert SCHEMA.digest_text == f"sha256:{SCHEMA.digest.hex()}"


def test_a_changed_doc_or_disclosure_is_another_schema() -> None:
    documented = {**SIGHTING, "doc": "x"}
    opened = json.loads(json.dumps(SIGHTING).replace(', "ipx.disclosure": "restricted"', "", 1))
    assert len({schema_digest(SIGHTING), schema_digest(documented), schema_digest(opened)}) == 3


def test_segments_are_runs_of_open_fields_and_single_restricted_ones() -> None:
    assert [segment.restricted for segment in SCHEMA.segments] == [None, "reporter", None, "accuser", "phone"]
    assert SCHEMA.restricted == ("reporter", "accuser", "phone")
    parts = SCHEMA.encode_parts(VALUE)
    assert b"".join(parts) == SCHEMA.encode(VALUE)
    assert parts[4] == b"\x02\x16" + b"13800000000"
    assert SCHEMA.split(SCHEMA.encode(VALUE)) == parts


def test_logical_types_stay_numbers() -> None:
    assert SCHEMA.decode(SCHEMA.encode(VALUE))["seen_at"] == VALUE["seen_at"]
    assert SCHEMA.decode(SCHEMA.encode(VALUE)) == VALUE


@given(events())
@settings(max_examples=80, deadline=None)
def test_decoding_what_was_encoded_gives_the_value_back(event: tuple[EventSchema, dict[str, Any]]) -> None:
    schema, value = event
    assert schema.decode(schema.encode(value)) == value


@pytest.mark.parametrize(
    "bent",
    [
        {"count": 1.5},
        {"count": "1"},
        {"count": None},
        {"count": 2**31},
        {"price_fen": 2**63},
        {"price_fen": "1"},
        {"urgent": "no"},
        {"urgent": None},
        {"urgent": 2},
        {"title": b"bytes"},
        {"title": "half \ud800"},
        {"title": None},
        {"kind": "SHIP"},
        {"kind": 1},
        {"mark": b"abc"},
        {"mark": b"abcde"},
        {"photo": "text"},
        {"classes": "12"},
        {"classes": {1, 2}},
        {"classes": [1, None]},
        {"suspects": [{"name": "x"}]},
        {"suspects": [{"name": "x", "uscc": None, "extra": 1}]},
        {"owner": {"name": "x", "uscc": 3}},
        {"reporter": ("string", "x")},
        {"owner": {"string": "x"}},
        {"unknown": 1},
    ],
)
def test_a_value_that_is_not_of_the_schema_is_refused_and_not_bent_into_it(bent: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        SCHEMA.encode(changed(**bent))
    assert caught.value.code == "bad-field"


def test_a_missing_field_is_refused_also_when_it_has_a_default() -> None:
    for name in SCHEMA.fields:
        with pytest.raises(Refused) as caught:
            SCHEMA.encode({key: held for key, held in VALUE.items() if key != name})
        assert (caught.value.code, caught.value.field) == ("bad-field", name)


def test_a_refusal_to_encode_names_the_field_and_never_the_value() -> None:
    with pytest.raises(Refused) as caught:
        SCHEMA.encode(changed(reporter=["13800000000"]))
    assert caught.value.field == "reporter"
    assert "13800000000" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_body_past_the_cap_is_neither_written_nor_read() -> None:
    for act in (
        lambda: SCHEMA.encode(changed(title="x" * MAX_BODY_BYTES)),
        lambda: SCHEMA.decode(bytes(MAX_BODY_BYTES + 1)),
    ):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.code == "too-large"


def test_more_array_items_than_allowed_are_not_written() -> None:
    with pytest.raises(Refused) as caught:
        SCHEMA.encode(changed(classes=[1] * 10_001))
    assert caught.value.code == "too-many-items"


def restricted(**change: Any) -> dict[str, Any]:
    field = {"name": "f", "type": ["null", "string"], "default": None, "ipx.disclosure": "restricted", **change}
    return {"type": "record", "namespace": "cn.ipx.clue", "name": "T", "fields": [field]}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '"string"',
        "[" * 100_000,
        {"type": "array", "items": "int"},
        {"type": "enum", "namespace": "cn.ipx.clue", "name": "T", "symbols": ["A"]},
        {"type": "record", "name": "T", "fields": [{"name": "f", "type": "int"}]},
        {"type": "record", "namespace": "cn.ipx.clue", "name": "T"},
        {"type": "record", "namespace": "cn.ipx.clue", "name": "T", "fields": []},
        {"type": "record", "namespace": "cn.ipx.clue", "name": "T", "fields": [{"name": "f"}]},
        {"type": "record", "namespace": "cn.ipx.clue", "name": "T", "fields": 3},
        {
            "type": "record",
            "namespace": "cn.ipx.clue",
            "name": "T",
            "fields": [{"name": "f", "type": "int", "n": 2**60}],
        },
        restricted(type="string", default="x"),
        restricted(default="x"),
        restricted(**{"ipx.disclosure": "secret"}),
        restricted(type=["null", {"type": "array", "items": "int"}], default=[1]),
        {
            "type": "record",
            "namespace": "cn.ipx.clue",
            "name": "T",
            "fields": [{"name": "f", "type": {"type": "record", "name": "R", "fields": restricted()["fields"]}}],
        },
        {
            "type": "record",
            "namespace": "cn.ipx.clue",
            "name": "T",
            "fields": [{"name": "f", "type": {"type": "array", "items": "int"}, "default": [1]}],
        },
    ],
)
def test_what_is_not_an_event_schema_is_refused(document: Any) -> None:
    with pytest.raises(Refused) as caught:
        compile_schema(document if isinstance(document, str) else json.dumps(document))
    assert caught.value.code == "bad-schema"


def test_every_released_schema_compiles() -> None:
    assert all(schema.fields for schema in load_released().by_digest.values())
