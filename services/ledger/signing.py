"""What the key of a log signs, and what it never signs: the rules of ``FORMAT.md`` section 6.2. Pure.

1. The size never falls.
2. A checkpoint of the same size has the same root.
3. A checkpoint is signed only when its tiles, as they were written, give its root, and a consistency proof (RFC 6962 section 2.1.2) from the one
   signed before leads to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.codec.checkpoint import Checkpoint, format_checkpoint, open_checkpoint
from services.codec.keys import Ed25519Signer
from services.codec.log_keys import log_key, log_signer
from services.codec.merkle import is_consistent
from services.codec.note import Note, NoteKey, sign_note
from services.codec.tiles import Read, Tree
from services.kernel.errors import Corrupt, Refused


@dataclass(frozen=True, slots=True)
class LogKey:
    """The key pair of one log."""

    origin: str
    signer: Ed25519Signer

    @classmethod
    def of(cls, ledger: Ed25519Signer, origin: str) -> LogKey:
        """From the key of ``exchange.ledger``."""
        return cls(origin, log_signer(ledger, origin))

    @property
    def note_key(self) -> NoteKey:
        """What readers check its checkpoints with."""
        return log_key(self.origin, self.signer.public.data)

    def sign(self, checkpoint: Checkpoint) -> Note:
        """The signed note; the same for the same checkpoint. Whoever calls has held to the rules."""
        text = format_checkpoint(checkpoint)
        return Note(text, (sign_note(text, self.origin, self.signer.public.data, self.signer.sign),))

    def open(self, data: bytes) -> tuple[Checkpoint, Note]:
        """A note that this key signed; refuses anything else."""
        return open_checkpoint(data, self.note_key)

    def reopen(self, data: bytes, where: str) -> tuple[Checkpoint, Note]:
        """A note that must be this key's own: ``Corrupt`` when it is not."""
        try:
            return self.open(data)
        except Refused as error:
            raise Corrupt(f"{where} of {self.origin} is not a checkpoint of this log's key: {error.message}") from error


def require_same(earlier: Checkpoint, size: int, root: bytes) -> None:
    """``Corrupt`` when the tree that comes by an earlier checkpoint's size has another root there."""
    if (earlier.size, earlier.root) != (size, root):
        raise Corrupt(
            f"{earlier.origin}: the log has root {root.hex()} at size {size}; signed before was {earlier.root.hex()} at {earlier.size}"
        )


def require_continuation(last: Checkpoint | None, new: Checkpoint, read: Read) -> None:
    """The three rules; ``Corrupt`` when one does not hold, and then nothing is to be signed. Reads O(log size) tiles."""
    tree = Tree(read, new.size)
    if tree.root() != new.root:
        raise Corrupt(f"{new.origin}: the tiles do not give the root of size {new.size}")
    if last is None:
        return
    if new.size < last.size:
        raise Corrupt(f"{new.origin}: size {new.size} is below {last.size}, which was signed before")
    if not is_consistent(last.size, last.root, new.size, new.root, _proof(tree, last.size)):
        raise Corrupt(
            f"{new.origin}: the tree of size {new.size} does not contain the one that was signed at {last.size}"
        )


def _proof(tree: Tree, size: int) -> tuple[bytes, ...]:
    return tree.consistency(size)
