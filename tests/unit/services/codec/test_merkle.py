"""Merkle trees against an independent, recursive reading of RFC 6962 section 2.1."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.merkle import (
    EMPTY_ROOT,
    RightEdge,
    climb,
    is_consistent,
    leaf_hash,
    levels_of,
    node_hash,
    path_in,
    path_length,
    root_from_path,
)
from services.kernel.errors import Corrupt
from tests.unit.services.codec.logs import RFC


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


@given(st.integers(1, 70), st.data())
def test_a_way_up_that_meets_a_known_one_leads_to_the_same_root(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    levels = levels_of(leaves)
    known = None
    for index in data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=20)):
        path = path_in(levels, index)
        way = climb(leaves[index], index, size, path, known)
        assert way == climb(leaves[index], index, size, path)
        assert way is not None
        assert way.root == levels[-1][0]
        known = way


@given(st.integers(2, 70), st.data())
def test_no_changed_hash_of_a_path_is_believed_because_another_way_is_known(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    levels = levels_of(leaves)
    first, second = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    known = climb(leaves[first], first, size, path_in(levels, first))
    path = list(path_in(levels, second))
    at = data.draw(st.integers(0, len(path) - 1))
    path[at] = bytes([path[at][0] ^ 1]) + path[at][1:]
    way = climb(leaves[second], second, size, tuple(path), known)
    assert way is not None
    assert way.root != levels[-1][0]
    assert climb(leaves[second], second, size, tuple(path[:-1]), known) is None
    assert climb(leaves[second], second, size + 1, tuple(path), known) != known


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=40), st.integers(0, 40))
def test_leaves_appended_at_once_make_the_edge_of_leaves_appended_one_by_one(leaves: list[bytes], at: int) -> None:
    one_by_one = RightEdge()
    for leaf in leaves:
        one_by_one = one_by_one.append(leaf)
    assert RightEdge().extend(leaves[:at]).extend(leaves[at:]) == one_by_one


@pytest.mark.parametrize("size", range(1, 71))
def test_a_consistency_proof_of_rfc_6962_is_taken_and_none_other_of_its_sizes(size: int) -> None:
    root = RFC.mth(0, size)
    for old in range(1, size):
        old_root, proof = RFC.mth(0, old), RFC.proof(old, size)
        assert is_consistent(old, old_root, size, root, proof)
        assert not is_consistent(old, root, size, root, proof)
        assert not is_consistent(old, old_root, size, old_root, proof)
        assert not is_consistent(old, old_root, size, root, proof[:-1])
        assert not is_consistent(old, old_root, size, root, proof[1:])
        assert not is_consistent(old, old_root, size, root, [*proof, root])
        assert not is_consistent(old, old_root, size, root, [old_root, *proof])
        for at in range(len(proof)):
            changed = [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]
            assert not is_consistent(old, old_root, size, root, changed)


@given(st.integers(1, 70), st.data())
def test_a_consistency_proof_is_one_of_its_own_sizes_alone(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    proof = RFC.proof(old, size) if old < size else []
    other, larger = data.draw(st.integers(-1, 72)), data.draw(st.integers(-1, 72))
    taken = is_consistent(other, RFC.mth(0, max(0, min(other, 72))), larger, RFC.mth(0, max(0, min(larger, 72))), proof)
    honest = 0 < other < larger and RFC.proof(other, larger) == proof
    assert taken == (honest or (not proof and (0 == other <= larger or 0 <= other == larger)))


def test_every_tree_continues_the_empty_one_and_itself_with_an_empty_path() -> None:
    root, other = RFC.mth(0, 5), RFC.mth(0, 6)
    assert is_consistent(0, EMPTY_ROOT, 5, root, [])
    assert is_consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert is_consistent(5, root, 5, root, [])
    assert not is_consistent(0, root, 5, root, [])
    assert not is_consistent(0, EMPTY_ROOT, 5, root, [root])
    assert not is_consistent(5, root, 5, other, [])
    assert not is_consistent(5, root, 5, root, [root])
    assert not is_consistent(6, other, 5, root, [])
    assert not is_consistent(-1, root, 5, root, [])
    assert not is_consistent(4, RFC.mth(0, 4), 5, RFC.mth(0, 4), [])


def test_a_tree_that_forked_is_no_continuation() -> None:
    """The old tree and the new one share 4 of 6 entries; each proof is right for its own history."""
    honest, forked = RFC.mth(0, 6), mth([*(f"entry {n}".encode() for n in range(4)), b"x", b"y"])
    for proof in (RFC.proof(6, 9), RFC.proof(4, 9), []):
        assert not is_consistent(6, forked, 9, RFC.mth(0, 9), proof)
    assert is_consistent(6, honest, 9, RFC.mth(0, 9), RFC.proof(6, 9))
