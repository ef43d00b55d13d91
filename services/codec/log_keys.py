"""Keys of the logs: one for each origin, all from the seed of ``exchange.ledger`` (``services/ledger/FORMAT.md`` section 6.2)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.note import ED25519, NoteKey

LEDGER: Final = "exchange.ledger"


def log_signer(ledger: Ed25519Signer, origin: str) -> Ed25519Signer:
    """The key pair that signs the checkpoints of this origin; a key of the same participant."""
    message = b"ipx-log-key/v1\n" + origin.encode()
    return signer_from_seed(ledger.public.participant, hmac.digest(ledger.secret[:32], message, hashlib.sha256))


def log_key(origin: str, public_key: bytes) -> NoteKey:
    """The key that checkpoints of this origin are checked with."""
    return NoteKey(origin, ED25519, public_key)
