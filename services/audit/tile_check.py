"""The tiles of one log against its entries, as they are read: every hash tile, every entry bundle, and the root. Pure but for ``read``.

Specification: ``services/ledger/FORMAT.md`` section 6.3 (C2SP tlog-tiles). Of each level one tile is held at a time, so memory is that of a few tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.audit.sources import Finding, place_of
from services.codec.checkpoint import Checkpoint
from services.codec.merkle import RightEdge, leaf_hash, levels_of
from services.codec.tiles import HASH, WIDTH, Read, bundle_path, pack_bundle, tile_path, unpack_bundle
from services.kernel.errors import Refused


@dataclass(slots=True)
class TileCheck:
    """Give it every entry of the log in order; only those under ``head`` count."""

    log: str
    read: Read
    head: Checkpoint
    size: int = 0
    _entries: list[tuple[int, bytes]] = field(default_factory=list)
    _levels: list[list[bytes]] = field(default_factory=lambda: [[]])
    _counts: list[int] = field(default_factory=lambda: [0])
    _edge: RightEdge = field(default_factory=RightEdge)

    def take(self, offset: int, entry: bytes) -> list[Finding]:
        """The next entry; what is wrong with the tiles that it completes."""
        if self.size >= self.head.size:
            return []
        self.size += 1
        self._entries.append((offset, entry))
        if len(self._entries) < WIDTH:
            return []
        return list(self._close_bundle())

    def end(self) -> list[Finding]:
        """The tiles that are open at the end, and the root."""
        found = list(self._close_bundle()) if self._entries else []
        for level, hashes in enumerate(self._levels):
            if hashes:
                found += self._compare_tile(level, hashes)
        if self.size < self.head.size:
            sentence = f"the checkpoint is of {self.head.size} entries, the log has {self.size}"
            return [*found, self._finding("log-shorter", sentence, None, self.size)]
        if self._edge.root() != self.head.root:
            sentence = f"the checkpoint of {self.head.size} entries has another root than the log"
            found.append(self._finding("root-differs", sentence, None, None))
        return found

    def _close_bundle(self) -> Iterator[Finding]:
        index = (self.size - 1) // WIDTH
        hashes = [leaf_hash(entry) for _, entry in self._entries]
        self._edge = self._edge.extend(hashes)
        yield from self._compare_bundle(index)
        yield from self._compare_leaves(index, hashes)
        if len(hashes) == WIDTH:
            yield from self._carry_up(levels_of(hashes)[-1][0])
        self._entries = []

    def _carry_up(self, root: bytes) -> Iterator[Finding]:
        """The root of a full tile goes into the tile above."""
        level = 1
        while True:
            if len(self._levels) == level:
                self._levels.append([])
                self._counts.append(0)
            hashes = self._levels[level]
            hashes.append(root)
            if len(hashes) < WIDTH:
                return
            yield from self._compare_tile(level, hashes)
            root = levels_of(hashes)[-1][0]
            self._counts[level] += 1
            self._levels[level] = []
            level += 1

    def _compare_leaves(self, index: int, hashes: list[bytes]) -> Iterator[Finding]:
        path = tile_path(0, index, len(hashes))
        data = self._tile(0, index, len(hashes))
        if data is None:
            yield self._finding("tile-missing", f"{path} is not there", self._entries[0][0], index * WIDTH)
        elif data != b"".join(hashes):
            at = next((n for n, one in enumerate(hashes) if data[n * HASH : (n + 1) * HASH] != one), 0)
            sentence = f"{path} has another hash for this entry"
            yield self._finding("not-in-tree", sentence, self._entries[at][0], index * WIDTH + at)

    def _compare_tile(self, level: int, hashes: list[bytes]) -> Iterator[Finding]:
        index = self._counts[level]
        path = tile_path(level, index, len(hashes))
        data = self._tile(level, index, len(hashes))
        if data is None:
            yield self._finding("tile-missing", f"{path} is not there", None, None)
        elif data != b"".join(hashes):
            yield self._finding("tile-differs", f"{path} is not that of the entries below it", None, None)

    def _compare_bundle(self, index: int) -> Iterator[Finding]:
        width = len(self._entries)
        path = bundle_path(index, width)
        first = self._entries[0][0]
        entries = [entry for _, entry in self._entries]
        data = self.read(path)
        full = self.read(bundle_path(index)) if data is None and width < WIDTH else None
        try:
            kept = unpack_bundle(full, WIDTH)[:width] if full is not None else None
        except Refused as refused:
            yield self._finding("bundle-differs", f"{bundle_path(index)}: {refused.message}", first, index * WIDTH)
            return
        if data is None and kept is None:
            yield self._finding("tile-missing", f"{path} is not there", first, index * WIDTH)
        elif (kept is None and data != pack_bundle(entries)) or (kept is not None and kept != entries):
            yield self._finding("bundle-differs", f"{path} has other entries than the log", first, index * WIDTH)

    def _tile(self, level: int, index: int, width: int) -> bytes | None:
        data = self.read(tile_path(level, index, width))
        if data is None and width < WIDTH:
            full = self.read(tile_path(level, index))
            data = None if full is None else full[: width * HASH]
        return data

    def _finding(self, code: str, sentence: str, offset: int | None, seq: int | None) -> Finding:
        return Finding(code, *place_of(self.log), sentence, offset, seq)
