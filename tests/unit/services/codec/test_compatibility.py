"""Compatibility of two schema versions: what Avro resolution allows, and the two rules that are ours."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest

from services.codec.compatibility import breaks_between, cannot_read

NULLABLE = {"name": "more", "type": ["null", "string"], "default": None}


def record(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "namespace": "n", "fields": list(fields), **more}


def field(kind: Any, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **more}


def inner(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "I", "fields": list(fields)}


BASE = record(field("string"))


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (BASE, BASE),
        (record(field("string"), NULLABLE), BASE),
        (BASE, record(field("string"), NULLABLE)),
        (record(field("string", doc="other words")), BASE),
        (record(NULLABLE, field("string")), record(field("string"), NULLABLE)),
        (record(field(inner(field("string", "x")))), record(field(inner(field("string", "x"), NULLABLE)))),
        (record(field({"type": "array", "items": "string"})), record(field({"type": "array", "items": "string"}))),
        (record(field("string")), record(field("bytes"))),
        (
            record(field(inner(field("string", "x"))), field("I", "b")),
            record(field(inner(field("string", "x"))), field("n.I", "b")),
        ),
        (record(field(enum("A", "B", default="A"))), record(field(enum("A", default="A")))),
    ],
)
def test_these_two_versions_stand_side_by_side(new: dict[str, Any], old: dict[str, Any]) -> None:
    assert breaks_between(new, old) == ()


@pytest.mark.parametrize(
    ("new", "old", "where", "direction"),
    [
        (record(field("string"), field("string", "b")), BASE, "R.b", "new reads old"),
        (BASE, record(field("string"), field("string", "b")), "R.b", "old reads new"),
        (record(field("long")), BASE, "R.a", "new reads old"),
        (record(field("long")), record(field("int")), "R.a", "old reads new"),
        (record(field(["null", "string"], default=None)), BASE, "R.a", "old reads new"),
        (BASE, record(field(["null", "string"], default=None)), "R.a", "new reads old"),
        (record(field(enum("A"))), record(field(enum("A", "B"))), "R.a", "new reads old"),
        (record(field(enum("A", "B"))), record(field(enum("A"))), "R.a", "old reads new"),
        (
            record(field(["null", inner(field("long", "x"))], default=None)),
            record(field(["null", inner(field("string", "x"))], default=None)),
            "R.a.x",
            "new reads old",
        ),
        (
            record(field({"type": "array", "items": inner(field("string", "x"), field("string", "y"))})),
            record(field({"type": "array", "items": inner(field("string", "x"))})),
            "R.a[].y",
            "new reads old",
        ),
        (
            record(field({"type": "fixed", "name": "F", "size": 4})),
            record(field({"type": "fixed", "name": "F", "size": 8})),
            "R.a",
            "new reads old",
        ),
        (record(field({"type": "int", "logicalType": "date"})), record(field("int")), "R.a", "new reads old"),
        ({**BASE, "name": "S"}, BASE, "R", "new reads old"),
    ],
)
def test_what_breaks_is_named_by_place_and_direction(
    new: dict[str, Any], old: dict[str, Any], where: str, direction: str
) -> None:
    assert (where, direction) in {(found.where, found.direction) for found in breaks_between(new, old)}


def test_a_field_that_was_restricted_must_stay_so() -> None:
    restricted = record(field(["null", "string"], default=None, **{"ipx.disclosure": "restricted"}))
    opened = record(field(["null", "string"], default=None))
    assert [found.direction for found in breaks_between(opened, restricted)] == ["commitment"]
    assert [found.direction for found in breaks_between(restricted, opened)] == ["commitment"]


def test_a_recursive_schema_is_compared_without_end() -> None:
    node = record(field(["null", "R"], "next", default=None))
    assert breaks_between(node, node) == ()


def _reads(reader: dict[str, Any], writer: dict[str, Any], value: dict[str, Any]) -> bool:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(writer), value)
    try:
        fastavro.schemaless_reader(
            io.BytesIO(out.getvalue()), fastavro.parse_schema(writer), fastavro.parse_schema(reader)
        )
    except fastavro.read.SchemaResolutionError:
        return False
    return True


@pytest.mark.parametrize(
    ("reader", "writer", "value"),
    [
        (record(field("string"), NULLABLE), BASE, {"a": "x"}),
        (BASE, record(field("string"), NULLABLE), {"a": "x", "more": "y"}),
        (record(field("string"), field("string", "b")), BASE, {"a": "x"}),
        (record(field("long")), record(field("int")), {"a": 1}),
        (record(field("int")), record(field("long")), {"a": 1}),
        (record(field(enum("A"))), record(field(enum("A", "B"))), {"a": "B"}),
        (record(field(["null", "string"], default=None)), BASE, {"a": "x"}),
        (record(field(["null", "long"], default=None)), BASE, {"a": "x"}),
    ],
)
def test_the_verdict_is_the_one_that_avro_comes_to(
    reader: dict[str, Any], writer: dict[str, Any], value: dict[str, Any]
) -> None:
    assert (cannot_read(reader, writer) == ()) == _reads(reader, writer, value)
