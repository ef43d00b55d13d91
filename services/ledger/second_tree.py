"""The tree over SM3 (GB/T 32905) beside the one over SHA-256: the same entries, its head as an extension line of the checkpoint (``FORMAT.md`` 6.2).

Only its right edge is kept, in a file beside the tiles, written before the checkpoint that names its root. An edge of another size than the checkpoint's,
after a crash or where the tree is new, is made again from the entry bundles.
"""

from __future__ import annotations

from binascii import b2a_base64

from services.codec.checkpoint import SM3, Checkpoint
from services.codec.sm3_tree import Sm3Edge, leaf_hash
from services.codec.tiles import WIDTH, Read, width_at
from services.kernel.errors import Corrupt
from services.ledger.growing import File, entries_of

EDGE = "sm3.edge"


class SecondTree:
    """Grows with the entries. Making one refuses ``unknown-suite`` without the extra ``gm``."""

    def __init__(self, read: Read, signed: Checkpoint | None) -> None:
        """The tree of the last checkpoint; ``Corrupt`` when that names another root than the entries give. May read every bundle."""
        size = signed.size if signed else 0
        kept = read(EDGE)
        edge = Sm3Edge() if kept is None else Sm3Edge.from_bytes(kept)
        self._edge = edge if edge.size == size else _from_bundles(read, size)
        if signed is not None:
            self.require(signed)

    def append(self, entry: bytes) -> None:
        """One more entry."""
        self._edge = self._edge.append(leaf_hash(entry))

    def line(self) -> str:
        """The extension line of the present size."""
        return f"{SM3} {b2a_base64(self._edge.root(), newline=False).decode()}"

    def file(self) -> File:
        """What is to be on disk before the line is signed."""
        return EDGE, self._edge.to_bytes()

    def require(self, checkpoint: Checkpoint) -> None:
        """``Corrupt`` when a checkpoint of the present size names another root; one from before this tree was kept names none."""
        named = [line for line in checkpoint.extensions if line.startswith(f"{SM3} ")]
        if named not in ([], [self.line()]):
            raise Corrupt(
                f"{checkpoint.origin}: the entries give another root over SM3 than was signed at {checkpoint.size}"
            )


def _from_bundles(read: Read, size: int) -> Sm3Edge:
    edge = Sm3Edge()
    for index in range((size + WIDTH - 1) // WIDTH):
        edge = edge.extend(leaf_hash(entry) for entry in entries_of(read, index, width_at(0, index, size)))
    return edge
