"""The SM3 tree against RFC 6962 section 2.1 read word for word over the SM3 of OpenSSL, which Python's hashlib uses."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec import merkle, sm3_tree
from services.codec.sm3_tree import EMPTY_ROOT, Sm3Edge, leaf_hash, levels_of, node_hash, root_from_path
from services.kernel.errors import Corrupt


def sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(entries: list[bytes]) -> bytes:
    """MTH(D[n]) word for word."""
    if not entries:
        return sm3(b"")
    if len(entries) == 1:
        return sm3(b"\x00" + entries[0])
    k = split(len(entries))
    return sm3(b"\x01" + mth(entries[:k]) + mth(entries[k:]))


def entries_of(size: int) -> list[bytes]:
    return [f"entry {position}".encode() for position in range(size)]


def test_hashes_of_leaf_node_and_nothing() -> None:
    assert EMPTY_ROOT == sm3(b"") == Sm3Edge().root()
    assert leaf_hash(b"entry") == sm3(b"\x00entry")
    assert node_hash(bytes(32), b"\x01" * 32) == sm3(b"\x01" + bytes(32) + b"\x01" * 32)


@pytest.mark.parametrize("size", [*range(1, 34), 63, 64, 65, 127, 128, 129, 300])
def test_roots_and_paths_are_those_of_rfc_6962_over_sm3(size: int) -> None:
    entries = entries_of(size)
    leaves = [leaf_hash(entry) for entry in entries]
    levels = levels_of(leaves)
    assert levels[-1][0] == mth(entries) == Sm3Edge().extend(leaves).root()
    for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
        assert root_from_path(leaves[index], index, size, merkle.path_in(levels, index)) == mth(entries)


@given(st.integers(1, 200), st.data())
def test_a_changed_leaf_path_index_or_size_leads_elsewhere(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(entry) for entry in entries_of(size)]
    levels = levels_of(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.path_in(levels, index)
    root = levels[-1][0]
    assert root_from_path(bytes(32), index, size, path) != root
    assert root_from_path(leaves[index], index, size, (*path, bytes(32))) is None
    assert root_from_path(leaves[index], size, size, path) is None
    assert merkle.root_from_path(leaves[index], index, size, path) != root or size == 1
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        assert root_from_path(leaves[index], index, size, (*path[:at], bytes(32), *path[at + 1 :])) != root
        assert root_from_path(leaves[index], index, size, path[1:]) is None
        assert root_from_path(leaves[index], index ^ 1, size, path) != root


@given(st.lists(st.integers(0, 20), max_size=12))
def test_an_edge_grows_by_any_steps_and_survives_being_written_down(steps: list[int]) -> None:
    edge, entries = Sm3Edge(), []
    for step in steps:
        more = entries_of(len(entries) + step)[len(entries) :]
        entries += more
        edge = Sm3Edge.from_bytes(edge.extend(map(leaf_hash, more)).to_bytes())
        assert (edge.size, edge.root()) == (len(entries), mth(entries))
    one_by_one = Sm3Edge()
    for entry in entries:
        one_by_one = one_by_one.append(leaf_hash(entry))
    assert one_by_one == edge


@pytest.mark.parametrize(
    "data", [b"", bytes(7), bytes(9), bytes(7) + b"\x01", bytes(7) + b"\x03" + bytes(32), bytes(40)]
)
def test_an_edge_whose_peaks_do_not_fit_its_size_is_corrupt(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Sm3Edge.from_bytes(data)


def test_the_edge_of_one_tree_has_another_root_than_that_of_the_other() -> None:
    entries = entries_of(5)
    other = merkle.RightEdge().extend(map(merkle.leaf_hash, entries))
    assert Sm3Edge().extend(map(sm3_tree.leaf_hash, entries)).root() != other.root()
