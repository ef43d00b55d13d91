"""A log of made-up entries as tiles in memory, its keys, and its witnesses, for the tests of notes, tiles, proofs and policies."""

from __future__ import annotations

from collections.abc import Callable

from services.codec.checkpoint import Checkpoint, format_checkpoint
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.merkle import leaf_hash, node_hash
from services.codec.note import COSIGNATURE, ED25519, Note, NoteKey, cosign_note, sign_note
from services.codec.tiles import WIDTH, bundle_path, new_tiles, pack_bundle, tile_path
from services.kernel.errors import Refused
from tests.unit.services.codec.rfc6962 import Definitions

ORIGIN = "ipx/clues/0"
TIME_S = 1_795_500_000
LOG = signer_from_seed("exchange.ledger", bytes(range(32)))
LOG_KEY = NoteKey(ORIGIN, ED25519, LOG.public.data)
CITIES = ("320100.market_regulator", "330100.market_regulator", "310000.market_regulator", "340100.market_regulator")
WITNESSES = {name: signer_from_seed(name, bytes([n + 1]) * 32) for n, name in enumerate(CITIES)}


def entry(n: int) -> bytes:
    return f"entry {n}".encode()


RFC = Definitions(entry)


def witness_key(name: str) -> NoteKey:
    return NoteKey(name, COSIGNATURE, WITNESSES[name].public.data)


def tiles_of(size: int, steps: tuple[int, ...] = ()) -> dict[str, bytes]:
    """Every tile and bundle of a log that had these sizes on its way; hashed level by level, without the code under test."""
    files: dict[str, bytes] = {}
    row = [leaf_hash(entry(n)) for n in range(size)]
    rows = [row]
    while len(row) >= WIDTH:
        for _ in range(8):
            row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        rows.append(row)
    old = 0
    for new in (*steps, size):
        for level, index, width in new_tiles(old, new):
            first = index * WIDTH
            files[tile_path(level, index, width)] = b"".join(rows[level][first : first + width])
            if level == 0:
                files[bundle_path(index, width)] = pack_bundle([entry(n) for n in range(first, first + width)])
        old = new
    return files


def code_of(read: Callable[[], object]) -> str | None:
    """The code that reading was refused with; None when it was not."""
    try:
        read()
    except Refused as error:
        return error.code
    return None


def checkpoint_of(size: int) -> Checkpoint:
    return Checkpoint(ORIGIN, size, RFC.mth(0, size))


def signed(size: int, *witnesses: str, key: Ed25519Signer = LOG, time_s: int = TIME_S) -> Note:
    """The checkpoint of the log at this size, cosigned by these witnesses."""
    text = format_checkpoint(checkpoint_of(size))
    note = Note(text, (sign_note(text, ORIGIN, key.public.data, key.sign),))
    return note.add(
        *(cosign_note(text, name, WITNESSES[name].public.data, WITNESSES[name].sign, time_s) for name in witnesses)
    )
