"""The checkpoints of one log against its entries: each is compared when the tree has grown to its size. Pure.

Numbered steps: 1 a note of its form, of this origin, signed by a key of ``exchange.ledger`` that the members log has (``FORMAT.md`` 6.2) · 2 the size
never falls, and no size has two roots · 3 the root is that of the entries · 4 the log reaches as far as the last of them. A note that carries cosignatures alone says
nothing here: it is the log's own signature that binds the exchange.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from services.audit.sources import Finding, place_of
from services.codec.checkpoint import Checkpoint, origin_of, parse_checkpoint
from services.codec.log_keys import LEDGER, log_key
from services.codec.merkle import RightEdge
from services.codec.note import Note, NoteKey, is_signed, parse_note
from services.codec.signature import SINGLE
from services.kernel.errors import Refused
from services.members.registry import Registry

HASH = 32


@dataclass(slots=True)
class Heads:
    """Reads the notes as they are needed; keeps one of them, the last that was good, and the edge of the tree."""

    log: str
    keys: Mapping[bytes, NoteKey]
    """The log's keys by the hash that a note names them by: :func:`keys_of`."""
    notes: Iterator[bytes]
    edge: RightEdge = field(default_factory=RightEdge)
    good: Checkpoint | None = None
    """The last checkpoint whose root is that of the entries."""
    bad: Checkpoint | None = None
    """The first whose root is not; nothing is compared after it, since every later tree contains the difference."""
    count: int = 0
    _next: Checkpoint | None = None
    _largest: Checkpoint | None = None
    _is_read: bool = False

    def grow(self, leaves: bytes) -> list[Finding]:
        """Appends leaf hashes and compares every checkpoint whose size is passed on the way."""
        if self.bad is not None:
            return []
        hashes = [leaves[at : at + HASH] for at in range(0, len(leaves), HASH)]
        upto = self.edge.size + len(hashes)
        found: list[Finding] = []
        at = 0
        while (head := self._pending(found)) is not None and head.size <= upto and self.bad is None:
            more = head.size - self.edge.size
            if more < 0:  # before the first entry of an archive of a later period
                self._next = None
                continue
            self.edge = self.edge.extend(hashes[at : at + more])
            at += more
            found += self._compare(head)
            self._next = None
        if self.bad is None:
            self.edge = self.edge.extend(hashes[at:])
        return found

    def end(self) -> list[Finding]:
        """What is left when the log has ended: checkpoints of more entries than it has."""
        found: list[Finding] = []
        head = self._pending(found)
        if head is None or self.bad is not None:
            return found
        sentence = f"a checkpoint says {head.size} entries, the log has {self.edge.size}: its end was cut off"
        return [*found, self._finding("log-shorter", sentence, self.edge.size)]

    def _compare(self, head: Checkpoint) -> list[Finding]:
        self.count += 1
        if head.root == self.edge.root():
            self.good = head
            return []
        self.bad = head
        since = 0 if self.good is None else self.good.size
        sentence = f"the root of {head.size} entries is not that of the checkpoint; entries {since} to {head.size - 1}"
        return [self._finding("root-differs", f"{sentence} are not those that it was signed over", since)]

    def _pending(self, found: list[Finding]) -> Checkpoint | None:
        """The next checkpoint to compare; what is wrong with those before it is appended."""
        while self._next is None and not self._is_read:
            data = next(self.notes, None)
            if data is None:
                self._is_read = True
                break
            found += self._read(data)
        return self._next

    def _read(self, data: bytes) -> list[Finding]:
        # (1) form, origin, signature
        try:
            note = parse_note(data)
            head = parse_checkpoint(note.text)
        except Refused as refused:
            return [self._finding("bad-checkpoint", refused.message)]
        origin = origin_of(self.log)
        if head.origin != origin:
            return [self._finding("bad-checkpoint", f"a checkpoint of {head.origin} stands under {origin}")]
        if all(line.name != origin for line in note.signatures):
            return []  # cosignatures alone
        if not _is_signed(note, self.keys):
            sentence = f"a checkpoint of {head.size} entries is not signed by a key of {LEDGER} in the members log"
            return [self._finding("checkpoint-forged", sentence)]
        # (2) never smaller, never two roots
        largest = self._largest
        if largest is not None and head.size < largest.size:
            sentence = f"a checkpoint of {head.size} entries follows one of {largest.size}"
            return [self._finding("checkpoint-rolled-back", sentence)]
        if largest is not None and head.size == largest.size:
            if head.root == largest.root:
                return []
            return [self._finding("split-view", f"two signed checkpoints of {head.size} entries have different roots")]
        self._largest = self._next = head
        return []

    def _finding(self, code: str, sentence: str, seq: int | None = None) -> Finding:
        return Finding(code, *place_of(self.log), sentence, seq=seq)


def keys_of(log: str, registry: Registry) -> dict[bytes, NoteKey]:
    """The keys that may sign checkpoints of that log: those of ``exchange.ledger``, one of which is the log's own."""
    origin = origin_of(log)
    keys = (log_key(origin, key.public_key) for key in registry.keys_of(LEDGER) if key.suite == SINGLE)
    return {key.key_hash: key for key in keys}


def _is_signed(note: Note, keys: Mapping[bytes, NoteKey]) -> bool:
    named = (keys.get(line.key_hash) for line in note.signatures)
    return any(key is not None and is_signed(note, key) for key in named)


def signed_head(data: bytes | None, log: str, keys: Mapping[bytes, NoteKey]) -> Checkpoint | None:
    """The checkpoint in a note, when it is of that log and the log's own key signed it; else None."""
    try:
        note = parse_note(data or b"")
        head = parse_checkpoint(note.text)
    except Refused:
        return None
    return head if head.origin == origin_of(log) and _is_signed(note, keys) else None
