"""Strict JSON: hostile text is refused with its code, in bounded time and memory, and never by a dying interpreter."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.strict_json import MAX_DEPTH, parse_json
from services.kernel.errors import Refused

MB = 1 << 20


def refusal(data: bytes, most_bytes: int = 8 * MB) -> tuple[str, str | None]:
    with pytest.raises(Refused) as caught:
        parse_json(data, most_bytes=most_bytes)
    return caught.value.code, caught.value.field


TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(TREES, st.booleans())
def test_json_is_read_as_everybody_reads_it(tree: Any, ascii_only: bool) -> None:
    text = json.dumps(tree, ensure_ascii=ascii_only)
    assert parse_json(text.encode(), most_bytes=MB) == json.loads(text)


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",:\\ntrue019.eE-', max_size=60).map(str.encode))
@settings(max_examples=150)
def test_any_text_is_read_or_refused(data: bytes) -> None:
    try:
        parse_json(data, most_bytes=MB)
    except Refused as refused:
        if refused.code not in ("bad-json", "bad-number", "duplicate-key"):
            raise


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        (b"", "bad-json", None),
        (b"{", "bad-json", None),
        (b"{} {}", "bad-json", None),
        (b"{'a': 1}", "bad-json", None),
        (b"[1,]", "bad-json", None),
        (b"// c\n1", "bad-json", None),
        (b"01", "bad-json", None),
        (b'"a\nb"', "bad-json", None),
        (b'"\xff"', "bad-json", None),
        (b'"\xc0\x80"', "bad-json", None),
        (b'"\xed\xa0\x80"', "bad-json", None),
        (b"\xef\xbb\xbf{}", "bad-json", None),
        ('{"a": 1}'.encode("utf-16"), "bad-json", None),
        (b"NaN", "bad-number", None),
        (b'{"a": [Infinity]}', "bad-number", None),
        (b"-Infinity", "bad-number", None),
        (b"1e400", "bad-number", None),
        (b"-1e999999999", "bad-number", None),
        (b"1." + b"0" * 400, "bad-number", None),
        (b"9" * 5000, "bad-number", None),
        (b'{"a": 1, "a": 1}', "duplicate-key", "a"),
        (b'[{"b": {"c": 1, "\\u0063": 2}}]', "duplicate-key", "c"),
        (b'{"' + b"k" * 500 + b'": 1, "' + b"k" * 500 + b'": 2}', "duplicate-key", "k" * 80),
    ],
)
def test_what_is_not_strict_json_is_refused(data: bytes, code: str, field: str | None) -> None:
    assert refusal(data) == (code, field)


def test_the_size_is_looked_at_first() -> None:
    assert refusal(b"\xff" * 11, most_bytes=10)[0] == "too-large"
    assert parse_json(b'"' + b"x" * 8 + b'"', most_bytes=10) == "x" * 8


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":', b'["\\"[",[', b'["[",'])
def test_nesting_past_the_limit_is_refused_without_following_it(opening: bytes) -> None:
    for times in (MAX_DEPTH + 1, 2_000, 200_000):
        assert refusal(opening * times) == ("bad-json", None)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 200, 900])
def test_well_formed_nesting_past_the_limit_is_refused(depth: int) -> None:
    for data in (
        b"[" * depth + b"]" * depth,
        b'{"a":' * depth + b"1" + b"}" * depth,
        b'["[", ' * depth + b"1" + b"]" * depth,
    ):
        json.loads(data)
        assert refusal(data) == ("bad-json", None)


def test_nesting_up_to_the_limit_and_brackets_in_texts_are_taken() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, most_bytes=MB)
    text = json.dumps(["[{" * 1000, {"[[[": '"[' * 100}] * 20)
    assert parse_json(text.encode(), most_bytes=MB) == json.loads(text)
    wide = json.dumps([[{}]] * 5000)
    assert parse_json(wide.encode(), most_bytes=MB) == json.loads(wide)


@pytest.mark.parametrize(
    "data",
    [
        b'"' * (2 * MB),
        b'["' + b'\\"' * MB,
        b'["' + b"\\" * (2 * MB),
        b'[{"a":"\\"' * (MB // 32),
        b"]" * (2 * MB),
        b"[" * MAX_DEPTH + b'"' + b"[" * (2 * MB),
        b"[" + b"[]," * (MB // 32),
        b"[" + b"1," * (MB // 4),
        b"[" + b"-" * (2 * MB),
    ],
)
def test_hostile_text_costs_linear_time_and_memory(data: bytes) -> None:
    began = time.process_time()
    tracemalloc.start()
    try:
        assert refusal(data) == ("bad-json", None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 20  # a bound, not a measure: quadratic work takes hours
    assert peak < 60 * len(data)
