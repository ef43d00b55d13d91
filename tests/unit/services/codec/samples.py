"""What the codec's tests share: an event type with every kind of field, an event of it, and strategies for types and values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from services.codec.envelope import Draft, Envelope, seal
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.released import Release, ReleasedSchemas, collect
from services.codec.schema import EventSchema, compile_schema
from services.kernel.errors import Refused
from services.kernel.ids import uuid7
from services.kernel.ports import CountedEntropy

settings.register_profile("codec", deadline=None)  # a machine that is busy is no failure
settings.load_profile("codec")

SOURCE = "320100.market_regulator"
OTHER = "330100.market_regulator"
TIME = "2026-11-24T06:11:37.123Z"
ADMITTED = "2026-11-24T06:11:37.456Z"

PARTY = {
    "type": "record",
    "name": "Party",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "uscc", "type": ["null", "string"], "default": None},
    ],
}
SIGHTING = {
    "type": "record",
    "namespace": "cn.ipx.clue",
    "name": "ThingSeen",
    "fields": [
        {"name": "title", "type": "string"},
        {"name": "reporter", "type": ["null", "string"], "default": None, "ipx.disclosure": "restricted"},
        {"name": "seen_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "seen_on", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["SHOP", "FAIR", "PORT"]}},
        {"name": "owner", "type": ["null", PARTY], "default": None},
        {"name": "suspects", "type": {"type": "array", "items": "Party"}, "default": []},
        {"name": "classes", "type": {"type": "array", "items": "int"}, "default": []},
        {"name": "price_fen", "type": ["null", "long"], "default": None},
        {"name": "count", "type": "int", "default": 1},
        {"name": "urgent", "type": "boolean", "default": False},
        {"name": "photo", "type": "bytes", "default": "\u00ff\u0000"},
        {"name": "mark", "type": {"type": "fixed", "name": "Mark", "size": 4}},
        {"name": "accuser", "type": ["null", "Party"], "default": None, "ipx.disclosure": "restricted"},
        {"name": "phone", "type": ["null", "string"], "default": None, "ipx.disclosure": "restricted"},
    ],
}
SCHEMA: EventSchema = compile_schema(json.dumps(SIGHTING))
VALUE: dict[str, Any] = {
    "title": "网店销售假冒商标商品",
    "reporter": "王某",
    "seen_at": 1_790_000_000_123,
    "seen_on": 20_781,
    "kind": "FAIR",
    "owner": {"name": "某公司", "uscc": None},
    "suspects": [{"name": "甲", "uscc": "91320100MA1QXT001U"}, {"name": "乙", "uscc": None}],
    "classes": [25, 35],
    "price_fen": -9_900,
    "count": 312,
    "urgent": True,
    "photo": b"\x89PNG",
    "mark": b"\x00\x01\x02\x03",
    "accuser": {"name": "李某", "uscc": None},
    "phone": "13800000000",
}


def signer(participant: str = SOURCE, seed: int = 1) -> Ed25519Signer:
    """A key pair that is the same in every run."""
    return signer_from_seed(participant, bytes([seed]) * 32)


def draft(number: int = 1, **changes: str) -> Draft:
    """What the source says about event ``number``."""
    said = {
        "id": uuid7(1_790_000_000_000 + number, number.to_bytes(10, "big")),
        "source": SOURCE,
        "subject": f"CL-320100-2026-{number:06d}",
        "time": TIME,
        "agreement": "yrd-enforcement@3",
        "addressee": OTHER,
    }
    return Draft(**{**said, **changes})


def sealed(value: Mapping[str, Any] = VALUE, schema: EventSchema = SCHEMA, **changes: str) -> Envelope:
    """A signed event."""
    return seal(schema, dict(value), draft(**changes), signer(), CountedEntropy())


def released(*schemas: EventSchema) -> ReleasedSchemas:
    """These schemas, released."""
    return collect(Release(schema.name, 1, schema) for schema in schemas or (SCHEMA,))


def _named(names: list[str], prefix: str) -> str:
    names.append(f"{prefix}{len(names)}")
    return names[-1]


def _type(draw: st.DrawFn, names: list[str], depth: int) -> Any:
    plain = ["boolean", "int", "long", "string", "bytes"]
    deep = ["record", "array"] if depth < 3 else []
    match draw(st.sampled_from([*plain, *plain, "enum", "fixed", *deep])):
        case "enum":
            size = draw(st.integers(1, 100))
            return {"type": "enum", "name": _named(names, "E"), "symbols": [f"S{i}" for i in range(size)]}
        case "fixed":
            return {"type": "fixed", "name": _named(names, "F"), "size": draw(st.integers(1, 40))}
        case "array":
            return {"type": "array", "items": _optional(draw, names, depth + 1)}
        case "record":
            name = _named(names, "R")
            return {"type": "record", "name": name, "fields": _fields(draw, names, depth + 1, 3)}
        case primitive:
            return primitive


def _optional(draw: st.DrawFn, names: list[str], depth: int) -> Any:
    kind = _type(draw, names, depth)
    return ["null", kind] if draw(st.booleans()) else kind


def _fields(draw: st.DrawFn, names: list[str], depth: int, most: int) -> list[dict[str, Any]]:
    return [{"name": f"f{i}", "type": _optional(draw, names, depth)} for i in range(draw(st.integers(1, most)))]


@st.composite
def schemas(draw: st.DrawFn) -> EventSchema:
    """Any schema that the codec takes, some of its nullable fields restricted."""
    fields = _fields(draw, [], 0, 6)
    for field in fields:
        if isinstance(field["type"], list) and draw(st.booleans()):
            field |= {"default": None, "ipx.disclosure": "restricted"}
    document = {"type": "record", "namespace": "cn.ipx.clue", "name": "AnythingSeen", "fields": fields}
    return compile_schema(json.dumps(document))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def values(schema: EventSchema) -> st.SearchStrategy[dict[str, Any]]:
    """Any value of the schema."""
    return _values(schema.json, {})


def _values(kind: Any, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case ["null", inner]:
            return st.none() | _values(inner, named)
        case "boolean":
            return st.booleans()
        case "int":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return st.integers(-(2**63), 2**63 - 1)
        case "string":
            return TEXT
        case "bytes":
            return st.binary(max_size=80)
        case {"logicalType": "timestamp-millis"}:
            return st.integers(0, 253_402_300_799_999)
        case {"logicalType": "date"}:
            return st.integers(-719_162, 2_932_896)
        case {"type": "array", "items": items}:
            return st.lists(_values(items, named), max_size=4)
        case {"type": "record", "fields": fields}:
            named[kind["name"]] = kind
            return st.fixed_dictionaries({field["name"]: _values(field["type"], named) for field in fields})
        case {"type": "enum", "symbols": symbols}:
            named[kind["name"]] = kind
            return st.sampled_from(symbols)
        case {"type": "fixed", "size": size}:
            named[kind["name"]] = kind
            return st.binary(min_size=size, max_size=size)
        case {"type": inner}:
            return _values(inner, named)
        case name:
            return _values(named[name], named)


@st.composite
def events(draw: st.DrawFn) -> tuple[EventSchema, dict[str, Any]]:
    """Any schema and a value of it."""
    schema = draw(schemas())
    return schema, draw(values(schema))


@st.composite
def mutated(draw: st.DrawFn, data: bytes, most: int = 3) -> bytes:
    """The bytes after a few random edits."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(changed)))
        byte = draw(st.integers(0, 255) | st.sampled_from(b"\n\r \t-:,.=/+A0aZ\x00\x80\xff"))
        match draw(st.sampled_from(["insert", "replace", "delete", "double", "cut"])):
            case "insert":
                changed.insert(at, byte)
            case "replace" if at < len(changed):
                changed[at] = byte
            case "delete" if at < len(changed):
                del changed[at]
            case "double":
                end = draw(st.integers(at, len(changed)))
                changed[at:at] = changed[at:end]
            case "cut":
                del changed[at : draw(st.integers(at, len(changed)))]
            case _:
                changed.append(byte)
    return bytes(changed)


def taken(parse: Callable[[Any], Any], data: Any, *codes: str) -> Any:
    """What was made of the data, None when it was refused with one of these codes; anything else is the test's failure."""
    try:
        return parse(data)
    except Refused as refused:
        if refused.code not in codes:
            raise
    return None
