"""Proofs of one entry (C2SP tlog-proof v1): its index, its inclusion path and the checkpoint, as one text.

Specification: ``services/ledger/FORMAT.md`` section 6.4. The optional ``extra`` line is not written and not taken: nothing signs it.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.merkle import leaf_hash, path_length, root_from_path
from services.codec.note import MAX_NOTE_BYTES, Note, format_note, parse_note
from services.kernel.errors import Refused

MAX_PATH = 63
_MAX_HEAD_BYTES = 4096
_HEAD = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,17})")
_HASH = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Where an entry stands, the path from it to the root, and the signed checkpoint that has this root."""

    index: int
    path: tuple[bytes, ...]
    note: Note

    @property
    def checkpoint(self) -> Checkpoint:
        """The text of the note, parsed; refuses ``bad-checkpoint``."""
        return parse_checkpoint(self.note.text)


def format_proof(proof: TlogProof) -> bytes:
    """The bytes of a proof."""
    hashes = (b2a_base64(node, newline=False).decode() for node in proof.path)
    head = "".join(f"{line}\n" for line in (_HEAD, f"index {proof.index}", *hashes))
    return head.encode() + b"\n" + format_note(proof.note)


def parse_proof(data: bytes) -> TlogProof:
    """Inverse of :func:`format_proof`; refuses ``bad-proof``, ``bad-note``, ``bad-checkpoint`` anything that it would not write, and a path whose
    length is not that of its index and size."""
    if len(data) > _MAX_HEAD_BYTES + MAX_NOTE_BYTES:
        raise Refused("bad-proof", f"a proof has at most {_MAX_HEAD_BYTES + MAX_NOTE_BYTES} bytes")
    head, empty, note = data.partition(b"\n\n")
    lines = head.decode("latin-1").split("\n")
    index = _INDEX.fullmatch(lines[1]) if len(lines) > 1 else None
    if (
        len(head) > _MAX_HEAD_BYTES
        or not empty
        or lines[0] != _HEAD
        or index is None
        or len(lines) - 2 > MAX_PATH
        or not all(_HASH.fullmatch(line) for line in lines[2:])
    ):
        raise Refused("bad-proof", "a proof is its first line, an index, hashes, an empty line and a checkpoint")
    proof = TlogProof(int(index[1]), tuple(a2b_base64(line) for line in lines[2:]), parse_note(note))
    size = proof.checkpoint.size
    if proof.index >= size or len(proof.path) != path_length(proof.index, size):
        raise Refused("bad-proof", f"{len(proof.path)} hashes are no path of entry {proof.index} in a tree of {size}")
    return proof


def proves(proof: TlogProof, entry: bytes) -> bool:
    """Whether the entry stands at that index of the checkpoint's tree. The checkpoint's signatures are the caller's to check."""
    checkpoint = proof.checkpoint
    return root_from_path(leaf_hash(entry), proof.index, checkpoint.size, proof.path) == checkpoint.root
