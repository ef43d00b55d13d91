"""Wiring of the clues room: the routing table is read once and bound to the pure fold; the runner does the rest."""

from __future__ import annotations

from functools import partial

from services.clues.fold import fold, key_of
from services.clues.state import Clue, decode, encode
from services.kernel.codes import CodeTables, load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.members.jurisdiction import routes_of
from services.runtime.fold import Room


def room_of(tables: CodeTables) -> Room[Clue]:
    """The room over these code tables. A clue has no tick here: its clocks are not part of this room."""
    return Room(
        name="clues",
        families=("clues",),
        key_of=key_of,
        fold=partial(fold, routes_of(tables)),
        encode=encode,
        decode=decode,
    )


ROOM = room_of(load_code_tables(SCHEMAS_DIR / "codes"))
