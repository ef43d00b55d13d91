"""Merkle trees of RFC 6962 section 2.1 over SM3 (GB/T 32905): the second tree beside the one of ``merkle.py``.

leaf = SM3(0x00 ‖ entry), node = SM3(0x01 ‖ left ‖ right), the root of nothing is SM3 of nothing. What hashes refuses ``unknown-suite``
without the extra ``gm``; ``services.codec.sm2.available`` says beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from services.codec import merkle, sm2
from services.kernel.errors import Corrupt

EMPTY_ROOT: Final = bytes.fromhex("1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b")


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf: SM3(0x00 ‖ data)."""
    return sm2.sm3(b"\x00" + data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SM3(0x01 ‖ left ‖ right)."""
    return sm2.sm3(b"\x01" + left + right)


def levels_of(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of the tree from the leaf hashes up; ``merkle.path_in`` takes an inclusion path from them."""
    return merkle.levels_of(leaves, node_hash)


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Root that a leaf hash and its inclusion path lead to, or None when the path has a wrong length."""
    way = merkle.climb(leaf, index, size, tuple(path), hash_node=node_hash)
    return None if way is None else way.root


@dataclass(frozen=True, slots=True)
class Sm3Edge:
    """The roots of the full subtrees, largest first: all that appending needs. As ``merkle.RightEdge``, over SM3."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> Sm3Edge:
        """The edge after one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Sm3Edge:
        """The edge after these leaf hashes too."""
        sm3_hash = sm2.library().sm3_hash
        peaks, size = list(self.peaks), self.size
        for leaf in leaves:
            current, rest = leaf, size
            while rest & 1:
                current = sm3_hash(b"\x01" + peaks.pop() + current)
                rest >>= 1
            peaks.append(current)
            size += 1
        return Sm3Edge(size, tuple(peaks))

    def root(self) -> bytes:
        """The tree head over everything appended so far."""
        if not self.peaks:
            return EMPTY_ROOT
        current = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            current = node_hash(peak, current)
        return current

    def to_bytes(self) -> bytes:
        """Size (8 bytes, big-endian) and peaks; inverse of :meth:`from_bytes`."""
        return self.size.to_bytes(8, "big") + b"".join(self.peaks)

    @staticmethod
    def from_bytes(data: bytes) -> Sm3Edge:
        """Reads what :meth:`to_bytes` wrote; ``Corrupt`` when the peaks do not fit the size. Hashes nothing."""
        size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + 32 * size.bit_count():
            raise Corrupt(f"an SM3 edge of size {size} has {size.bit_count()} peaks, got {len(data) - 8} bytes")
        return Sm3Edge(size, tuple(data[i : i + 32] for i in range(8, len(data), 32)))
