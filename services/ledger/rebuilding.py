"""``ipx ledger rebuild``: makes the files of a log anew from the log itself, and puts them in place when they give the last checkpoint.

For one log, numbered:

1. the last checkpoint that its key signed, from its file and from the topic of checkpoints, whichever is larger;
2. the log is read from its first entry to that size, tiles and index are written into a new directory, open tiles for every size that a kept note is of;
3. the root must be that of the checkpoint, else ``Corrupt``: both directories stay for a person to look at;
4. the notes are taken over, and the new directory takes the place of the old one. Killed between the two renames, the log has no files: the
   ledger then makes them again, by the same rules.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Message

from services.codec.checkpoint import Checkpoint, log_of_origin, parse_checkpoint
from services.codec.keys import Ed25519Signer
from services.codec.note import Note, is_signed, parse_note
from services.kernel.errors import Corrupt, Refused
from services.ledger.files import CHECKPOINT, INDEX, LogFiles, sync_directory
from services.ledger.following import LogConsumer, Place, read_entry, read_to_end
from services.ledger.heads import read_head
from services.ledger.keeping import KeptLog
from services.ledger.second_tree import EDGE
from services.ledger.settings import LedgerSettings
from services.ledger.signing import LogKey
from services.runtime.topics import Topics

FRESH, OLD = "fresh", "replaced"
_WAIT_S = 20.0

Told = Callable[[int], None]
"""Hears how many entries have been read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the files of a log must come to: its last checkpoint, and the notes of it that are kept."""

    origin: str
    key: LogKey
    note: Note
    sizes: tuple[int, ...]
    """In order; the last is that of the checkpoint."""

    @property
    def size(self) -> int:
        """Entries of the checkpoint."""
        return self.sizes[-1]


class Rebuilding:
    """Makes logs anew; nothing else may write to the ledger's directory meanwhile."""

    def __init__(self, settings: LedgerSettings, signer: Ed25519Signer) -> None:
        self._settings = settings
        self._signer = signer
        self._topics = Topics(settings.exchange_name)
        self._consumer = LogConsumer(settings.librdkafka(), settings.exchange_name)
        self._work = settings.files_dir / "rebuild"

    def wanted(self, origins: list[str]) -> list[Wanted]:
        """(1) The last checkpoint of each log; a log of which none was ever signed has nothing to rebuild and is left out. Reads the topic."""
        in_topic = self._last_in_topic({origin: LogKey.of(self._signer, origin) for origin in origins})
        found = (self._wanted(origin, in_topic.get(origin)) for origin in origins)
        return [one for one in found if one is not None]

    def rebuild(self, wanted: Wanted, told: Told) -> None:
        """Steps 2 to 4 for one log. ``Corrupt`` when the log is not the one that was signed; then nothing has changed."""
        fresh = self._work / FRESH / wanted.origin
        shutil.rmtree(fresh, ignore_errors=True)
        kept = KeptLog(
            fresh, wanted.key, batch_entries=self._settings.ledger_batch_entries, sm3=self._settings.ledger_sm3
        )
        try:
            self._grow(kept, wanted, told)  # (2)
            kept.restore(wanted.note)  # (3)
        finally:
            kept.close()
        self._put_in_place(wanted.origin, fresh)  # (4)

    def close(self) -> None:
        """Closes the client and removes what is not needed any more."""
        self._consumer.close()
        shutil.rmtree(self._work / OLD, ignore_errors=True)

    def _last_in_topic(self, keys: dict[str, LogKey]) -> dict[str, Checkpoint]:
        largest: dict[str, Checkpoint] = {}
        for message in read_to_end(self._consumer, (self._topics.checkpoints, 0), 0, _WAIT_S):
            head = read_head(message)
            key = keys.get(head.checkpoint.origin) if head else None
            if head is None or key is None:
                continue
            known = largest.get(head.checkpoint.origin)
            if (known is None or head.checkpoint.size > known.size) and is_signed(head.note, key.note_key):
                largest[head.checkpoint.origin] = head.checkpoint
        return largest

    def _wanted(self, origin: str, in_topic: Checkpoint | None) -> Wanted | None:
        key = LogKey.of(self._signer, origin)
        files = LogFiles(self._settings.files_dir / origin)
        notes = [note for note in map(parse_kept, (files.checkpoint(), files.witnessed(), files.candidate())) if note]
        ours = [note for note in notes if _is_of(note, key)]
        if in_topic is not None:
            ours.append(key.sign(in_topic))
        if not ours:
            return None
        last = max(ours, key=lambda note: parse_checkpoint(note.text).size)
        return Wanted(origin, key, last, tuple(sorted({parse_checkpoint(note.text).size for note in ours})))

    def _grow(self, kept: KeptLog, wanted: Wanted, told: Told) -> None:
        topic, _, partition = log_of_origin(wanted.origin).rpartition("/")
        left = list(wanted.sizes)
        for message in self._records((topic, int(partition))):
            kept.take(read_entry(message, kept.log))
            if kept.size == left[0]:
                kept.write_open()
                left.pop(0)
            if kept.size % 1000 == 0 or not left:
                told(kept.size)
            if not left:
                return
        raise Corrupt(f"{kept.log} ends after {kept.size} entries, {wanted.size} were signed before")

    def _records(self, place: Place) -> Iterable[Message]:
        return read_to_end(self._consumer, place, 0, _WAIT_S)

    def _put_in_place(self, origin: str, fresh: Path) -> None:
        current, old = self._settings.files_dir / origin, self._work / OLD / origin
        if current.is_dir():
            for path in current.iterdir():
                if path.is_file() and path.name not in (CHECKPOINT, EDGE) and not path.name.startswith(INDEX):
                    shutil.copy2(path, fresh / path.name)
            sync_directory(fresh)
            shutil.rmtree(old, ignore_errors=True)
            old.parent.mkdir(parents=True, exist_ok=True)
            current.replace(old)
        current.parent.mkdir(parents=True, exist_ok=True)
        fresh.replace(current)
        sync_directory(current.parent)


def parse_kept(data: bytes | None) -> Note | None:
    """A note from a file, None when it is damaged or there is none: what cannot be read is made anew."""
    try:
        return None if data is None else parse_note(data)
    except Refused:
        return None


def _is_of(note: Note, key: LogKey) -> bool:
    try:
        return parse_checkpoint(note.text).origin == key.origin and is_signed(note, key.note_key)
    except Refused:
        return False
