"""Tiles as C2SP tlog-tiles lays them out, and what is proved from them against RFC 6962 word for word."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.merkle import EMPTY_ROOT, is_consistent, leaf_hash, root_from_path
from services.codec.tiles import (
    Tree,
    bundle_path,
    new_tiles,
    pack_bundle,
    read_bundle,
    tile_path,
    unpack_bundle,
    width_at,
)
from services.kernel.errors import Corrupt, Refused
from tests.unit.services.codec.logs import RFC, entry, tiles_of
from tests.unit.services.codec.rfc6962 import Sparse

LARGE = 70_000
FILES = tiles_of(LARGE)
SMALL = {size: tiles_of(size) for size in range(71)}


def tree_of(size: int) -> Tree:
    """A tree of that size in the files of the largest, whose partial tiles are only those of the largest."""
    return Tree(SMALL.get(size, FILES).get, size)


@pytest.mark.parametrize(
    ("index", "text"),
    [(0, "000"), (999, "999"), (1000, "x001/000"), (1_234_067, "x001/x234/067"), (10**9, "x001/x000/x000/000")],
)
def test_a_tile_has_the_path_that_c2sp_gives_it(index: int, text: str) -> None:
    assert tile_path(0, index) == f"tile/0/{text}"
    assert tile_path(12, index, 7) == f"tile/12/{text}.p/7"
    assert bundle_path(index) == f"tile/entries/{text}"
    assert bundle_path(index, 255) == f"tile/entries/{text}.p/255"


def test_a_tree_of_seventy_thousand_has_the_tiles_that_c2sp_counts() -> None:
    tiles = list(new_tiles(0, 70_000))
    assert Counter((level, width) for level, _, width in tiles) == {
        (0, 256): 273,
        (0, 112): 1,
        (1, 256): 1,
        (1, 17): 1,
        (2, 1): 1,
    }
    assert [index for level, index, _ in tiles if level == 0] == list(range(274))


def test_a_tree_of_256_has_a_full_tile_and_a_partial_one_above_it() -> None:
    assert list(new_tiles(0, 256)) == [(0, 0, 256), (1, 0, 1)]


def test_an_empty_tree_has_no_tile() -> None:
    assert list(new_tiles(0, 0)) == []
    assert Tree({}.get, 0).root() == EMPTY_ROOT


@given(st.integers(0, 200_000), st.integers(0, 70_000))
def test_a_grown_tree_gets_the_tiles_that_it_has_and_the_smaller_one_had_not(old: int, grown: int) -> None:
    def all_of(size: int) -> set[tuple[int, int, int]]:
        found = set()
        for level in range(4):
            hashes = size // 256**level
            found |= {(level, n, 256) for n in range(hashes // 256)}
            found |= {(level, hashes // 256, hashes % 256)} if hashes % 256 else set()
        return found

    new = list(new_tiles(old, old + grown))
    assert len(new) == len(set(new))
    assert set(new) == all_of(old + grown) - all_of(old)


def test_a_width_is_what_is_left_for_the_tile() -> None:
    assert [width_at(0, n, 513) for n in range(4)] == [256, 256, 1, 0]
    assert [width_at(1, n, 70_000) for n in range(3)] == [256, 17, 0]


@pytest.mark.parametrize("size", range(1, 71))
def test_roots_leaves_and_proofs_from_tiles_are_those_of_rfc_6962(size: int) -> None:
    tree = tree_of(size)
    assert tree.root() == RFC.mth(0, size)
    for index in range(size):
        assert tree.leaf(index) == leaf_hash(entry(index))
        assert list(tree.inclusion(index)) == RFC.path(index, 0, size)
    for old in range(1, size + 1):
        assert list(tree.consistency(old)) == (RFC.proof(old, size) if old < size else [])
    assert tree.consistency(0) == ()


@pytest.mark.parametrize("size", [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, LARGE])
def test_trees_whose_tiles_begin_and_end_are_those_of_rfc_6962(size: int) -> None:
    tree = Tree(tiles_of(size).get, size)
    assert tree.root() == RFC.mth(0, size)
    for index in {0, 1, 254, 255, 256, 257, size // 2, size - 257, size - 256, size - 255, size - 2, size - 1}:
        if 0 <= index < size:
            assert list(tree.inclusion(index)) == RFC.path(index, 0, size)
            assert list(tree.consistency(index)) == (RFC.proof(index, size) if index else [])


@settings(max_examples=60)
@given(st.integers(1, LARGE), st.data())
def test_a_smaller_tree_is_proved_from_the_full_tiles_of_a_larger_one(size: int, data: st.DataObject) -> None:
    full = {path: tile for path, tile in FILES.items() if ".p/" not in path}
    tree = Tree(lambda path: full.get(path) or FILES.get(path) or partial(path, size), size)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = RFC.mth(0, size)
    assert tree.root() == root
    assert root_from_path(leaf_hash(entry(index)), index, size, tree.inclusion(index)) == root
    assert is_consistent(old, RFC.mth(0, old), size, root, tree.consistency(old))


def partial(path: str, size: int) -> bytes | None:
    """A partial tile of a level that has no full one at its index yet."""
    level = int(path.split("/")[1])
    index, width = (size >> 8 * level) // 256, (size >> 8 * level) % 256
    if path != tile_path(level, index, width) or FILES.get(tile_path(level, index)):
        return None
    span = 256**level
    return b"".join(RFC.mth(n * span, (n + 1) * span) for n in range(index * 256, index * 256 + width))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10**18 - 1) | st.integers(1, 60).map(lambda bits: (1 << bits) - 1), st.data())
def test_proofs_of_trees_of_any_size_are_those_of_rfc_6962(size: int, data: st.DataObject) -> None:
    size = min(size, 10**18 - 1)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    definition = Sparse(index)
    reads = []

    def read(path: str) -> bytes:
        reads.append(path)
        _, level, *parts = path.split("/")
        width = int(parts.pop()) if path.rpartition("/")[0].endswith(".p") else 256
        at, span = int("".join(part.strip("x.p") for part in parts)), 256 ** int(level)
        return b"".join(definition.mth(n * span, (n + 1) * span) for n in range(at * 256, at * 256 + width))

    tree = Tree(read, size)
    root = definition.mth(0, size)
    assert tree.root() == root
    assert list(tree.inclusion(index)) == definition.path(index, 0, size)
    assert list(tree.consistency(old)) == (definition.proof(old, size) if old < size else [])
    assert root_from_path(tree.leaf(index), index, size, tree.inclusion(index)) == root
    assert is_consistent(old, definition.mth(0, old), size, root, tree.consistency(old))
    assert len(reads) <= 3 * 8


@given(st.integers(1, 70), st.data())
def test_a_subtree_is_the_tree_over_its_entries(size: int, data: st.DataObject) -> None:
    start, end = sorted((data.draw(st.integers(-2, size + 2)), data.draw(st.integers(-2, size + 2))))
    power = 1
    while power < end - start:
        power *= 2
    if 0 <= start < end <= size and start % power == 0:
        assert tree_of(size).subtree(start, end) == RFC.mth(start, end)
    else:
        with pytest.raises(Refused) as refusal:
            tree_of(size).subtree(start, end)
        assert refusal.value.code == "not-in-log"


def test_what_is_not_in_the_tree_is_refused() -> None:
    tree = tree_of(70)
    for ask in (tree.leaf, tree.inclusion):
        for index in (-1, 70, 71, 300):
            with pytest.raises(Refused) as refusal:
                ask(index)
            assert refusal.value.code == "not-in-log"
    for old in (-1, 71):
        with pytest.raises(Refused) as refusal:
            tree.consistency(old)
        assert refusal.value.code == "not-in-log"
    for size in (-1, 10**18):
        with pytest.raises(Refused):
            Tree({}.get, size)


def prove(tree: Tree, index: int) -> None:
    tree.root()
    tree.inclusion(index)


@pytest.mark.parametrize("path", [tile_path(0, 273, 112), tile_path(1, 1, 17), tile_path(2, 0, 1), tile_path(0, 5)])
def test_a_tile_that_is_gone_or_of_a_wrong_length_is_corrupt(path: str) -> None:
    index = 5 * 256 if path == tile_path(0, 5) else 69_999
    for tile in (None, FILES[path][:-1], FILES[path] + b"\x00", b""):
        tree = Tree(lambda asked, tile=tile: tile if asked == path else FILES.get(asked), LARGE)
        with pytest.raises(Corrupt):
            prove(tree, index)


def test_a_partial_tile_that_is_gone_is_the_beginning_of_the_full_one() -> None:
    files = tiles_of(300)
    assert Tree(files.get, 200).root() == RFC.mth(0, 200)
    assert read_bundle(files.get, 0, 200) == [entry(n) for n in range(200)]
    with pytest.raises(Corrupt):
        Tree(files.get, 290).root()
    with pytest.raises(Corrupt):
        read_bundle(files.get, 1, 43)


def test_a_tree_reads_each_tile_once_and_few_of_them() -> None:
    reads: Counter[str] = Counter()

    def read(path: str) -> bytes | None:
        reads[path] += 1
        return FILES.get(path)

    tree = Tree(read, LARGE)
    tree.root()
    tree.inclusion(12_345)
    tree.consistency(54_321)
    assert max(reads.values()) == 1
    assert len(reads) <= 8


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_unpacks_to_what_was_packed(entries: list[bytes]) -> None:
    assert unpack_bundle(pack_bundle(entries), len(entries)) == entries


def test_a_bundle_is_lengths_in_two_bytes_and_entries() -> None:
    assert pack_bundle([b"ab", b"", b"c" * 258]) == b"\x00\x02ab\x00\x00\x01\x02" + b"c" * 258
    assert unpack_bundle(pack_bundle([b"x" * 0xFFFF]), 1) == [b"x" * 0xFFFF]


def test_a_bundle_of_another_count_or_cut_short_is_refused() -> None:
    bundle = pack_bundle([b"one", b"two"])
    for data, width in ((bundle, 1), (bundle, 3), (bundle[:-1], 2), (bundle[:6], 2), (bundle + b"\x00", 2), (b"", 1)):
        with pytest.raises(Refused) as refusal:
            unpack_bundle(data, width)
        assert refusal.value.code == "bad-tile"
    with pytest.raises(Refused) as refusal:
        pack_bundle([b"x" * 0x10000])
    assert refusal.value.code == "bad-tile"


def test_bundles_hold_the_entries_of_the_tiles_beside_them() -> None:
    for index, width in ((0, 256), (272, 256), (273, 112)):
        entries = read_bundle(FILES.get, index, width)
        assert b"".join(leaf_hash(one) for one in entries) == FILES[tile_path(0, index, width)]
