"""Merkle trees of RFC 6962 section 2.1 over SHA-256: root, inclusion path, and the right edge for appending."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from services.kernel.errors import Corrupt

EMPTY_ROOT = hashlib.sha256(b"").digest()
HashNode = Callable[[bytes, bytes], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def levels_of(leaves: Sequence[bytes], hash_node: HashNode = node_hash) -> list[list[bytes]]:
    """All levels of the tree from the leaf hashes up; a lone right node is carried up unhashed (RFC 6962)."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [hash_node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels


def path_in(levels: Sequence[Sequence[bytes]], index: int) -> tuple[bytes, ...]:
    """Inclusion path of a leaf, from the leaf up (RFC 6962 section 2.1.1)."""
    path = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        index >>= 1
    return tuple(path)


@dataclass(frozen=True, slots=True)
class Climb:
    """The way from a leaf to the root: the nodes on it from the root down, each with its place, and the path beside it."""

    nodes: tuple[tuple[int, int, bytes], ...]
    path: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """Where it leads to."""
        return self.nodes[0][2]


def climb(
    leaf: bytes,
    index: int,
    size: int,
    path: tuple[bytes, ...],
    known: Climb | None = None,
    hash_node: HashNode = node_hash,
) -> Climb | None:
    """The way up from a leaf (RFC 9162 section 2.1.3.2), or None when the path has a wrong length.

    ``known`` is a way up in a tree of the same size: where this one comes to a node of it with the same hash, and the rest of the paths is
    the same, the rest of the way is the same and is not hashed again. Neighbouring leaves share all but the last steps.
    """
    if not 0 <= index < size:
        return None
    node, last, current = index, size - 1, leaf
    rest = len(path)
    below: list[tuple[int, int, bytes]] = []
    while True:
        here = (node, last, current)
        if known is not None and rest < len(known.nodes) and known.nodes[rest] == here:
            above = len(known.path) - rest
            if path[len(path) - rest :] == known.path[above:]:
                return Climb((*known.nodes[: rest + 1], *reversed(below)), path)
        below.append(here)
        if rest == 0:
            return Climb(tuple(reversed(below)), path) if last == 0 else None
        if last == 0:
            return None
        sibling = path[-rest]
        if node & 1 or node == last:
            current = hash_node(sibling, current)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            current = hash_node(current, sibling)
        node >>= 1
        last >>= 1
        rest -= 1


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Root that a leaf and its path lead to, or None when the path has a wrong length."""
    way = climb(leaf, index, size, tuple(path))
    return None if way is None else way.root


def path_length(index: int, size: int) -> int:
    """Number of hashes in the inclusion path of a leaf, ``0 <= index < size``."""
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()


@dataclass(frozen=True, slots=True)
class RightEdge:
    """The roots of the full subtrees of a tree, largest first: all that appending needs. O(log n) in size.

    Over SHA-256; a subclass names another hash for its nodes and the root of nothing (``sm3_tree.Sm3Edge``).
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    hash_node = staticmethod(node_hash)
    """Hash of an inner node."""

    empty_root: ClassVar[bytes] = EMPTY_ROOT
    """Root of a tree without leaves."""

    def append(self, leaf: bytes) -> Self:
        """The edge after one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Self:
        """The edge after these leaf hashes too."""
        hash_node = self.hash_node
        peaks, size = list(self.peaks), self.size
        for leaf in leaves:
            current, rest = leaf, size
            while rest & 1:
                current = hash_node(peaks.pop(), current)
                rest >>= 1
            peaks.append(current)
            size += 1
        return type(self)(size, tuple(peaks))

    def root(self) -> bytes:
        """The tree head over everything appended so far."""
        if not self.peaks:
            return self.empty_root
        current = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            current = self.hash_node(peak, current)
        return current

    def to_bytes(self) -> bytes:
        """Size (8 bytes, big-endian) and peaks; inverse of :meth:`from_bytes`."""
        return self.size.to_bytes(8, "big") + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Reads what :meth:`to_bytes` wrote, hashing nothing; ``Corrupt`` when the peaks do not fit the size."""
        size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + 32 * size.bit_count():
            raise Corrupt(f"a right edge of size {size} has {size.bit_count()} peaks, got {len(data) - 8} bytes")
        return cls(size, tuple(data[i : i + 32] for i in range(8, len(data), 32)))


def is_consistent(old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether a consistency path (RFC 9162 section 2.1.4.2) shows the tree of ``old_size`` to be the beginning of that of ``size``.

    Of an empty tree every tree is a continuation, with an empty path.
    """
    if not 0 <= old_size <= size:
        return False
    if old_size == size or old_size == 0:
        return not path and (old_root == root if old_size == size else old_root == EMPTY_ROOT)
    nodes = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not nodes:
        return False
    node, last = old_size - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old, new = nodes[0], nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == root
