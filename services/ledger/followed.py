"""One log as a session follows it: its files, the cosignatures known for it, and when its next checkpoint is due."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.note import Note, parse_note
from services.ledger.keeping import KeptLog
from services.ledger.merging import Cosignatures


@dataclass(slots=True)
class Followed:
    """One log in this session. Seconds are of a clock that only goes forward."""

    kept: KeptLog
    family: str
    cosignatures: Cosignatures
    witnessed: Checkpoint | None
    candidate: Checkpoint | None
    offered_at_s: float
    """When the candidate was first offered to the witnesses, in this session."""
    is_at_end: bool = False
    is_unpublished: bool = False
    """Whether the topic of checkpoints may lack the last signed one."""
    signed_at_s: float = -1e9
    appended_ms: list[int] = field(default_factory=list)
    """When the entries that no checkpoint holds were appended, of those that came live."""

    @classmethod
    def open(cls, kept: KeptLog, family: str, now_s: float) -> Followed:
        """From what is on disk."""
        cosignatures = Cosignatures(kept.key.note_key)
        for data in (kept.files.witnessed(), kept.files.candidate(), kept.files.checkpoint()):
            if data is not None:
                cosignatures.remember(parse_note(data))
        witnessed, candidate = _checkpoint(kept.files.witnessed()), _checkpoint(kept.files.candidate())
        return cls(kept, family, cosignatures, witnessed, candidate, now_s)

    def due_in_s(self, now_s: float, every_s: float) -> float | None:
        """Seconds until the next checkpoint is due; None while there is nothing to sign."""
        return max(0.0, self.signed_at_s + every_s - now_s) if self.kept.has_news else None

    def sign(self, now_s: float) -> Note:
        """Signs the log as it stands; the note is on disk. ``Corrupt``: nothing was signed."""
        note = self.kept.sign()
        self.signed_at_s, self.is_unpublished = now_s, False
        known = self.cosignatures.remember(note)
        if known != note:  # signed before, and the file was lost
            self.kept.store_checkpoint(known)
        return known

    def witness(self, note: Note) -> bool:
        """Keeps a checkpoint that met the quorum, unless a later one did; whether it is the latest so far."""
        checkpoint = parse_checkpoint(note.text)
        if self.witnessed is not None and checkpoint.size < self.witnessed.size:
            return False
        is_news = self.witnessed is None or checkpoint.size > self.witnessed.size
        self.kept.store_witnessed(note)
        self.witnessed = checkpoint
        return is_news

    def offer(self, now_s: float, hold_s: float) -> None:
        """Offers the last checkpoint to the witnesses, once the one that they are offered is witnessed or has been offered for long enough.

        A log that grows has a new checkpoint twice a second, and a witness comes by every few seconds: without one that stands still no two
        of them would sign the same.
        """
        signed, held = self.kept.signed, self.candidate
        if signed is None or (held is not None and signed.size <= held.size):
            return
        is_settled = held is None or (self.witnessed is not None and self.witnessed.size >= held.size)
        if is_settled or now_s - self.offered_at_s >= hold_s:
            self.kept.store_candidate(self.kept.key.sign(signed))
            self.candidate, self.offered_at_s = signed, now_s


def _checkpoint(data: bytes | None) -> Checkpoint | None:
    return None if data is None else parse_checkpoint(parse_note(data).text)
