"""What operators see of a node's cases: its own computation, and what the exchange told otherwise. Read beside the running node."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

from connectors.node import case_entries, members_log
from connectors.node.case_entries import CaseEntry
from connectors.node.casebook import Casebook, Comparison
from connectors.node.config import NodeConfig
from services.cases.possibilities import parties
from services.cases.view import case_view
from services.codec.keys import PublicKey
from services.codec.released import load_released
from services.events.values import record_to_value
from services.members.history import History


def cases(
    config: NodeConfig, db: sqlite3.Connection, book: Casebook, *, case: str | None, at_ms: int
) -> list[dict[str, Any]]:
    """The cases of the node's participants as the node itself computes them, each with its verdict document and the digest of its bytes.

    ``whole`` is False for a case that a participant came into later: the node does not hold what its clocks run from; ``party`` for one
    that it has a copy of and no part in, or no more (None where that cannot be known). Not every move is told to it then, and nothing is computed. ``differs`` lists what the exchange told of a clock otherwise than the node computes it, both verdicts beside one another.
    """
    wanted = (
        (member.id, subject)
        for member in config.participants
        for subject in case_entries.subjects(db, member.id)
        if case in (None, subject)
    )
    return [_case(db, book, participant, subject, at_ms) for participant, subject in wanted]


def _case(db: sqlite3.Connection, book: Casebook, participant: str, subject: str, at_ms: int) -> dict[str, Any]:
    kept = case_entries.entries(db, participant, subject)
    compared = book.compare(kept, case_entries.notices(db, participant, subject))
    computed = book.case(kept)
    is_party = _is_unasked(kept) if computed is None else participant in parties(computed.case)
    row: dict[str, Any] = {
        "participant": participant,
        "case": subject,
        "entries": len(kept),
        "pending": case_entries.is_pending(db, participant, subject),
        "whole": computed is not None,
        "party": is_party,
        "told": len(compared),
        "differs": [_difference(one) for one in compared if one.state == case_entries.DIFFERS],
    }
    if computed is None or not is_party:
        return row
    document, data = book.verdicts(computed.case, at_ms)
    view = case_view(computed.case, book.around(computed.case), at_ms, participant)
    return {
        **row,
        "state": computed.case.state,
        "verdicts": document,
        "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "view": view,
    }


def _is_unasked(kept: list[CaseEntry]) -> bool | None:
    """False where all that a participant holds of a case had no effect; None where that cannot be known."""
    return False if kept and all(entry.voided for entry in kept) else None


def _difference(one: Comparison) -> dict[str, Any]:
    notice = one.notice
    return {
        "event": notice.event,
        "type": notice.type,
        "clock": notice.clock,
        "told": record_to_value(notice.verdict),
        "computed": None if one.own is None else record_to_value(one.own),
    }


def history(config: NodeConfig, db: sqlite3.Connection, exchange: str, root: PublicKey) -> History:
    """The members log as the node keeps it, verified anew from the root key; ``Transient`` when it keeps none yet."""
    released = load_released()
    return members_log.read(db, f"{config.node.exchange or exchange}.members/0", root, released.with_digest)
