"""The exchange's policy as a reader of its files makes it: the quorum, and the keys of the logs.

The members log has those keys as keys of ``exchange.ledger``; the notes say whose is whose.
"""

from __future__ import annotations

from pathlib import Path

from services.codec.log_keys import LEDGER, log_key
from services.codec.note import NoteKey, is_signed, parse_note
from services.codec.tlog_policy import NONE, Policy
from services.kernel.errors import Refused
from services.ledger.files import LogFiles, origins
from services.ledger.quorum import Quorum, policy_of
from services.members.registry import Registry


def log_keys(ledger_dir: Path, exchange: str, registry: Registry) -> dict[str, NoteKey]:
    """The key of every log of the exchange that has a checkpoint, by origin; a log whose key the members log has not is left out."""
    found: dict[str, NoteKey] = {}
    for origin in origins(ledger_dir):
        data = LogFiles(ledger_dir / origin).checkpoint()
        if data is None or not origin.startswith(f"{exchange}/"):
            continue
        note = parse_note(data)
        keys = (log_key(origin, key.public_key) for key in registry.keys_of(LEDGER) if len(key.public_key) == 32)
        own = next((key for key in keys if is_signed(note, key)), None)
        if own is not None:
            found[origin] = own
    return found


def exchange_policy(ledger_dir: Path, exchange: str, quorum: Quorum, registry: Registry, now_ms: int) -> Policy:
    """The policy of the exchange's own witnesses; refuses ``not-found`` while there are too few of them for the quorum. Reads a note of each log."""
    logs = log_keys(ledger_dir, exchange, registry)
    policy = policy_of(quorum, registry, logs.values(), now_ms)
    if policy is None:
        raise Refused("not-found", "there are not enough witnesses in the members log for a quorum")
    return policy


def known_signers(ledger_dir: Path, exchange: str, quorum: Quorum, registry: Registry, now_ms: int) -> Policy | None:
    """Whose signatures a file of the exchange carries: those of :func:`exchange_policy`, those of its logs alone while it has none.

    None where the members log has no key of any log: then nobody can tell whose a signature is.
    """
    logs = log_keys(ledger_dir, exchange, registry)
    if not logs:
        return None
    return policy_of(quorum, registry, logs.values(), now_ms) or Policy(logs, {}, (), NONE)
