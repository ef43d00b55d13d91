"""Tiles (C2SP tlog-tiles): where the hashes and entries of a tree lie, and the proofs computed from them.

Specification: ``services/ledger/FORMAT.md`` section 6.3. Pure: bytes come from a function ``read(path)``. Reads O(log size) tiles for
a proof; every tile is checked to have the length that its path says.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from services.codec.merkle import EMPTY_ROOT, node_hash
from services.kernel.errors import Corrupt, Refused

WIDTH = 256
HEIGHT = 8
HASH = 32
MAX_SIZE = 10**18
MAX_ENTRY_BYTES = 0xFFFF
_LENGTH = struct.Struct(">H")

Read = Callable[[str], bytes | None]
"""Bytes of a tile or bundle by its path relative to the log's prefix; None when it is not there."""


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """``tile/<level>/<index>`` or, partial, ``tile/<level>/<index>.p/<width>``."""
    return f"tile/{level}/{_digits(index)}{_suffix(width)}"


def bundle_path(index: int, width: int = WIDTH) -> str:
    """``tile/entries/<index>`` or, partial, with ``.p/<width>``."""
    return f"tile/entries/{_digits(index)}{_suffix(width)}"


def _digits(index: int) -> str:
    text = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        text = f"x{index % 1000:03d}/{text}"
    return text


def _suffix(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes tile ``index`` of ``level`` has in a tree of ``size`` entries: 0 to 256."""
    return max(0, min(WIDTH, (size >> (HEIGHT * level)) - index * WIDTH))


def read_cut(
    read: Read, path: Callable[[int, int], str], index: int, width: int, cut: Callable[[bytes], bytes]
) -> bytes:
    """A partial tile or bundle, or the first part of the full one when the partial one is gone; ``Corrupt`` when neither is there."""
    data = read(path(index, width))
    if data is None and width != WIDTH and (full := read(path(index, WIDTH))) is not None:
        data = cut(full)
    if data is None:
        raise Corrupt(f"{path(index, width)} is missing")
    return data


def read_bundle(read: Read, index: int, width: int) -> list[bytes]:
    """The first ``width`` entries of a bundle; ``Corrupt`` when it is missing, refuses ``bad-tile`` what is none."""

    def cut(full: bytes) -> bytes:
        return pack_bundle(unpack_bundle(full, WIDTH)[:width])

    return unpack_bundle(read_cut(read, bundle_path, index, width, cut), width)


def new_tiles(old_size: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Level, index and width of every tile that a tree of ``size`` has and one of ``old_size`` had not, full or partial."""
    level = 0
    while size >> (HEIGHT * level):
        first = (old_size >> (HEIGHT * level)) // WIDTH
        last = ((size >> (HEIGHT * level)) - 1) // WIDTH
        for index in range(first, last + 1):
            width = width_at(level, index, size)
            if width != width_at(level, index, old_size):
                yield level, index, width
        level += 1


def pack_bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry after its length in two bytes, big-endian; refuses ``bad-tile`` an entry that is too long for them."""
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise Refused("bad-tile", f"an entry in a bundle has at most {MAX_ENTRY_BYTES} bytes")
    return b"".join([piece for entry in entries for piece in (_LENGTH.pack(len(entry)), entry)])


def unpack_bundle(data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle of that many; refuses ``bad-tile`` anything else."""
    if len(data) > width * (_LENGTH.size + MAX_ENTRY_BYTES):
        raise Refused("bad-tile", f"an entry bundle of {width} entries is not so large")
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + _LENGTH.unpack_from(data, at)[0] if at + 2 <= len(data) else len(data) + 1
        if end > len(data):
            raise Refused("bad-tile", "an entry bundle ends within an entry")
        entries.append(data[at + 2 : end])
        at = end
    if len(entries) != width:
        raise Refused("bad-tile", f"an entry bundle has {len(entries)} entries, its path says {width}")
    return entries


class Tree:
    """A tree of ``size`` entries whose tiles ``read`` gives; keeps what it has read, so make one for a task and let it go."""

    def __init__(self, read: Read, size: int) -> None:
        if not 0 <= size < MAX_SIZE:
            raise Refused("bad-checkpoint", f"a tree has 0 to {MAX_SIZE - 1} entries")
        self.size = size
        self._read = read
        self._tiles: dict[tuple[int, int], bytes] = {}
        self._known: dict[tuple[int, int], bytes] = {}

    def leaf(self, index: int) -> bytes:
        """Hash of an entry; refuses ``not-in-log``."""
        self._check(index)
        return self._hash(0, index)

    def root(self) -> bytes:
        """Root over all entries; to be compared with a checkpoint before anything else is believed."""
        return self._subtree(0, self.size) if self.size else EMPTY_ROOT

    def subtree(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]) of RFC 6962; refuses ``not-in-log`` what is no subtree: ``start`` has to be a multiple of the least power of
        two that is not below the length."""
        if not 0 <= start < end <= self.size or start & ((1 << (end - start - 1).bit_length()) - 1):
            raise Refused("not-in-log", f"entries {start} to {end} are no subtree of the {self.size} of this tree")
        return self._subtree(start, end)

    def _subtree(self, start: int, end: int) -> bytes:
        length = end - start
        if length & (length - 1) == 0:
            return self._node(length.bit_length() - 1, start // length)
        half = 1 << ((length - 1).bit_length() - 1)
        return node_hash(self._subtree(start, start + half), self._subtree(start + half, end))

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """Path of RFC 6962 section 2.1.1 from the leaf up."""
        self._check(index)
        return tuple(self._inclusion(index, 0, self.size))

    def consistency(self, old_size: int) -> tuple[bytes, ...]:
        """Proof of RFC 6962 section 2.1.2 that the first ``old_size`` entries are those of then; empty for 0 and for ``size``."""
        if not 0 <= old_size <= self.size:
            raise Refused("not-in-log", f"a tree of {self.size} does not contain one of {old_size}")
        return tuple(self._consistency(old_size, 0, self.size, whole=True)) if old_size else ()

    def _check(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise Refused("not-in-log", f"entry {index} is not among the {self.size} of this tree")

    def _inclusion(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        half = start + (1 << ((end - start - 1).bit_length() - 1))
        if index < half:
            return [*self._inclusion(index, start, half), self._subtree(half, end)]
        return [*self._inclusion(index, half, end), self._subtree(start, half)]

    def _consistency(self, old_size: int, start: int, end: int, *, whole: bool) -> list[bytes]:
        if old_size == end:
            return [] if whole else [self._subtree(start, end)]
        half = start + (1 << ((end - start - 1).bit_length() - 1))
        if old_size <= half:
            return [*self._consistency(old_size, start, half, whole=whole), self._subtree(half, end)]
        return [*self._consistency(old_size, half, end, whole=False), self._subtree(start, half)]

    def _node(self, height: int, index: int) -> bytes:
        """Root of the full subtree of 2^height entries."""
        level, rest = divmod(height, HEIGHT)
        if rest == 0:
            return self._hash(level, index)
        known = self._known.get((height, index))
        if known is None:
            known = node_hash(self._node(height - 1, 2 * index), self._node(height - 1, 2 * index + 1))
            self._known[height, index] = known
        return known

    def _hash(self, level: int, at: int) -> bytes:
        index, place = divmod(at, WIDTH)
        tile = self._tiles.get((level, index))
        if tile is None:
            width = width_at(level, index, self.size)
            tile = read_cut(
                self._read, lambda i, w: tile_path(level, i, w), index, width, lambda full: full[: width * HASH]
            )
            if len(tile) != width * HASH:
                raise Corrupt(f"{tile_path(level, index, width)} has {len(tile)} bytes, {width * HASH} are right")
            self._tiles[level, index] = tile
        return tile[place * HASH : place * HASH + HASH]
