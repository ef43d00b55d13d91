"""Keys of the logs: one an origin, all from one seed, computed here a second time from the definition of HMAC."""

from __future__ import annotations

import hashlib

from services.codec.keys import signer_from_seed
from services.codec.log_keys import LEDGER, log_key, log_signer
from services.codec.note import ED25519, Note, is_signed, sign_note

SEED = bytes(range(32))
LEDGER_SIGNER = signer_from_seed(LEDGER, SEED)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104 section 2, for a key shorter than a block."""
    padded = key.ljust(64, b"\x00")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


def test_the_seed_of_a_log_is_the_hmac_that_the_format_writes_down() -> None:
    seed = hmac_sha256(SEED, b"ipx-log-key/v1\nipx/clues/0")
    assert log_signer(LEDGER_SIGNER, "ipx/clues/0").secret[:32] == seed
    assert log_signer(LEDGER_SIGNER, "ipx/clues/0").public == signer_from_seed(LEDGER, seed).public


def test_every_log_has_a_key_of_its_own_and_always_the_same() -> None:
    origins = [f"ipx/{family}/{partition}" for family in ("clues", "members") for partition in range(12)]
    keys = {log_signer(LEDGER_SIGNER, origin).public.data for origin in origins}
    assert len(keys) == len(origins)
    assert LEDGER_SIGNER.public.data not in keys
    assert {log_signer(LEDGER_SIGNER, origin).public.data for origin in origins} == keys
    assert {log_signer(signer_from_seed(LEDGER, bytes(32)), origin).public.data for origin in origins}.isdisjoint(keys)


def test_a_log_signs_as_the_ledger_and_is_checked_by_the_key_of_its_origin() -> None:
    signer = log_signer(LEDGER_SIGNER, "ipx/clues/0")
    assert signer.public.participant == LEDGER
    key = log_key("ipx/clues/0", signer.public.data)
    assert (key.name, key.kind) == ("ipx/clues/0", ED25519)
    note = Note(b"text\n", (sign_note(b"text\n", "ipx/clues/0", signer.public.data, signer.sign),))
    assert is_signed(note, key)
    assert not is_signed(note, log_key("ipx/clues/0", LEDGER_SIGNER.public.data))
