"""Who may report a split view, and of what: the event proves itself, so admission believes nobody about it. Pure.

Implements design section 7: any member that witnesses may report; the notes must be signed by keys that the members log has for
``exchange.ledger``, revoked ones too, and must contradict one another (``services/codec/split_view.py``).
"""

from __future__ import annotations

from typing import Any

from services.codec.checkpoint import Checkpoint, log_of_origin
from services.codec.log_keys import LEDGER, log_key
from services.codec.note import NoteKey
from services.codec.signature import SINGLE
from services.codec.split_view import Fork, contradict, signed_checkpoint, split_path
from services.codec.statement import Statement
from services.kernel.errors import Refused
from services.members.registry import Participant, Registry


def reports_split_view(registry: Registry, source: Participant, statement: Statement, value: dict[str, Any]) -> None:
    """The rule of ``SplitViewFound``.

    Refuses ``flow-not-agreed``, ``addressee-not-agreed``, and ``bad-field`` what its own bytes do not show, naming the field.
    """
    if statement.agreement != "-":
        raise Refused("flow-not-agreed", f"{statement.type} moves under no agreement: write '-'", field="agreement")
    if statement.addressee != registry.operator:
        raise Refused("addressee-not-agreed", f"it is addressed to {registry.operator}", field="addressee")
    if statement.cause != "-" or statement.subject != value["origin"]:
        raise Refused("bad-field", "its subject is the origin of the log, and it has no cause", field="origin")
    origin = value["origin"]
    keys = keys_of_log(registry, origin)
    seen = _checkpoint(value, "seen", keys)
    offered = _checkpoint(value, "offered", keys)
    prefix_root = value["prefix_root"]
    fork = Fork(None if prefix_root is None else _root(prefix_root), split_path(value["proof"]))
    if not contradict(seen, offered, fork):
        raise Refused("bad-field", "the two checkpoints do not contradict one another by this proof", field="proof")


def keys_of_log(registry: Registry, origin: str, at_ms: int | None = None) -> list[NoteKey]:
    """The keys that may have signed checkpoints of this origin; with ``at_ms`` those alone that may sign at that instant.

    Every log has a key of its own, and the members log does not say whose is whose: the name that a key signs under tells
    (FORMAT.md section 6.2). Refuses ``bad-field`` what is not the origin of a log of this exchange.
    """
    try:
        log = log_of_origin(origin)
    except Refused as refused:
        raise Refused("bad-field", refused.message, field="origin") from refused
    if registry.founded is None or log.partition(".")[0] != registry.founded.name:
        raise Refused("bad-field", f"{origin} is not a log of this exchange", field="origin")
    keys = [key for key in registry.keys_of(LEDGER) if key.suite == SINGLE]
    return [log_key(origin, key.public_key) for key in keys if at_ms is None or key.refusal_at(at_ms) is None]


def _checkpoint(value: dict[str, Any], which: str, keys: list[NoteKey]) -> Checkpoint:
    field = f"{which}_note"
    try:
        checkpoint = signed_checkpoint(value[field], keys)
    except Refused as refused:
        raise Refused("bad-field", refused.message, field=field) from refused
    if checkpoint.origin != value["origin"] or checkpoint.size != value[f"{which}_size"]:
        raise Refused("bad-field", "origin and size are not those of the note", field=field)
    if checkpoint.root != _root(value[f"{which}_root"]):
        raise Refused("bad-field", "the root is not that of the note", field=f"{which}_root")
    return checkpoint


def _root(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("sha256:"))
