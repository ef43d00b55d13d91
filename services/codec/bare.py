"""The bare loop's codec: what a consumer does that checks nothing. For benchmarks, as the line to compare with."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, cast

import fastavro

from services.codec.schema import EventSchema, Value

Decode = Callable[[bytes], Value]
Encode = Callable[[Value], bytes]


def bare_codec(schema: EventSchema) -> tuple[Decode, Encode]:
    """fastavro as it is, without guard, canonical check or commitment. Never use it on bytes that a stranger sent."""
    parsed: Any = schema.parsed

    def decode(body: bytes) -> Value:
        return cast(Value, fastavro.schemaless_reader(io.BytesIO(body), parsed, None))

    def encode(value: Value) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, value)
        return out.getvalue()

    return decode, encode
