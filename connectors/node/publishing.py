"""The loop that hands one participant's outbox to the gateway, in order, many at a time; and the look for lost outcomes.

The gateway takes a batch whole or not at all. When it names the events at fault, those are refused and the rest is sent again; when it
does not, the batch is halved until the fault stands alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.kit.retry import Backoff, chance
from connectors.node import case_entries, outbox
from connectors.node.arrivals import refuse
from connectors.node.gateway import Gateway, GatewayAway, Published, Took
from connectors.node.journal import Change, Journal
from connectors.node.outbox import Outcome, Waiting
from connectors.node.site import Site, wait_for
from connectors.node.telling import Teller
from connectors.node.wire import Fault
from services.kernel.errors import Transient
from services.kernel.ports import Clock, Entropy

_AWAY = Backoff(first_s=0.2, factor=2, most_s=10, jitter=0.5)
_IDLE_S = 2.0


@dataclass(slots=True)
class Publisher:
    """Publishes for one site until it is cancelled."""

    site: Site
    gateway: Gateway
    journal: Journal
    clock: Clock
    entropy: Entropy
    teller: Teller
    most_rows: int = 500
    most_bytes: int = 2 << 20
    gather_s: float = 0.02
    """How long it waits for more after the bell rang: one request for twenty receipts costs as much as one for one."""
    _rows: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)

    @property
    def check(self) -> str:
        """Name of the health check of this outbox."""
        return f"outbox {self.site.participant}"

    async def run(self) -> None:
        """Publishes for ever; everything transient is tried again."""
        while True:
            try:
                sent = await self.once()
                self._failures = 0
                self.teller.healthy(self.check, None)
            except Transient as error:
                self._failures += 1
                self.teller.healthy(self.check, str(error))
                self.teller.warning(
                    "the outbox could not be sent", participant=self.site.participant, reason=str(error)
                )
                asked = error.wait_s if isinstance(error, GatewayAway) else None
                await asyncio.sleep(asked or _AWAY.delay_s(self._failures, chance(self.entropy)))
                continue
            if not sent and await wait_for(self.site.bells.outbox, _IDLE_S):
                await asyncio.sleep(self.gather_s)

    async def once(self) -> bool:
        """One batch; whether there was one."""
        most = self._rows or self.most_rows
        participant = self.site.participant
        rows = await self.journal.change(lambda change: outbox.waiting(change.db, participant, most, self.most_bytes))
        if not rows:
            return False
        published = await self.gateway.publish(participant, rows)
        self.teller.reach("node.after_post")
        if published.took is Took.ALL:
            at_ms = self.clock.now_ms()
            await self.journal.change(lambda change: outbox.sent(change.db, rows, at_ms))
            self.teller.count("published_events_total", len(rows), participant=participant)
            self._rows = min(self.most_rows, most * 2)
            return True
        await self._not_taken(rows, published)
        return True

    async def _not_taken(self, rows: Sequence[Waiting], published: Published) -> None:
        ids = {row.id for row in rows}
        named = [fault for fault in published.faults if fault.event in ids]
        if not named and len(rows) == 1:
            code = "too-large" if published.took is Took.TOO_LARGE else "bad-request"
            first = published.faults[0] if published.faults else Fault(None, code, None, "refused by the gateway")
            named = [Fault(rows[0].id, first.code, first.field, first.detail)]
        if not named:
            self._rows = max(1, len(rows) // 2)
            return
        now_ms = self.clock.now_ms()
        await self.journal.change(lambda change: self._refuse(change, named, now_ms))
        self.site.bells.target.set()

    def _refuse(self, change: Change, faults: Sequence[Fault], now_ms: int) -> None:
        for fault in faults:
            assert fault.event is not None
            outcome = Outcome(
                event=fault.event,
                statement=None,
                admitted=False,
                code=fault.code,
                field=fault.field,
                message_zh=f"网关拒绝：{fault.code}",
                message_en=fault.detail,
            )
            settled = outbox.settle(change.db, self.site.participant, outcome)
            case_entries.refused(change.db, self.site.participant, outcome.event)
            if settled is not None:
                refuse(change, self.site, settled, outcome, now_ms)
                self.teller.warning("the gateway refused an event", event_id=settled.id, code=fault.code)


@dataclass(slots=True)
class Resender:
    """Sends again what was sent long ago and has no outcome: the gateway or the broker may have lost it."""

    journal: Journal
    clock: Clock
    teller: Teller
    bells: Sequence[asyncio.Event]
    after_s: float = 60.0
    every_s: float = 5.0

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            await asyncio.sleep(self.every_s)
            try:
                await self.once()
            except Transient as error:
                self.teller.warning("the outbox could not be looked at", reason=str(error))

    async def once(self) -> int:
        """One look; how many are sent again."""
        now_ms, after_ms = self.clock.now_ms(), round(self.after_s * 1000)
        again = await self.journal.change(lambda change: outbox.send_again(change.db, now_ms, after_ms))
        if again:
            self.teller.warning("events without an outcome are sent again", count=again)
            for bell in self.bells:
                bell.set()
        return again
