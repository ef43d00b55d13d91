"""The receipts a node signs, with ids that follow from what they report. Pure. Design sections 7 and 10.

The id of a receipt is the UUIDv8 of participant, event id and step, so the same step is reported once however often the node
comes back to it. Receipts move under no agreement; their one addressee is the source of the event (an answer to a statement of completeness
has none), their cause the event.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.codec.checkpoint import Checkpoint
from services.codec.split_view import Fork, join_path
from services.events.receipt import (
    Committed,
    CompletenessConfirmed,
    CompletenessDisputed,
    Delivered,
    NotCommitted,
    Rejected,
    SplitViewFound,
)
from services.kernel.ids import uuid8

AnyReceipt = (
    Delivered | Committed | Rejected | NotCommitted | CompletenessConfirmed | CompletenessDisputed | SplitViewFound
)
OPERATOR = "exchange.operator"
NONE = "-"


@dataclass(frozen=True, slots=True)
class Reported:
    """The delivery that receipts report on: what of it they need."""

    participant: str
    event: str
    source: str
    subject: str
    log: str
    number: int
    trace: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt before it is signed."""

    id: str
    about: Reported
    time_ms: int
    event: AnyReceipt


def receipt_id(participant: str, event: str, step: str) -> str:
    """Id of the receipt of that step."""
    return uuid8(participant, event, step)


def _receipt(about: Reported, step: str, at_ms: int, event: AnyReceipt) -> Receipt:
    return Receipt(receipt_id(about.participant, about.event, step), about, at_ms, event)


def delivered(about: Reported, at_ms: int, *, node: str, withheld: tuple[str, ...]) -> Receipt:
    """The node has it and verified it."""
    event = Delivered(
        event=about.event,
        recipient=about.participant,
        log=about.log,
        number=about.number,
        delivered_at=at_ms,
        node=node,
        withheld=withheld,
    )
    return _receipt(about, "delivered", at_ms, event)


def committed(about: Reported, at_ms: int, *, reference: str, connector: str, attempts: int) -> Receipt:
    """The city's system has it, under its own reference."""
    event = Committed(
        event=about.event,
        recipient=about.participant,
        log=about.log,
        number=about.number,
        committed_at=at_ms,
        reference=reference,
        connector=connector,
        attempts=attempts,
    )
    return _receipt(about, "committed", at_ms, event)


def rejected(
    about: Reported,
    at_ms: int,
    *,
    code: str,
    reason: str,
    city_code: str | None = None,
    field: str | None = None,
    connector: str | None = None,
    step: str = "rejected",
) -> Receipt:
    """The city's system refused it, or the node must not hand it on (``step`` then names the reason in the id)."""
    event = Rejected(
        event=about.event,
        recipient=about.participant,
        log=about.log,
        number=about.number,
        rejected_at=at_ms,
        code=code,
        city_code=city_code,
        reason=reason,
        field=field,
        connector=connector,
    )
    return _receipt(about, step, at_ms, event)


def not_committed(
    about: Reported,
    at_ms: int,
    *,
    limit_s: int,
    due_ms: int,
    attempts: int,
    last_error: str | None,
    connector: str,
    still_trying: bool,
) -> Receipt:
    """Negative receipt: at the time limit (``still_trying``), or when trying ended."""
    event = NotCommitted(
        event=about.event,
        recipient=about.participant,
        log=about.log,
        number=about.number,
        step="committed",
        limit_s=limit_s,
        due_at=due_ms,
        attempts=attempts,
        last_error=last_error,
        connector=connector,
        still_trying=still_trying,
    )
    return _receipt(about, "late" if still_trying else "given-up", at_ms, event)


def split_view_found(
    participant: str,
    seen: Checkpoint,
    seen_note: bytes,
    offered: Checkpoint,
    offered_note: bytes,
    fork: Fork,
    at_ms: int,
    *,
    node: str,
) -> Receipt:
    """Two checkpoints of one log contradict one another: to the operator, about the log. No event is its cause."""
    event = SplitViewFound(
        origin=offered.origin,
        seen_size=seen.size,
        seen_root=_digest(seen.root),
        seen_note=seen_note,
        offered_size=offered.size,
        offered_root=_digest(offered.root),
        offered_note=offered_note,
        prefix_root=None if fork.prefix_root is None else _digest(fork.prefix_root),
        proof=join_path(fork.path),
        found_at=at_ms,
        node=node,
    )
    about = Reported(participant, NONE, OPERATOR, offered.origin, offered.origin, 0, None)
    parts = (offered.origin, f"{seen.size} {seen.root.hex()} {offered.size} {offered.root.hex()}")
    return Receipt(uuid8(participant, "split-view", *parts), about, at_ms, event)


def _digest(root: bytes) -> str:
    return f"sha256:{root.hex()}"
