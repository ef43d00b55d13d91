"""Merkle trees against an independent, recursive reading of RFC 6962 section 2.1."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.merkle import (
    EMPTY_ROOT,
    RightEdge,
    leaf_hash,
    levels_of,
    node_hash,
    path_in,
    path_length,
    root_from_path,
)
from services.kernel.errors import Corrupt


def mth(entries: list[bytes]) -> bytes:
    """MTH(D[n]) word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH(m, D[n]) word for word."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def entries_of(size: int) -> list[bytes]:
    return [f"entry {position}".encode() for position in range(size)]


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 255, 256, 257, 300])
def test_roots_and_paths_are_those_of_rfc_6962(size: int) -> None:
    entries = entries_of(size)
    levels = levels_of([leaf_hash(entry) for entry in entries])
    assert levels[-1][0] == mth(entries)
    for index in range(size):
        found = path_in(levels, index)
        assert list(found) == path(index, entries)
        assert len(found) == path_length(index, size)
        assert root_from_path(leaf_hash(entries[index]), index, size, found) == mth(entries)


@pytest.mark.parametrize("size", [*range(70), 255, 256, 257])
def test_the_right_edge_has_the_root_of_everything_appended(size: int) -> None:
    edge = RightEdge()
    for entry in entries_of(size):
        edge = edge.append(leaf_hash(entry))
    assert edge.root() == mth(entries_of(size))
    assert edge.size == size
    assert len(edge.peaks) == size.bit_count()
    assert RightEdge.from_bytes(edge.to_bytes()) == edge


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert RightEdge().root() == EMPTY_ROOT == mth([])


@given(st.integers(1, 40), st.data())
def test_no_other_index_size_or_path_leads_to_the_root(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    index = data.draw(st.integers(0, size - 1))
    good = path(index, entries)
    leaf = leaf_hash(entries[index])
    root = mth(entries)
    other_index = data.draw(st.integers(-2, size + 2).filter(lambda i: i != index))
    assert root_from_path(leaf, other_index, size, good) != root or path(other_index, entries) == good
    assert root_from_path(leaf, index, size, [*good, leaf]) != root
    if good:
        assert root_from_path(leaf, index, size, good[:-1]) != root
        position = data.draw(st.integers(0, len(good) - 1))
        flipped = bytes([good[position][0] ^ 1]) + good[position][1:]
        assert root_from_path(leaf, index, size, [*good[:position], flipped, *good[position + 1 :]]) != root


def test_a_path_of_a_wrong_length_leads_nowhere() -> None:
    leaf = leaf_hash(b"x")
    assert root_from_path(leaf, 0, 1, []) == leaf
    assert root_from_path(leaf, 0, 1, [leaf]) is None
    assert root_from_path(leaf, 0, 2, []) is None
    assert root_from_path(leaf, 2, 2, [leaf]) is None
    assert root_from_path(leaf, -1, 2, [leaf]) is None
    assert root_from_path(leaf, 0, 0, []) is None


def test_leaves_and_nodes_are_hashed_apart() -> None:
    left, right = leaf_hash(b"l"), leaf_hash(b"r")
    assert node_hash(left, right) != leaf_hash(left + right)
    assert node_hash(left, right) != node_hash(right, left)


@pytest.mark.parametrize("data", [b"", b"\x00" * 7, b"\x00" * 40, (3).to_bytes(8, "big") + b"\x00" * 32])
def test_a_stored_edge_that_does_not_fit_its_size_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        RightEdge.from_bytes(data)
