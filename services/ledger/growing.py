"""A tree that grows by entries and gives its tiles: pure, and a function of the entries alone (``FORMAT.md`` sections 6.1 and 6.3).

Holds the open tile of each level and the open bundle, at most 255 hashes and entries each, whatever the size of the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.codec.merkle import RightEdge, leaf_hash
from services.codec.tiles import (
    HASH,
    HEIGHT,
    WIDTH,
    Read,
    bundle_path,
    pack_bundle,
    read_bundle,
    read_cut,
    tile_path,
    width_at,
)
from services.kernel.errors import Corrupt, Refused

File = tuple[str, bytes]
"""Path below the log's prefix, and bytes."""


class GrowingTree:
    """The open right side of a tree. ``append`` gives the files that became full by it, ``partials`` those that are open."""

    __slots__ = ("_entries", "_levels", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._levels: list[list[bytes]] = [[]]
        self._entries: list[bytes] = []

    @classmethod
    def from_tiles(cls, read: Read, size: int) -> GrowingTree:
        """The tree of that size, from its tiles alone; ``Corrupt`` when one is missing or not of its form, or entries and hashes differ.

        Reads the open tile of each level: the caller compares :meth:`root` with a checkpoint.
        """
        tree = cls()
        tree._size = size
        tree._levels = [_open_tile(read, level, size) for level in range(_height(size))]
        index, width = divmod(size, WIDTH)
        tree._entries = entries_of(read, index, width) if width else []
        if [leaf_hash(entry) for entry in tree._entries] != tree._levels[0]:
            raise Corrupt(f"{bundle_path(index, width)} and {tile_path(0, index, width)} are not of the same entries")
        return tree

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._size

    def append(self, entry: bytes) -> list[File]:
        """One more entry; the bundle and the tiles that are full with it, mostly none."""
        self._entries.append(entry)
        self._levels[0].append(leaf_hash(entry))
        self._size += 1
        return list(self._full()) if len(self._entries) == WIDTH else []

    def partials(self) -> list[File]:
        """The open tiles and the open bundle as they stand; none that is empty."""
        files = [
            (tile_path(level, self._size >> (HEIGHT * level) >> HEIGHT, len(hashes)), b"".join(hashes))
            for level, hashes in enumerate(self._levels)
            if hashes
        ]
        if self._entries:
            files.append((bundle_path(self._size // WIDTH, len(self._entries)), pack_bundle(self._entries)))
        return files

    def edge(self) -> RightEdge:
        """The roots of the full subtrees."""
        peaks = [peak for hashes in reversed(self._levels) for peak in RightEdge().extend(hashes).peaks]
        return RightEdge(self._size, tuple(peaks))

    def root(self) -> bytes:
        """The tree head."""
        return self.edge().root()

    def _full(self) -> Iterator[File]:
        yield bundle_path(self._size // WIDTH - 1), pack_bundle(self._entries)
        self._entries = []
        level = 0
        while len(self._levels[level]) == WIDTH:
            hashes = self._levels[level]
            yield tile_path(level, (self._size >> (HEIGHT * (level + 1))) - 1), b"".join(hashes)
            self._levels[level] = []
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(RightEdge().extend(hashes).peaks[0])


def entries_of(read: Read, index: int, width: int) -> list[bytes]:
    """The first entries of a bundle of our own; ``Corrupt`` when it is missing or not of its form."""
    try:
        return read_bundle(read, index, width)
    except Refused as refused:
        raise Corrupt(f"{bundle_path(index, width)}: {refused.message}") from refused


def _height(size: int) -> int:
    levels = 1
    while size >> (HEIGHT * levels):
        levels += 1
    return levels


def _open_tile(read: Read, level: int, size: int) -> list[bytes]:
    index = size >> (HEIGHT * (level + 1))
    width = width_at(level, index, size)
    if not width:
        return []
    tile = read_cut(read, lambda i, w: tile_path(level, i, w), index, width, lambda full: full[: width * HASH])
    if len(tile) != width * HASH:
        raise Corrupt(f"{tile_path(level, index, width)} has {len(tile)} bytes, {width * HASH} are right")
    return [tile[at : at + HASH] for at in range(0, len(tile), HASH)]
