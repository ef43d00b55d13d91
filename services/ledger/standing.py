"""How a log stands, from its files alone: size, what is witnessed, and the state of ``FORMAT.md`` section 6.5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.entry import parse_entry
from services.codec.note import Note, parse_note
from services.codec.tiles import WIDTH, read_bundle, width_at
from services.kernel.errors import Corrupt, Refused
from services.kernel.instants import parse_instant
from services.ledger.files import LogFiles

State = Literal["witnessed", "not yet", "stale"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One log. ``waiting_since_ms`` is when the oldest entry was admitted that no witnessed checkpoint holds; None when all are held."""

    origin: str
    checkpoint: Checkpoint | None
    witnessed: Checkpoint | None
    cosigners: tuple[str, ...]
    waiting_since_ms: int | None
    state: State

    @property
    def size(self) -> int:
        """Of the last signed checkpoint."""
        return self.checkpoint.size if self.checkpoint else 0

    @property
    def witnessed_size(self) -> int:
        """Of the last witnessed one."""
        return self.witnessed.size if self.witnessed else 0

    def waiting_s(self, now_ms: int) -> float:
        """How long the oldest entry has waited for witnesses."""
        return 0.0 if self.waiting_since_ms is None else max(0, now_ms - self.waiting_since_ms) / 1000


def standing_of(files: LogFiles, origin: str, now_ms: int, stale_s: float) -> Standing:
    """Reads two notes, and one bundle when entries wait. Cosigners are named by their lines, which the ledger has checked.

    A log is stale when an entry has waited for witnesses longer than ``stale_s``: so it counts while the log grows, and not while it rests. It
    is stale too when the entry that waits cannot be read from the files (`ipx audit fsck` says why): one log never hides the others.
    """
    signed, witnessed = _read(files.checkpoint()), _read(files.witnessed())
    checkpoint, held = _checkpoint(signed), _checkpoint(witnessed)
    is_waiting = checkpoint is not None and (held is None or held.size < checkpoint.size)
    since_ms, is_stale = None, False
    if checkpoint is not None and is_waiting:
        try:
            since_ms = _admitted_ms(files, held.size if held else 0, checkpoint.size)
            is_stale = now_ms - since_ms > stale_s * 1000
        except (Corrupt, Refused):
            is_stale = True
    state: State = "stale" if is_stale else "witnessed" if held is not None and not is_waiting else "not yet"
    return Standing(origin, checkpoint, held, _cosigners(witnessed), since_ms, state)


def _read(data: bytes | None) -> Note | None:
    return None if data is None else parse_note(data)


def _checkpoint(note: Note | None) -> Checkpoint | None:
    return None if note is None else parse_checkpoint(note.text)


def _cosigners(note: Note | None) -> tuple[str, ...]:
    if note is None:
        return ()
    origin = parse_checkpoint(note.text).origin
    return tuple(line.name for line in note.signatures if line.name != origin)


def _admitted_ms(files: LogFiles, seq: int, size: int) -> int:
    index = seq // WIDTH
    entries = read_bundle(files.read, index, width_at(0, index, size))
    return parse_instant(parse_entry(entries[seq % WIDTH]).admitted)
