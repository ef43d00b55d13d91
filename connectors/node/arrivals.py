"""From the exchange: a page of proved copies becomes deliveries, receipts and outcomes, in one transaction with the cursor.

Numbered as in ``verify.py``: 8 the number is the next one: a smaller one was had, a larger one stops the page there · 9 the id is
not known with another statement: else ``rejected`` with ``conflict`` · 10 stored for the connector, ``delivered`` signed.
What did not verify is kept and counted, never handed on; its number does not count as had, so a genuine copy that follows
is not mistaken for a repeat, and a genuine one that is missing shows as a gap.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connectors.kit import dead_letters
from connectors.kit.shapes import OutgoingRefused
from connectors.node import case_entries, completeness, deliveries, notices, outbox, places, receipts
from connectors.node.deliveries import Delivery
from connectors.node.journal import Change
from connectors.node.numbering import Gap, Numbers, Place
from connectors.node.outbox import Outcome
from connectors.node.site import Site
from connectors.node.verify import Unverified, Verified, VerifiedOutcomes
from connectors.node.wire import Copy
from services.events.receipt import (
    Committed,
    CompletenessDisputed,
    CompletenessStated,
    Delivered,
    NotCommitted,
    Rejected,
    StepMissing,
)
from services.kernel.families import family_of
from services.kernel.instants import parse_instant
from services.kernel.parties import organ_type_of
from services.members.registry import Registry

CONFLICT: Final = "conflict"
NOT_SUPPORTED: Final = "not-supported"
RECEIPTS: Final = "receipts"
Judged = tuple[Copy, Verified | VerifiedOutcomes | Unverified]


@dataclass(slots=True)
class Arrived:
    """What a page came to. ``gap`` says that it was taken up to there only and the cursor stands."""

    delivered: int = 0
    unsupported: int = 0
    receipts: int = 0
    had: int = 0
    verified: int = 0
    conflicts: int = 0
    refused: int = 0
    unverified: list[Unverified] = field(default_factory=list)
    gap: Gap | None = None
    ids: list[tuple[str, str | None]] = field(default_factory=list)
    disputed: list[CompletenessDisputed] = field(default_factory=list)
    of_cases: int = 0
    """Entries of cases and what was told of their clocks."""


class Arrivals:
    """Takes the pages of one site's inbox. ``registry`` is asked for the latest members, ``node`` named in receipts."""

    def __init__(self, site: Site, node: str) -> None:
        self._site = site
        self._node = node

    def take(self, change: Change, judged: Sequence[Judged], cursor: str, registry: Registry, now_ms: int) -> Arrived:
        """Stores what the page brings, and the cursor unless there is a gap."""
        arrived = Arrived()
        numbers = places.numbers(change.db, self._site.participant)
        for copy, found in judged:
            if isinstance(found, Unverified):
                self._keep_unverified(change, copy, found, now_ms)
                arrived.unverified.append(found)
                continue
            arrived.verified += 1
            # (8) the number is the next one
            place = numbers.place(found.numbered.log, found.numbered.number)
            if place is Place.GAP:
                arrived.gap = numbers.gap(found.numbered.log, found.numbered.number)
                break
            if place is Place.HAD:
                arrived.had += 1
                continue
            self._next(change, found, numbers, registry, now_ms, arrived)
        places.keep_numbers(change.db, self._site.participant, numbers.next)
        if arrived.gap is None:
            places.move(change.db, places.inbox_name(self._site.participant), cursor)
        return arrived

    def _next(
        self,
        change: Change,
        found: Verified | VerifiedOutcomes,
        numbers: Numbers,
        registry: Registry,
        now_ms: int,
        arrived: Arrived,
    ) -> None:
        numbers.take(found.numbered.log, found.numbered.number)
        if isinstance(found, VerifiedOutcomes):
            self._settle(change, found, now_ms, arrived)
            return
        completeness.keep(change.db, self._site.participant, found)
        # (9) the id is not known with another statement
        statement = found.statement
        known = deliveries.digest_of(change.db, self._site.participant, statement.id)
        if known is not None:
            if known != found.digest and family_of(statement.type) != RECEIPTS:
                self._conflict(change, found, now_ms)
                arrived.conflicts += 1
            return
        # (10) stored for the connector, delivered signed
        self._deliver(change, found, registry, now_ms, arrived)

    def _deliver(self, change: Change, found: Verified, registry: Registry, now_ms: int, arrived: Arrived) -> None:
        row = self._row(found, registry, now_ms)
        if family_of(row.type) == RECEIPTS:
            arrived.receipts += 1
            self._hear(change, found, now_ms, arrived)
            if row.target is not None:
                deliveries.insert(change.db, replace(row, receipted=False))
            return
        arrived.delivered += 1
        arrived.of_cases += case_entries.keep_copy(change.db, self._site.participant, found)
        arrived.ids.append((row.id, row.trace))
        change.receipts.append(receipts.delivered(row.reported(), now_ms, node=self._node, withheld=found.withheld))
        if row.target is None and self._site.city is not None:
            arrived.unsupported += 1
            row = replace(row, state="rejected", body=None)
            reason = "接收方业务系统不接收此类事件 the recipient's system takes no event of this type"
            change.receipts.append(receipts.rejected(row.reported(), now_ms, code=NOT_SUPPORTED, reason=reason))
        deliveries.insert(change.db, row)

    def _row(self, found: Verified, registry: Registry, now_ms: int) -> Delivery:
        statement, entry = found.statement, found.entry
        admitted_ms = parse_instant(entry.admitted)
        limit_s = self._limit_s(found, registry)
        dialect = self._site.dialect
        pushed = self._site.city is not None and dialect is not None and dialect.for_type(statement.type) is not None
        return Delivery(
            participant=self._site.participant,
            id=statement.id,
            digest=found.digest,
            type=statement.type,
            source=statement.source,
            subject=statement.subject,
            agreement=statement.agreement,
            cause=statement.cause,
            time_ms=statement.time_ms,
            log=found.numbered.log,
            number=found.numbered.number,
            seq=entry.seq,
            admitted_ms=admitted_ms,
            withheld=",".join(found.withheld),
            trace=found.envelope.trace,
            receipted=True,
            target=self._site.connector if pushed else None,
            body=json.dumps(found.value, ensure_ascii=False) if pushed else None,
            received_ms=now_ms,
            limit_s=limit_s,
            due_ms=admitted_ms + limit_s * 1000,
            state="pending" if pushed else "kept",
            since_ms=now_ms,
        )

    def _limit_s(self, found: Verified, registry: Registry) -> int:
        """Seconds until the city must have it: what the flow of the agreement says, else the node's own limit."""
        statement = found.statement
        agreement = registry.agreement(statement.agreement)
        if agreement is not None:
            own = organ_type_of(self._site.participant)
            flow = agreement.flow(statement.type, organ_type_of(statement.source), own)
            if flow is not None and flow.committed_within_s:
                return flow.committed_within_s
        return self._site.pace.committed_within_s

    def _conflict(self, change: Change, found: Verified, now_ms: int) -> None:
        reported = receipts.Reported(
            participant=self._site.participant,
            event=found.statement.id,
            source=found.statement.source,
            subject=found.statement.subject,
            log=found.numbered.log,
            number=found.numbered.number,
            trace=found.envelope.trace,
        )
        reason = "同一标识已随另一声明收到 the id came before with another statement"
        change.receipts.append(receipts.rejected(reported, now_ms, code=CONFLICT, reason=reason, step=CONFLICT))

    def _hear(self, change: Change, found: Verified, now_ms: int, arrived: Arrived) -> None:
        """A receipt: how far an event of ours has come, or a statement of completeness, which is answered; any other is only read."""
        value, event_type = found.value, found.statement.type
        if event_type == CompletenessStated.TYPE:
            said = completeness.answer(change.db, self._site.participant, found, now_ms)
            if said is not None:
                change.receipts.append(said)
                arrived.disputed += [said.event] if isinstance(said.event, CompletenessDisputed) else []
            return
        heard = _step_of(event_type, value)
        if heard is not None:
            step, detail = heard
            outbox.progressed(change.db, value["event"], value["recipient"], step, now_ms, detail)

    def _settle(self, change: Change, found: VerifiedOutcomes, now_ms: int, arrived: Arrived) -> None:
        for item in found.value["outcomes"]:
            outcome = _outcome(item)
            self._settle_case(change, outcome, item["outcome"], found.time_ms)
            settled = outbox.settle(change.db, self._site.participant, outcome)
            if settled is not None and not outcome.admitted:
                arrived.refused += 1
                refuse(change, self._site, settled, outcome, now_ms)

    def _settle_case(self, change: Change, outcome: Outcome, word: str, at_ms: int) -> None:
        """An own event of a case has its place in the log now, or will have none. A repeat ("duplicate") says nothing of when it was."""
        own = self._site.participant
        if word == "admitted" and outcome.log is not None and outcome.seq is not None:
            if case_entries.admitted(change.db, own, outcome.event, outcome.log, outcome.seq, at_ms) is not None:
                dead_letters.wake_unknown(change.db, self._site.connector)
        elif not outcome.admitted:
            case_entries.refused(change.db, own, outcome.event)

    def _keep_unverified(self, change: Change, copy: Copy, found: Unverified, now_ms: int) -> None:
        change.db.execute(
            "insert or ignore into unverified values (?, ?, ?, ?, ?, ?, ?)",
            (
                self._site.participant,
                hashlib.sha256(copy.document).digest(),
                found.step,
                found.code,
                found.reason[:500],
                copy.document,
                now_ms,
            ),
        )


def refuse(change: Change, site: Site, settled: outbox.Settled, outcome: Outcome, now_ms: int) -> None:
    """An event of ours was refused: the city whose happening it was is told."""
    if settled.kind == outbox.EVENT:
        notice = OutgoingRefused(
            item=settled.item or "",
            event=settled.id,
            type=settled.type,
            subject=settled.subject,
            code=outcome.code or "refused",
            field=outcome.field,
            message_zh=outcome.message_zh or "交换拒绝了该事项",
            message_en=outcome.message_en or "the exchange refused it",
        )
        notices.store(change, site, notice, now_ms)


def _outcome(item: dict[str, Any]) -> Outcome:
    return Outcome(
        event=item["event"],
        statement=item["statement"],
        admitted=item["outcome"] in ("admitted", "duplicate"),
        log=item["log"],
        seq=item["seq"],
        code=item["code"],
        field=item["field"],
        message_zh=item["message_zh"],
        message_en=item["message_en"],
    )


def _step_of(event_type: str, value: dict[str, Any]) -> tuple[str, str | None] | None:
    match event_type:
        case Delivered.TYPE:
            return "delivered", None
        case Committed.TYPE:
            return "committed", value["reference"]
        case Rejected.TYPE:
            return "rejected", value["code"]
        case NotCommitted.TYPE:
            return ("not-committed" if value["still_trying"] else "given-up"), value["last_error"]
        case StepMissing.TYPE:
            return f"missing-{value['step']}", None
        case _:
            return None
