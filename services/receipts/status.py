"""The receipts of an event as its parties may see them: what ``GET /v1/events/{id}`` answers. Pure, over the states.

The source sees every recipient, a recipient sees itself, nobody else sees anything (design section 10: "delivered" is
never shown for what the city's system refused).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.kernel.instants import format_instant
from services.receipts.state import (
    ADMITTED,
    ANSWERS,
    COMMITTED,
    DELIVERED,
    NOT_COMMITTED,
    REJECTED,
    STEPS,
    Answer,
    Copy,
    Json,
    Receipt,
    Tracked,
    decode,
)

QUERY = "select state from receipts.state where state ->> 'event' = %s"
"""States of an event id, one for each log partition it is in (as a rule one); the parameter is the id."""

_SHOWN = ("reference", "code", "city_code", "field", "reason", "connector", "attempts")


def status_for(states: Iterable[Json], participant: str) -> dict[str, Any] | None:
    """The status document of the event that was admitted first among the states; None when it is not the viewer's.

    ``states`` are the JSON values that ``QUERY`` gives. None too while no entry has been folded.
    """
    logged = [(tracked.entry.admitted_at, tracked.log, tracked) for tracked in map(decode, states) if tracked.entry]
    if not logged:
        return None
    tracked = min(logged, key=lambda item: item[:2])[2]
    entry = tracked.entry
    assert entry is not None
    shown = [copy for copy in tracked.copies if participant in (entry.source, copy.recipient)]
    if not shown and participant != entry.source:
        return None
    return {
        "id": tracked.event,
        "type": entry.type,
        "source": entry.source,
        "subject": entry.subject,
        "agreement": entry.agreement,
        "cause": entry.cause,
        "log": tracked.log,
        "seq": entry.seq,
        "admitted": format_instant(entry.admitted_at),
        "recipients": [_copy(tracked, copy, entry.admitted_at) for copy in shown],
    }


def _copy(tracked: Tracked, copy: Copy, admitted_ms: int) -> dict[str, Any]:
    steps = []
    for step in (DELIVERED, COMMITTED, REJECTED, NOT_COMMITTED):
        answer = tracked.answer(copy, step)
        if answer is not None:
            steps.append(_step(copy, answer, admitted_ms))
    return {
        "recipient": copy.recipient,
        "number": copy.number,
        "withheld": list(copy.withheld),
        "status": _status(tracked, copy),
        "steps": steps,
        "due": {
            step: format_instant(admitted_ms + limit_s * 1000)
            for step in STEPS
            if (limit_s := copy.limit_s(step)) is not None
        },
        "missing": [
            {"step": item.step, "due": format_instant(item.due_at)}
            for item in tracked.missing
            if item.recipient == copy.recipient
        ],
    }


def _status(tracked: Tracked, copy: Copy) -> str:
    """What the city's system said last; else delivered, else admitted."""
    said = [answer.last for step in (COMMITTED, REJECTED) if (answer := tracked.answer(copy, step)) is not None]
    if said:
        last = max(said, key=lambda receipt: receipt.order)
        committed = tracked.answer(copy, COMMITTED)
        return COMMITTED if committed is not None and committed.last == last else REJECTED
    return DELIVERED if tracked.answer(copy, DELIVERED) is not None else ADMITTED


def _step(copy: Copy, answer: Answer, admitted_ms: int) -> dict[str, Any]:
    """The first receipt of the step, how late it was, and the last one where there are several."""
    due_step = next((step for step in STEPS if answer.step in ANSWERS[step]), None)
    limit_s = copy.limit_s(due_step) if due_step else None
    late_ms = answer.first.admitted_at - admitted_ms - limit_s * 1000 if limit_s is not None else 0
    document: dict[str, Any] = {"step": answer.step, **_receipt(answer.first)}
    if late_ms > 0:
        document["late_by_ms"] = late_ms
    if answer.last != answer.first:
        document["last"] = _receipt(answer.last)
    return document


def _receipt(receipt: Receipt) -> dict[str, Any]:
    said = {name: value for name in _SHOWN if (value := getattr(receipt, name)) is not None}
    return {
        "at": format_instant(receipt.said_at),
        "admitted": format_instant(receipt.admitted_at),
        "receipt": receipt.receipt,
        **said,
    }
