"""Merkle trees of RFC 6962 section 2.1 over SM3 (GB/T 32905): the second tree beside the one of ``merkle.py``.

leaf = SM3(0x00 ‖ entry), node = SM3(0x01 ‖ left ‖ right), the root of nothing is SM3 of nothing. What hashes refuses ``unknown-suite``
without the extra ``gm``; ``services.codec.sm2.available`` says beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from services.codec import merkle, sm2

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


class Sm3Edge(merkle.RightEdge):
    """The same over SM3: see ``merkle.RightEdge``."""

    __slots__ = ()

    hash_node = staticmethod(node_hash)
    empty_root: ClassVar[bytes] = EMPTY_ROOT
