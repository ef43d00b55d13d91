"""Tiles are fetched when they are asked for, each once, and never without an end."""

from __future__ import annotations

import asyncio

import pytest

from connectors.node.log_tiles import MOST_TILES, with_tiles
from services.codec.tiles import Tree
from services.kernel.errors import Corrupt, Transient
from tests.unit.connectors.small_log import SmallLog


def test_each_tile_is_fetched_once_and_only_those_that_are_needed() -> None:
    log = SmallLog().grow(70_001)
    tiles, asked = log.tiles(), []

    async def fetch(path: str) -> bytes | None:
        asked.append(path)
        return tiles.get(path)

    root, proof = asyncio.run(with_tiles(fetch, log.size, lambda tree: (tree.root(), tree.consistency(60_000))))
    assert root == log.root()
    assert proof == Tree(tiles.get, log.size).consistency(60_000)
    assert len(asked) == len(set(asked)) < 10 < len(tiles)


def test_a_partial_tile_that_is_gone_is_taken_from_the_full_one() -> None:
    log = SmallLog().grow(300)
    early = log.fork(260)
    tiles = early.tiles() | log.fork(300).grow(212).tiles()
    del tiles["tile/0/001.p/4"]

    async def fetch(path: str) -> bytes | None:
        return tiles.get(path)

    assert asyncio.run(with_tiles(fetch, 260, lambda tree: tree.root())) == early.root()


def test_missing_tiles_are_corrupt_and_a_network_that_is_away_is_transient() -> None:
    async def nothing(_path: str) -> bytes | None:
        return None

    async def away(_path: str) -> bytes | None:
        raise Transient("away")

    with pytest.raises(Corrupt):
        asyncio.run(with_tiles(nothing, 300, lambda tree: tree.root()))
    with pytest.raises(Transient):
        asyncio.run(with_tiles(away, 300, lambda tree: tree.root()))


def test_it_does_not_fetch_for_ever() -> None:
    asked = []

    async def fetch(path: str) -> bytes | None:
        asked.append(path)
        return b"\0" * 8192

    with pytest.raises(Corrupt):
        asyncio.run(with_tiles(fetch, 10**9, lambda tree: [tree.leaf(n * 256) for n in range(1000)]))
    assert len(asked) == MOST_TILES
