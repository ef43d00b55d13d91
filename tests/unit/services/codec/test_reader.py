"""The strict reader: canonical bytes and nothing else, never more memory than the bytes deserve, never the interpreter's death."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.reader import MAX_ITEMS
from services.codec.schema import MAX_BODY_BYTES, EventSchema, compile_schema
from services.kernel.errors import Refused
from tests.unit.services.codec.samples import SCHEMA, VALUE, events, mutated, taken

ROOT = Path(__file__).resolve().parents[5]
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}
FIXED = {"type": "fixed", "name": "F", "size": 3}
RECORD = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
INTS = {"type": "array", "items": "int"}
PAIR = {"type": "record", "name": "P", "fields": [{"name": "a", "type": INTS}, {"name": "b", "type": "int"}]}
TABLES = {"type": "array", "items": INTS}


def one(kind: Any, **more: Any) -> EventSchema:
    """A schema with one field."""
    fields = [{"name": "f", "type": kind, **more}]
    return compile_schema(json.dumps({"type": "record", "namespace": "cn.ipx.clue", "name": "T", "fields": fields}))


def zigzag(number: int) -> bytes:
    """A long as Avro writes it."""
    raw = (number << 1) ^ (number >> 63)
    out = bytearray()
    while raw > 0x7F:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    return bytes([*out, raw])


def refusal(schema: EventSchema, body: bytes) -> str:
    """Code of the refusal."""
    with pytest.raises(Refused) as caught:
        schema.decode(body)
    return caught.value.code


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        ("int", b"", "undecodable"),
        ("int", b"\x80", "undecodable"),
        ("int", b"\x80\x00", "not-canonical"),
        ("int", b"\x82\x80\x00", "not-canonical"),
        ("int", zigzag(2**31), "undecodable"),
        ("int", zigzag(-(2**31) - 1), "undecodable"),
        ("long", b"\xff" * 10, "undecodable"),
        ("long", b"\xff" * 9 + b"\x02", "undecodable"),
        ("long", b"\x80" * 9 + b"\x00", "not-canonical"),
        ("long", b"\x80" * 262_143 + b"\x01", "undecodable"),
        ("long", b"\x02\x02", "not-canonical"),
        ("boolean", b"\x02", "not-canonical"),
        ("boolean", b"\xff", "not-canonical"),
        ("string", b"\x01", "undecodable"),
        ("string", b"\x81\x00", "not-canonical"),
        ("string", b"\x04a", "undecodable"),
        ("string", zigzag(2**62) + b"a", "undecodable"),
        ("string", zigzag(-(2**62)) + b"a", "undecodable"),
        ("string", zigzag(2**63 - 1), "undecodable"),
        ("string", b"\x02\xff", "undecodable"),
        ("string", b"\x04\xc0\x80", "undecodable"),
        ("string", b"\x06\xed\xa0\x80", "undecodable"),
        ("string", b"\x08\xf4\x90\x80\x80", "undecodable"),
        ("bytes", b"\x06ab", "undecodable"),
        ("bytes", zigzag(2**62), "undecodable"),
        (FIXED, b"ab", "undecodable"),
        (FIXED, b"abcd", "not-canonical"),
        (ENUM, b"\x04", "undecodable"),
        (ENUM, b"\x01", "undecodable"),
        (ENUM, b"\x82\x00", "not-canonical"),
        (["null", "int"], b"", "undecodable"),
        (["null", "int"], b"\x01", "undecodable"),
        (["null", "int"], b"\x04\x02", "undecodable"),
        (["null", "int"], b"\x82\x00\x02", "not-canonical"),
        (["null", "int"], b"\x80\x00", "not-canonical"),
        (INTS, b"", "undecodable"),
        (INTS, b"\x80\x00", "not-canonical"),
        (INTS, b"\x02\x02", "undecodable"),
        (INTS, b"\x01\x02\x02\x00", "not-canonical"),
        (INTS, b"\x02\x02\x02\x02\x00", "not-canonical"),
        (INTS, zigzag(2**62), "too-many-items"),
        (INTS, zigzag(-(2**63)), "not-canonical"),
        (INTS, zigzag(MAX_ITEMS + 1) + b"\x02" * (MAX_ITEMS + 1) + b"\x00", "too-many-items"),
        (TABLES, b"\x04" + 2 * (zigzag(6000) + b"\x02" * 6000 + b"\x00") + b"\x00", "too-many-items"),
        (PAIR, b"\x02\x02\x00\x06\x06", "not-canonical"),
        (PAIR, b"\x02\x02\x04\x06", "not-canonical"),
        (PAIR, b"\x02\x02\x01\x06", "not-canonical"),
        (RECORD, b"", "undecodable"),
    ],
)
def test_bytes_that_are_not_the_canonical_encoding_are_refused(kind: Any, body: bytes, code: str) -> None:
    assert refusal(one(kind), body) == code


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        ("int", zigzag(2**31 - 1), 2**31 - 1),
        ("int", zigzag(-(2**31)), -(2**31)),
        ("long", zigzag(2**63 - 1), 2**63 - 1),
        ("long", zigzag(-(2**63)), -(2**63)),
        ("boolean", b"\x00", False),
        ("boolean", b"\x01", True),
        ("string", b"\x00", ""),
        ("string", zigzag(200) + b"x" * 200, "x" * 200),
        ("string", b"\x02\x00", "\x00"),
        ("bytes", b"\x04\xff\x00", b"\xff\x00"),
        (FIXED, b"abc", b"abc"),
        (ENUM, b"\x02", "B"),
        (["null", ENUM], b"\x02\x00", "A"),
        (INTS, b"\x00", []),
        (INTS, zigzag(MAX_ITEMS) + b"\x02" * MAX_ITEMS + b"\x00", [1] * MAX_ITEMS),
        ({"type": "array", "items": ["null", "int"]}, b"\x04\x00\x02\x02\x00", [None, 1]),
        ({"type": "long", "logicalType": "timestamp-millis"}, zigzag(1_790_000_000_123), 1_790_000_000_123),
        ({"type": "int", "logicalType": "date"}, zigzag(-(2**31)), -(2**31)),
    ],
)
def test_every_bound_itself_is_read(kind: Any, body: bytes, value: Any) -> None:
    assert one(kind).decode(body) == {"f": value}
    assert one(kind).encode({"f": value}) == body


@pytest.mark.parametrize(
    "kind",
    [
        "null",
        "double",
        "float",
        "T",
        {"type": "map", "values": "int"},
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}},
        {"type": "fixed", "name": "None", "size": 0},
        {"type": "enum", "name": "None", "symbols": []},
        ["null", "T"],
        ["int", "null"],
        ["null", "int", "string"],
        ["null"],
        ["null", ["null", "int"]],
        {"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", "R"]}]},
        "Unknown",
        {"type": "string", "logicalType": "decimal", "no": {}, "type ": 1} | {"type": 3},
    ],
)
def test_a_schema_without_a_canonical_form_or_a_bound_is_refused(kind: Any) -> None:
    with pytest.raises(Refused) as caught:
        one(kind)
    assert caught.value.code == "bad-schema"


def test_a_schema_that_nests_past_the_limit_is_refused() -> None:
    kind: Any = "int"
    for _ in range(40):
        kind = {"type": "array", "items": kind}
    with pytest.raises(Refused) as caught:
        one(kind)
    assert caught.value.code == "bad-schema"


@given(events())
@settings(max_examples=150, deadline=None)
def test_what_fastavro_writes_is_read_as_fastavro_reads_it(event: tuple[EventSchema, dict[str, Any]]) -> None:
    schema, value = event
    body = schema.encode(value)
    read, parts = schema.decode_parts(body)
    assert read == value
    assert read == fastavro.schemaless_reader(io.BytesIO(body), schema.parsed, None)
    assert b"".join(parts) == body
    assert len(parts) == len(schema.segments)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_other_bytes_are_refused_or_are_the_canonical_encoding_of_what_is_read(data: st.DataObject) -> None:
    body = data.draw(mutated(SCHEMA.encode(VALUE)) | st.binary(max_size=200))
    value = taken(SCHEMA.decode, body, "undecodable", "not-canonical", "too-many-items")
    assert value is None or SCHEMA.encode(value) == body


def test_a_number_that_fills_the_body_is_refused_at_its_eleventh_byte() -> None:
    began = time.process_time()
    for _ in range(20):
        assert refusal(one("long"), b"\x80" * 262_143 + b"\x01") == "undecodable"
    assert time.process_time() - began < 5  # a bound, not a measure: building the number takes a minute


@pytest.mark.parametrize(
    "body",
    [
        zigzag(MAX_ITEMS) + b"\x00" * (MAX_BODY_BYTES - 3),
        b"\xfe" * MAX_BODY_BYTES,
        zigzag(2**60) + b"\x00" * (MAX_BODY_BYTES - 10),
        b"\x02" * MAX_BODY_BYTES,
        b"\x00" * MAX_BODY_BYTES,
    ],
)
@pytest.mark.parametrize("items", ["string", RECORD, {"type": "array", "items": {"type": "array", "items": "bytes"}}])
def test_memory_stays_a_small_multiple_of_the_body_and_time_is_short(body: bytes, items: Any) -> None:
    schema = one({"type": "array", "items": items})
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(Refused):
            schema.decode(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * MAX_BODY_BYTES
    assert time.process_time() - began < 10  # a bound, not a measure: quadratic work takes minutes


HOSTILE = """
import random, resource, sys
from services.codec.released import load_released
from services.kernel.errors import Refused
schemas = list(load_released().by_digest.values())
assert schemas
pieces = [b"\\x00", b"\\x02", b"\\x01", b"\\xff" * 9 + b"\\x01", b"\\xfe" * 9 + b"\\x01", b"\\x80" * 40, b"\\xa0\\x9c\\x01", b"\\x14", b"\\xe4\\xb8\\xad"]
draw = random.Random(8032)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for turn in range(4000):
    if turn % 40 == 0:
        body = draw.choice(pieces) * draw.randrange(1, 260_000 // 8)
    else:
        body = b"".join(draw.choice(pieces) if draw.random() < 0.7 else draw.randbytes(3) for _ in range(draw.randrange(0, 120)))
    for schema in draw.sample(schemas, 3):
        try:
            schema.decode(body)
        except Refused:
            pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_hostile_bytes_neither_kill_the_interpreter_nor_grow_it() -> None:
    run = subprocess.run(
        [sys.executable, "-c", HOSTILE], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert int(run.stdout) < 64 * 1024  # KiB
