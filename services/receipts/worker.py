"""Wiring of the receipts room: every family's log, since every family delivers; ticks wait for the receipts log alone."""

from __future__ import annotations

from services.kernel.families import FAMILIES
from services.receipts.fold import due_of, fold, key_of, tick
from services.receipts.state import Tracked, decode, encode
from services.runtime.fold import Room

ROOM: Room[Tracked] = Room(
    name="receipts",
    families=FAMILIES,
    key_of=key_of,
    fold=fold,
    encode=encode,
    decode=decode,
    tick=tick,
    due_of=due_of,
    # A due time is known once the event's entry is folded; whether it was kept is decided by the receipts alone.
    waits_for=("receipts",),
)
