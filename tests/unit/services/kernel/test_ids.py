"""Event ids: UUIDv7 where an event is born, UUIDv8 where it follows, both of one spelling."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel.ids import is_event_id, uuid7, uuid8


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
@settings(deadline=None)
def test_a_born_id_is_a_uuid_of_version_7_with_its_time_in_front(now_ms: int, entropy: bytes) -> None:
    text = uuid7(now_ms, entropy)
    read = uuid.UUID(text)
    assert (read.version, read.variant, str(read)) == (7, uuid.RFC_4122, text)
    assert read.int >> 80 == now_ms
    assert is_event_id(text)


def test_ids_of_later_times_sort_after() -> None:
    assert uuid7(1_790_000_000_000, b"\xff" * 10) < uuid7(1_790_000_000_001, bytes(10))


@pytest.mark.parametrize("entropy", [b"", bytes(9), bytes(11)])
def test_an_id_takes_ten_random_bytes(entropy: bytes) -> None:
    with pytest.raises(ValueError, match="ten"):
        uuid7(0, entropy)


def test_a_derived_id_is_the_hash_that_the_format_says() -> None:
    data = b"ipx-derived-id/v1\n\x00\x00\x00\x05clues\x00\x00\x00\x01x\x00\x00\x00\x010"
    value = int.from_bytes(hashlib.sha256(data).digest()[:16], "big")
    value = value & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    assert uuid8("clues", "x", "0") == str(uuid.UUID(int=value))
    assert uuid.UUID(uuid8("clues", "x", "0")).version == 8


@given(st.lists(st.text(max_size=6), max_size=4), st.lists(st.text(max_size=6), max_size=4))
@settings(deadline=None)
def test_other_parts_give_another_id_and_the_same_parts_the_same(first: list[str], second: list[str]) -> None:
    assert (uuid8(*first) == uuid8(*second)) == (first == second)
    assert is_event_id(uuid8(*first))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0192f3c1-7b7e-4c58-a7ad-3a5a3c8e1f52",
        "0192f3c1-7b7e-7c58-c7ad-3a5a3c8e1f52",
        "0192F3C1-7B7E-7C58-A7AD-3A5A3C8E1F52",
        "0192f3c17b7e7c58a7ad3a5a3c8e1f52",
        "{0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52}",
        "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52\n",
        "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f5",
    ],
)
def test_other_texts_are_no_event_id(text: str) -> None:
    assert not is_event_id(text)
