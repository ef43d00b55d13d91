"""Split views: two checkpoints of one log, both signed by it, that no single history can have. Pure.

``services/ledger/FORMAT.md`` section 6.2 says what the signer of a log holds to; this is what shows that it did not. Two checkpoints of one size
contradict one another when their roots differ. Of two sizes, when a consistency path shows another root at the smaller size of the
larger tree than the one that was signed for it. A smaller checkpoint that is a beginning of the larger one is only old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.merkle import EMPTY_ROOT, is_consistent
from services.codec.note import NoteKey, is_signed, parse_note
from services.codec.tiles import HASH, Tree
from services.kernel.errors import Corrupt, Refused


@dataclass(frozen=True, slots=True)
class Fork:
    """Where two trees part: the root of the larger at the smaller size, and the path from it; neither for equal sizes."""

    prefix_root: bytes | None = None
    path: tuple[bytes, ...] = ()


def find_fork(first: Checkpoint, second: Checkpoint, larger: Tree | None) -> Fork | None:
    """What shows that the two contradict one another; None when they do not. ``larger`` gives the tree of the larger one.

    ``Corrupt`` when that tree is not the one which was signed: then nothing is shown, either way.
    """
    if first.size == second.size:
        return Fork() if first.root != second.root else None
    small, large = sorted((first, second), key=lambda checkpoint: checkpoint.size)
    if larger is None or larger.size != large.size or larger.root() != large.root:
        raise Corrupt(f"the tiles of {large.origin} are not those of its checkpoint of {large.size} entries")
    prefix_root = larger.subtree(0, small.size) if small.size else EMPTY_ROOT
    return None if prefix_root == small.root else Fork(prefix_root, larger.consistency(small.size))


def contradict(first: Checkpoint, second: Checkpoint, fork: Fork) -> bool:
    """Whether the fork shows that the two checkpoints, of one log, contradict one another."""
    if first.origin != second.origin:
        return False
    if first.size == second.size:
        return first.root != second.root and fork == Fork()
    small, large = sorted((first, second), key=lambda checkpoint: checkpoint.size)
    prefix_root = fork.prefix_root
    if prefix_root is None or prefix_root == small.root:
        return False
    return is_consistent(small.size, prefix_root, large.size, large.root, fork.path)


def signed_checkpoint(data: bytes, keys: Sequence[NoteKey]) -> Checkpoint:
    """The checkpoint in a note that one of the keys signed; refuses ``bad-note``, ``bad-checkpoint``, ``bad-signature``."""
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    if not any(key.name == checkpoint.origin and is_signed(note, key) for key in keys):
        raise Refused("bad-signature", f"no key of the log {checkpoint.origin} signed this checkpoint")
    return checkpoint


def join_path(path: Sequence[bytes]) -> bytes:
    """The hashes of a path, one after another."""
    return b"".join(path)


def split_path(data: bytes) -> tuple[bytes, ...]:
    """Inverse of :func:`join_path`; refuses ``bad-field`` what is not whole hashes, or more than a proof can have."""
    if len(data) % HASH or len(data) > 63 * HASH:
        raise Refused("bad-field", "a consistency path is at most 63 hashes of 32 bytes", field="proof")
    return tuple(data[at : at + HASH] for at in range(0, len(data), HASH))
