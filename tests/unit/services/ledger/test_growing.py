from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.merkle import RightEdge, leaf_hash
from services.codec.tiles import Tree, bundle_path, new_tiles, tile_path
from services.kernel.errors import Corrupt
from services.ledger.growing import GrowingTree


def grown(sizes: list[int]) -> tuple[GrowingTree, dict[str, bytes], list[bytes]]:
    """A tree that was signed at each of these sizes, its files, its entries."""
    tree, files, entries = GrowingTree(), {}, []
    for size in sizes:
        while tree.size < size:
            entries.append(b"entry %d" % tree.size)
            files.update(tree.append(entries[-1]))
        files.update(tree.partials())
    return tree, files, entries


@given(st.lists(st.integers(0, 1200), min_size=1, max_size=6).map(sorted))
@settings(max_examples=40, deadline=None)
def test_the_files_are_those_that_the_layout_names_and_give_the_root(sizes: list[int]) -> None:
    tree, files, entries = grown(sizes)
    wanted = set()
    for old, new in zip([0, *sizes], sizes, strict=False):
        for level, index, width in new_tiles(old, new):
            wanted.add(tile_path(level, index, width))
            wanted |= {bundle_path(index, width)} if level == 0 else set()
    full = {path for path in files if ".p/" not in path}
    assert {path for path in files if ".p/" in path} == {path for path in wanted if ".p/" in path}
    assert {path for path in wanted if ".p/" not in path} <= full
    edge = RightEdge().extend(map(leaf_hash, entries))
    assert (tree.edge(), tree.root()) == (edge, edge.root())
    assert all(
        Tree(files.get, size).root() == RightEdge().extend(map(leaf_hash, entries[:size])).root() for size in sizes
    )


def test_three_levels_fill_as_rfc_6962_says() -> None:
    size = 256 * 256 + 3
    tree, files, entries = grown([size])
    assert Tree(files.get, size).root() == RightEdge().extend(map(leaf_hash, entries)).root()
    assert {tile_path(1, 0), tile_path(2, 0, 1), tile_path(0, 256, 3), bundle_path(255)} <= files.keys()
    assert GrowingTree.from_tiles(files.get, size).edge() == tree.edge()


@given(st.integers(0, 1100), st.integers(0, 600))
@settings(max_examples=40, deadline=None)
def test_a_tree_read_back_from_its_tiles_grows_to_the_same_files(size: int, more: int) -> None:
    _, files, _ = grown([size])
    whole, all_files, _ = grown([size, size + more])
    tree = GrowingTree.from_tiles(files.get, size)
    assert tree.partials() == grown([size])[0].partials()
    for number in range(size, size + more):
        files.update(tree.append(b"entry %d" % number))
    files.update(tree.partials())
    assert (tree.root(), files) == (whole.root(), all_files)


@pytest.mark.parametrize("path", ["tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"])
def test_a_tile_that_is_missing_or_cut_is_corrupt(path: str) -> None:
    _, files, _ = grown([300])
    for damaged in (None, files[path][:-1]):
        changed = {**files, path: damaged}
        with pytest.raises(Corrupt):
            GrowingTree.from_tiles(changed.get, 300)


def test_entries_that_are_not_those_of_the_hashes_are_corrupt() -> None:
    _, files, _ = grown([300])
    other = files["tile/entries/001.p/44"].replace(b"entry 299", b"entry 298")
    with pytest.raises(Corrupt, match="same entries"):
        GrowingTree.from_tiles({**files, "tile/entries/001.p/44": other}.get, 300)
