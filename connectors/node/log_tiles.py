"""Computing over the tree of a log whose tiles come one by one over the network: each is fetched when the computation first asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from services.codec.tiles import Tree
from services.kernel.errors import Corrupt

MOST_TILES: Final = 128
"""A consistency proof of the largest tree needs fewer: two on each of eight levels, partial or full."""

T = TypeVar("T")
Fetch = Callable[[str], Awaitable[bytes | None]]
"""A tile by its path; None when it is not there."""


class _Wanted(Exception):
    """A tile that is not here yet."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


async def with_tiles(fetch: Fetch, size: int, use: Callable[[Tree], T]) -> T:
    """What ``use`` makes of the tree of that size. Hashing runs in a thread; ``use`` is begun anew after each tile, so it must not act.

    ``Corrupt`` for a tile that is missing or of a wrong length, or when more are asked for than any proof needs.
    """
    tiles: dict[str, bytes | None] = {}

    def read(path: str) -> bytes | None:
        if path not in tiles:
            raise _Wanted(path)
        return tiles[path]

    tree = Tree(read, size)
    while len(tiles) < MOST_TILES:
        try:
            return await asyncio.to_thread(use, tree)
        except _Wanted as wanted:
            tiles[wanted.path] = await fetch(wanted.path)
    raise Corrupt(f"more than {MOST_TILES} tiles were asked for of a tree of {size} entries")
