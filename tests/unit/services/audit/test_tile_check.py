"""Every tile and bundle against the entries: a byte of any of them is missed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.sources import Finding
from services.audit.tile_check import TileCheck
from services.codec.checkpoint import Checkpoint, origin_of
from services.codec.merkle import EMPTY_ROOT, leaf_hash, levels_of
from tests.unit.services.audit.vault import CLUES, tiles_of

ENTRIES = [b"entry %d" % number for number in range(700)]


def head(entries: Sequence[bytes]) -> Checkpoint:
    levels = levels_of([leaf_hash(data) for data in entries]) if entries else [[EMPTY_ROOT]]
    return Checkpoint(origin_of(CLUES), len(entries), levels[-1][0])


def found(entries: Sequence[bytes], tiles: dict[str, bytes], of: Checkpoint) -> list[Finding]:
    check = TileCheck(CLUES, tiles.get, of)
    findings = [finding for offset, entry in enumerate(entries) for finding in check.take(3 * offset, entry)]
    return findings + check.end()


def grown() -> dict[str, bytes]:
    """Tiles of 512 entries that were 300 before: what was open then and is full now is gone."""
    upper = {path: data for path, data in tiles_of(ENTRIES[:300]).items() if path.startswith("tile/1/")}
    return {**upper, **tiles_of(ENTRIES[:512])}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 700])
def test_tiles_of_the_entries_agree(size: int) -> None:
    entries = ENTRIES[:size]
    assert found(entries, tiles_of(entries), head(entries)) == []
    assert found(ENTRIES, tiles_of(entries), head(entries)) == []  # a log that has grown since


def test_many_levels_agree() -> None:
    entries = [b"%d" % number for number in range(66_000)]
    assert found(entries, tiles_of(entries), head(entries)) == []


def test_the_beginning_of_a_full_tile_stands_for_a_partial_one() -> None:
    assert found(ENTRIES[:512], grown(), head(ENTRIES[:300])) == []


def test_an_entry_that_is_not_in_the_tree_is_named() -> None:
    changed = [*ENTRIES[:300], b"another", *ENTRIES[301:]]
    findings = found(changed, tiles_of(ENTRIES), head(ENTRIES))
    assert [(f.code, f.offset, f.seq) for f in findings] == [
        ("bundle-differs", 768, 256),
        ("not-in-tree", 900, 300),
        ("tile-differs", None, None),
        ("root-differs", None, None),
    ]


def test_a_log_shorter_than_its_checkpoint_is_named() -> None:
    codes = [finding.code for finding in found(ENTRIES[:600], tiles_of(ENTRIES), head(ENTRIES))]
    assert codes[-1] == "log-shorter"


@pytest.mark.parametrize("path", sorted(tiles_of(ENTRIES)))
def test_a_tile_that_is_gone_is_named(path: str) -> None:
    tiles = tiles_of(ENTRIES)
    del tiles[path]
    assert [(f.code, path in f.sentence) for f in found(ENTRIES, tiles, head(ENTRIES))] == [("tile-missing", True)]


@settings(max_examples=80, deadline=None)
@given(path=st.sampled_from(sorted(tiles_of(ENTRIES))), at=st.integers(0, 1 << 20), flip=st.integers(1, 255))
def test_no_byte_of_a_tile_can_be_changed_unseen(path: str, at: int, flip: int) -> None:
    tiles = dict(_TILES)
    data = tiles[path]
    at %= len(data)
    tiles[path] = data[:at] + bytes((data[at] ^ flip,)) + data[at + 1 :]
    assert found(ENTRIES, tiles, _HEAD)


@pytest.mark.parametrize("cut", [b"", b"x", b"\xff\xff"])
def test_a_bundle_that_is_none_is_named(cut: bytes) -> None:
    tiles = {**grown(), "tile/entries/001": cut}
    assert [f.code for f in found(ENTRIES[:512], tiles, head(ENTRIES[:512]))] == ["bundle-differs"]
    assert [f.code for f in found(ENTRIES[:300], tiles, head(ENTRIES[:300]))] == ["bundle-differs"]


_TILES = tiles_of(ENTRIES)
_HEAD = head(ENTRIES)
