"""Every byte of the small evidence files is touched, in four ways: none passes. Files of the largest size cost a bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from services.codec.keys import parse_public
from services.codec.tlog_policy import Policy, parse_policy
from services.verifier.verify import Options, verify
from tests.vectors.evidence.exchange import routes

HERE = Path(__file__).parent / "evidence"
FILES = {path.name: path.read_bytes() for path in HERE.glob("*.json")}
SMALL = FILES["key-added.json"]


@cache
def policy() -> Policy:
    return parse_policy((HERE / "policy").read_bytes())


@cache
def options() -> Options:
    return Options(root=parse_public((HERE / "root.pub").read_text()), routes=routes())


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_was_not_touched_passes(name: str) -> None:
    assert verify(FILES[name], policy(), options()).first_bad is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("flipped", "key-added.json"),
        ("left out", "key-added.json"),
        ("put in", "founding.json"),
        ("swapped", "founding.json"),
    ],
)
def test_no_byte_of_a_small_file_can_be_touched(kind: str, name: str) -> None:
    data, by, having = FILES[name], policy(), options()
    make: dict[str, Callable[[int], bytes]] = {
        "flipped": lambda at: data[:at] + bytes((data[at] ^ (1 << at % 8),)) + data[at + 1 :],
        "left out": lambda at: data[:at] + data[at + 1 :],
        "put in": lambda at: data[:at] + (data[at : at + 1], b" ", b"0", b"\n")[at % 4] + data[at:],
        "swapped": lambda at: data[:at] + data[at + 1 : at + 2] + data[at : at + 1] + data[at + 2 :],
    }
    taken = [
        at
        for at in range(len(data))
        if (other := make[kind](at)) != data and verify(other, by, having).first_bad is None
    ]
    assert taken == []


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"[]," * 340_000 + b"[]]",
        b'{"a":' * 200_000,
        b'"' + b"\\" * 1_000_000 + b'"',
        SMALL.replace(b'"entry": [', b'"entry": [' + b'"",' * 300_000, 1),
        SMALL.replace(b'"path": [', b'"path": [' + b'"' + b"A" * 43 + b'=",' * 20_000, 1),
    ],
)
def test_a_hostile_file_of_the_largest_size_costs_a_bounded_memory(data: bytes) -> None:
    tracemalloc.start()
    bad = verify(data, policy(), options()).first_bad
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bad is not None
    assert bad.number == 1
    assert peak < 64 << 20
