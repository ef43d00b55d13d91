"""What an entry or a due time does to a tracked event: pure, total, and the same whatever order the logs come in.

Implements design section 10. A step is missing iff no receipt that answers it was *admitted* at or before its due time:
by admission's clock alone, so that sender, receiver and auditor find the same. A receipt from somebody who is no
recipient, or for another delivery, has no effect; a receipt gets no receipt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from services.events.receipt import (
    Committed,
    Delivered,
    NotCommitted,
    ReceiptEvent,
    Rejected,
    StepMissing,
)
from services.kernel.parties import is_exchange_part
from services.receipts.limits import copies_of
from services.receipts.state import (
    ADMITTED,
    COMMITTED,
    DELIVERED,
    NOT_COMMITTED,
    REJECTED,
    STEPS,
    Answer,
    Copy,
    Entry,
    Missing,
    Receipt,
    Tracked,
)
from services.runtime.fold import Emission, Folded, Logged, World

Said = Delivered | Committed | Rejected | NotCommitted


def key_of(logged: Logged) -> tuple[str, ...]:
    """``<event id> <log partition>``: ids are unique in a partition, and a receipt names the partition it is for."""
    event = logged.event
    if isinstance(event, Said):
        return (f"{event.event} {event.log}",) if logged.entry.statement.source == event.recipient else ()
    if isinstance(event, ReceiptEvent):
        return ()  # this room's own words coming back, and what is said of whole days or of the log itself
    return (f"{logged.id} {logged.entry.log}",)


def fold(state: Tracked | None, logged: Logged, world: World) -> Folded[Tracked | None]:
    """The entry of an event opens it; a receipt adds to it. A redelivered entry changes nothing."""
    event = logged.event
    if isinstance(event, Said):
        return Folded(_with_receipt(state or Tracked(event.event, event.log), logged, event))
    if isinstance(event, ReceiptEvent):
        return Folded(state)
    return Folded(_with_entry(state or Tracked(logged.id, logged.entry.log), logged, world))


def _with_entry(tracked: Tracked, logged: Logged, world: World) -> Tracked:
    if tracked.entry is not None:
        return tracked
    statement = logged.entry.statement
    copies = copies_of(world.registry(logged.entry.members), logged.entry)
    entry = Entry(
        type=statement.type,
        source=statement.source,
        subject=statement.subject,
        seq=logged.seq,
        admitted_at=logged.admitted_ms,
        agreement=None if statement.agreement == "-" else statement.agreement,
        cause=None if statement.cause == "-" else statement.cause,
    )
    fitting = tuple(answer for answer in tracked.answers if _fits(copies, answer.recipient, answer.number))
    return replace(tracked, entry=entry, copies=copies, answers=fitting)


def _with_receipt(tracked: Tracked, logged: Logged, event: Said) -> Tracked:
    if tracked.entry is not None and not _fits(tracked.copies, event.recipient, event.number):
        return tracked
    step, receipt = _read(logged, event)
    merged = {answer.key: answer for answer in tracked.answers}
    before = merged.get((event.recipient, event.number, step))
    first = receipt if before is None else min(before.first, receipt, key=lambda r: r.order)
    last = receipt if before is None else max(before.last, receipt, key=lambda r: r.order)
    answer = Answer(event.recipient, event.number, step, first, last)
    merged[answer.key] = answer
    return replace(tracked, answers=tuple(merged[key] for key in sorted(merged)))


def _fits(copies: tuple[Copy, ...], recipient: str, number: int) -> bool:
    return any((copy.recipient, copy.number) == (recipient, number) for copy in copies)


def _read(logged: Logged, event: Said) -> tuple[str, Receipt]:
    admitted, receipt = logged.admitted_ms, logged.id
    match event:
        case Delivered():
            return DELIVERED, Receipt(admitted, receipt, event.delivered_at)
        case Committed():
            return COMMITTED, Receipt(
                admitted,
                receipt,
                event.committed_at,
                reference=event.reference,
                connector=event.connector,
                attempts=event.attempts,
            )
        case Rejected():
            return REJECTED, Receipt(
                admitted,
                receipt,
                event.rejected_at,
                code=event.code,
                city_code=event.city_code,
                field=event.field,
                reason=event.reason,
                connector=event.connector,
            )
        case NotCommitted():
            return NOT_COMMITTED, Receipt(
                admitted,
                receipt,
                event.due_at,
                code=event.last_error,
                connector=event.connector,
                attempts=event.attempts,
            )
        case _:
            assert_never(event)


def due_of(state: Tracked) -> int | None:
    """When the earliest unanswered step is due."""
    due = state.due()
    return due[0][0] if due else None


def tick(state: Tracked, due_ms: int, world: World) -> Folded[Tracked]:
    """Every step due at that very time becomes missing, and is told to the source and to the recipient."""
    if state.entry is None:
        return Folded(state)
    missing = list(state.missing)
    emissions = []
    for at_ms, place, step in state.due():
        if at_ms == due_ms:
            missing.append(Missing(state.copies[place].recipient, step, due_ms))
            emissions.append(_told(state, state.entry, place, step, due_ms))
    ordered = tuple(sorted(missing, key=lambda item: (item.due_at, item.recipient, STEPS.index(item.step))))
    return Folded(replace(state, missing=ordered), tuple(emissions))


def _told(state: Tracked, entry: Entry, place: int, step: str, due_ms: int) -> Emission:
    copy = state.copies[place]
    last = DELIVERED if step == COMMITTED and state.answered_by(copy, DELIVERED, due_ms) else ADMITTED
    event = StepMissing(
        event=state.event,
        recipient=copy.recipient,
        log=state.log,
        number=copy.number,
        source=entry.source,
        step=step,
        due_at=due_ms,
        limit_s=copy.limit_s(step) or 0,
        agreement=entry.agreement,
        last_step=last,
    )
    told = sorted({name for name in (entry.source, copy.recipient) if not is_exchange_part(name)})
    ordinal = place * len(STEPS) + STEPS.index(step)
    return Emission(event, entry.subject, tuple(told), state.event, ordinal, due_ms)
