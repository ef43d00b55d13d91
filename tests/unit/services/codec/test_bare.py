"""The bare loop's codec agrees with ours on good bytes, and takes bytes that ours refuses."""

from __future__ import annotations

import pytest

from services.codec.bare import bare_codec
from services.codec.released import load_released
from services.kernel.errors import Refused

SCHEMA = load_released().named("cn.ipx.receipt.Delivered")
VALUE = {field["name"]: "320100.market_regulator" for field in SCHEMA.json["fields"] if field["type"] == "string"}


def test_it_reads_and_writes_the_bytes_that_the_guarded_codec_does() -> None:
    decode, encode = bare_codec(SCHEMA)
    value = {field["name"]: VALUE.get(field["name"], field.get("default", 0)) for field in SCHEMA.json["fields"]}
    body = SCHEMA.encode(value)
    assert encode(decode(body)) == body


def test_it_checks_nothing() -> None:
    decode, _ = bare_codec(SCHEMA)
    value = {field["name"]: VALUE.get(field["name"], field.get("default", 0)) for field in SCHEMA.json["fields"]}
    body = SCHEMA.encode(value) + b"\x00"
    assert decode(body)
    with pytest.raises(Refused):
        SCHEMA.decode(body)
