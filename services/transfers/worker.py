"""Wiring of the transfers room: kinds of transfer and clock rules are read once and bound to the pure fold; the runner does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from services.cases.fold import due_of
from services.cases.laws import Laws, load_laws
from services.cases.state import Case
from services.cases.state_json import decode, encode
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings
from services.runtime.fold import Room
from services.transfers.fold import fold, key_of, tick


def room_of(laws: Laws) -> Room[Case]:
    """The room over these tables. Its ticks wait for its own log alone: what stops a clock is said there."""
    return Room(
        name="transfers",
        families=("transfers",),
        key_of=key_of,
        fold=partial(fold, laws),
        encode=encode,
        decode=partial(decode_known, laws),
        tick=partial(tick, laws),
        due_of=due_of,
    )


def decode_known(laws: Laws, data: Mapping[str, Any]) -> Case:
    """A stored case. ``BadSettings`` for one of a kind or a clock rule that this release does not have: it cannot be folded on."""
    case = decode(data)
    if case.exists and case.kind not in laws.tables.kinds:
        raise BadSettings(
            f"the stored case {case.subject} is of the kind {case.kind}, which transfers.toml does not have"
        )
    strange = sorted({clock.rule for clock in case.clocks if not laws.rules.versions(clock.rule)})
    if strange:
        raise BadSettings(f"the stored case {case.subject} has clocks of {', '.join(strange)}, which clocks.toml lacks")
    return case


def room_at(codes: Path) -> Room[Case]:
    """The room over the tables in a directory like ``schemas/codes``. ``BadSettings`` when they do not hold together."""
    return room_of(load_laws(codes))


ROOM = room_at(SCHEMAS_DIR / "codes")
