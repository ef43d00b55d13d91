"""The loop over one participant's inbox: long poll, verify in a thread, store in one transaction, ring the bells.

On a gap the page is taken up to there, the cursor stands, and the inbox is read again, first soon, then every half minute, with an
alarm: the node never steps over a copy that it did not have. After a copy that did not verify the check of the inbox fails until
the node is started again, also when nothing has followed it yet: a person must look, and the log alone would not be heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.kit.retry import Backoff, chance
from connectors.node import places
from connectors.node.arrivals import NOT_SUPPORTED, Arrivals, Arrived, Judged
from connectors.node.case_watch import CaseWatch
from connectors.node.gateway import Gateway, GatewayAway
from connectors.node.journal import Journal
from connectors.node.members import Members
from connectors.node.schemas import Schemas
from connectors.node.site import Site
from connectors.node.telling import Teller
from connectors.node.verify import LATEST, MembersBehind, Unverified, Verifier
from connectors.node.wire import Copy
from services.kernel.errors import Refused, Transient
from services.kernel.ports import Clock, Entropy

_GAP = Backoff(first_s=0.5, factor=2, most_s=30, jitter=0)
_AWAY = Backoff(first_s=0.2, factor=2, most_s=10, jitter=0.5)
_LEARNABLE = ("unknown-key", "unreleased-schema")


@dataclass(slots=True)
class InboxReader:
    """Reads the inbox of one site until it is cancelled."""

    site: Site
    gateway: Gateway
    journal: Journal
    members: Members
    schemas: Schemas
    verifier: Verifier
    arrivals: Arrivals
    clock: Clock
    entropy: Entropy
    teller: Teller
    watch: CaseWatch
    page_size: int = 500
    wait_s: int = 20
    gather_s: float = 0.01
    """Pause between two pages: a long poll ends with its first copy, and ten copies cost hardly more than one."""
    _polled: bool = field(default=False, init=False)
    _failures: int = field(default=0, init=False)
    _gaps: int = field(default=0, init=False)
    _alarm: str | None = field(default=None, init=False)

    @property
    def check(self) -> str:
        """Name of the health check of this inbox."""
        return f"inbox {self.site.participant}"

    async def run(self) -> None:
        """Reads for ever; everything transient is tried again."""
        await self.watch.look()
        while True:
            try:
                arrived = await self.once()
                self._failures = 0
            except Transient as error:
                self._failures += 1
                self.teller.healthy(self.check, str(error))
                self.teller.warning("the inbox could not be read", participant=self.site.participant, reason=str(error))
                asked = error.wait_s if isinstance(error, GatewayAway) else None
                await asyncio.sleep(asked or _AWAY.delay_s(self._failures, chance(self.entropy)))
                continue
            await self._after(arrived)

    async def _after(self, arrived: Arrived | None) -> None:
        gap = None if arrived is None else arrived.gap
        if gap is None:
            self._gaps = 0
            self.teller.healthy(self.check, self._alarm)
            if arrived is not None and arrived.verified < self.page_size:
                await asyncio.sleep(self.gather_s)
            return
        self._gaps += 1
        reason = f"gap in {gap.log}: expected {gap.expected}, came {gap.came}"
        self.teller.healthy(self.check, reason)
        self.teller.error(
            "copies are missing; the inbox is read again and nothing after the gap is handed on",
            participant=self.site.participant,
            log=gap.log,
            expected=gap.expected,
            number=gap.came,
            attempts=self._gaps,
        )
        await asyncio.sleep(_GAP.delay_s(self._gaps, 0))

    async def once(self) -> Arrived | None:
        """One page; None when there was no news."""
        name = places.inbox_name(self.site.participant)
        cursor = await self.journal.change(lambda change: places.cursor(change.db, name))
        wait_s = self.wait_s if self._polled else 0  # the first answer comes at once: it says that the inbox is there
        page = await self.gateway.inbox(self.site.participant, cursor, limit=self.page_size, wait_s=wait_s)
        self._polled = True
        if not page.copies and page.cursor == cursor:
            return None
        judged = await self._judge(page.copies)
        self.teller.reach("node.before_store")
        now_ms, latest = self.clock.now_ms(), self.members.registry_at(LATEST)
        arrived = await self.journal.change(
            lambda change: self.arrivals.take(change, judged, page.cursor, latest, now_ms)
        )
        self.teller.reach("node.after_store")
        self._tell(arrived)
        if arrived.of_cases:
            await self.watch.look()
        return arrived

    async def _judge(self, copies: Sequence[Copy]) -> list[Judged]:
        for _ in range(3):
            known = self.members.size
            try:
                judged = await asyncio.to_thread(self._verify_all, copies)
            except MembersBehind as behind:
                await self.members.reach(behind.size)
                continue
            if not await self._learn(judged, known):
                return judged
        return await asyncio.to_thread(self._verify_all, copies)

    def _verify_all(self, copies: Sequence[Copy]) -> list[Judged]:
        judged: list[Judged] = []
        for copy in copies:
            envelope = copy.envelope
            if isinstance(envelope, Refused):
                judged.append((copy, Unverified(1, envelope.code, envelope.message)))
            elif envelope.outcome is not None:
                judged.append((copy, self.verifier.verify_outcomes(envelope)))
            else:
                judged.append((copy, self.verifier.verify(envelope)))
        return judged

    async def _learn(self, judged: Sequence[Judged], known: int) -> bool:
        """Whether something was learnt that may change the judgement: a new schema, or more of the members log.

        An outcome record says of no size of the members log that it rests on it, so a key is unknown only when the log
        has been read to its end: a node that has just started has not. ``known`` is how much was read when it judged.
        """
        learnt = False
        unknown = [
            (copy, found) for copy, found in judged if isinstance(found, Unverified) and found.code in _LEARNABLE
        ]
        for copy, found in unknown:
            if found.code == "unreleased-schema" and not isinstance(copy.envelope, Refused):
                digest = copy.envelope.statement.schema
                learnt |= await self.schemas.fetch(self.gateway, self.site.participant, digest)
        if any(found.code == "unknown-key" for _, found in unknown):
            await self.members.catch_up()
            learnt |= self.members.size > known  # by this reading, or by the follower's beside it
        return learnt

    def _tell(self, arrived: Arrived) -> None:
        participant = self.site.participant
        if arrived.verified:
            self.teller.count("verified_events_total", arrived.verified, participant=participant)
        if arrived.delivered:
            self.teller.count("delivered_events_total", arrived.delivered, participant=participant)
        if arrived.unsupported:
            self.teller.count("rejected_events_total", arrived.unsupported, participant=participant, code=NOT_SUPPORTED)
        for found in arrived.unverified:
            self._alarm = f"a copy did not verify (step {found.step}, {found.code}); it was kept and not handed on"
            self.teller.count("unverified_events_total", code=found.code)
            self.teller.error(
                "a copy did not verify and was not handed on",
                participant=participant,
                step=found.step,
                code=found.code,
            )
        for event, trace in arrived.ids:
            self.teller.info("delivered", event_id=event, trace_id=trace_id(trace), participant=participant)
        for disputed in arrived.disputed:
            self.teller.count("disputed_events_total", participant=participant)
            self.teller.error(
                "the exchange states another delivery than this node has; the statement is disputed",
                participant=participant,
                log=disputed.log,
                number=disputed.differs_at,
                count=disputed.count,
            )
        if arrived.conflicts:
            self.teller.warning("an id came with another statement", participant=participant, count=arrived.conflicts)
        self.site.bells.outbox.set()
        self.site.bells.target.set()


def trace_id(traceparent: str | None) -> str | None:
    """The trace id of a W3C traceparent."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) == 4 else None
