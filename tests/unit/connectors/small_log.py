"""A log of the small exchange: entries, their tiles, and checkpoints signed by the log's own key; two of one origin can part."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from services.codec.checkpoint import Checkpoint, format_checkpoint
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.log_keys import LEDGER, log_key, log_signer
from services.codec.merkle import EMPTY_ROOT, leaf_hash, levels_of
from services.codec.note import Note, NoteKey, format_note, sign_note
from services.codec.tiles import HEIGHT, new_tiles, tile_path
from services.events.member import KeyAdded
from tests.unit.connectors.small_exchange import FOUNDED_MS, NAME, SmallExchange

ORIGIN = f"{NAME}/clues/0"


@cache
def signer_of_log(origin: str = ORIGIN) -> Ed25519Signer:
    """The key of the log; the ledger's own seed is that of its name."""
    return log_signer(signer_from_seed(LEDGER, hashlib.sha256(LEDGER.encode()).digest()), origin)


def key_of(origin: str = ORIGIN) -> NoteKey:
    """The key that its checkpoints are checked with."""
    return log_key(origin, signer_of_log(origin).public.data)


def checkpoint_note(size: int, root: bytes, origin: str = ORIGIN) -> bytes:
    """A signed checkpoint that says this, true or not."""
    signer = signer_of_log(origin)
    text = format_checkpoint(Checkpoint(origin, size, root))
    return format_note(Note(text, (sign_note(text, origin, signer.public.data, signer.sign),)))


def join_ledger(exchange: SmallExchange, *origins: str) -> None:
    """Registers the ledger, and the keys of these logs, in the members log of the exchange."""
    exchange.join(LEDGER)
    for origin in origins or (ORIGIN,):
        public = signer_of_log(origin).public
        exchange.say(
            KeyAdded(
                participant=LEDGER,
                key_id=public.key_id,
                suite="ed25519",
                public_key=public.data,
                valid_from=FOUNDED_MS,
            )
        )


@dataclass
class SmallLog:
    """Grows by ``grow``; ``fork`` gives one with the same beginning. Tiles are computed afresh when they are asked for."""

    origin: str = ORIGIN
    entries: list[bytes] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.entries)

    def grow(self, count: int, word: str = "entry") -> SmallLog:
        """Appends entries that say this."""
        self.entries += [f"{word} {n}".encode() for n in range(self.size, self.size + count)]
        return self

    def fork(self, at: int) -> SmallLog:
        """A log whose first entries are those of this one."""
        return SmallLog(self.origin, self.entries[:at])

    def root(self, size: int | None = None) -> bytes:
        """Root over the first ``size`` entries."""
        leaves = [leaf_hash(entry) for entry in self.entries[: self.size if size is None else size]]
        return levels_of(leaves)[-1][0] if leaves else EMPTY_ROOT

    def checkpoint(self, size: int | None = None) -> bytes:
        """The signed checkpoint of that size."""
        of = self.size if size is None else size
        return checkpoint_note(of, self.root(of), self.origin)

    def tiles(self) -> dict[str, bytes]:
        """Every hash tile of the present size."""
        levels = levels_of([leaf_hash(entry) for entry in self.entries])
        return {
            tile_path(level, index, width): _hashes(levels, level, index, width)
            for level, index, width in new_tiles(0, self.size)
        }

    def read(self, path: str) -> bytes | None:
        """A file of the log."""
        return self.checkpoint() if path in ("candidate", "checkpoint") else self.tiles().get(path)


def _hashes(levels: Sequence[Sequence[bytes]], level: int, index: int, width: int) -> bytes:
    return b"".join(levels[level * HEIGHT][index * 256 : index * 256 + width])
