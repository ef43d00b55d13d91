"""Wiring of the transfers room: kinds of transfer and clock rules are read once and bound to the pure fold; the runner does the rest."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from services.cases.documents import load_transfers
from services.cases.state import Case
from services.cases.state_json import decode, encode
from services.cases.table import Transfers
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_rules import ClockRules
from services.kernel.data import SCHEMAS_DIR
from services.runtime.fold import Room
from services.transfers.fold import due, fold, key_of, tick


def room_of(tables: Transfers, rules: ClockRules) -> Room[Case]:
    """The room over these tables. Its ticks wait for its own log alone: what stops a clock is said there."""
    return Room(
        name="transfers",
        families=("transfers",),
        key_of=key_of,
        fold=partial(fold, tables, rules),
        encode=encode,
        decode=decode,
        tick=partial(tick, tables, rules),
        due_of=due,
    )


def room_at(codes: Path) -> Room[Case]:
    """The room over the tables in a directory like ``schemas/codes``. ``BadSettings`` when they do not hold together."""
    rules = load_clock_rules(codes / "clocks.toml")
    return room_of(load_transfers(codes / "transfers.toml", rules), rules)


ROOM = room_at(SCHEMAS_DIR / "codes")
