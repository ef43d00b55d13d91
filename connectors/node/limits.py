"""Time limits of deliveries: the negative receipt at the limit of the agreement's flow, while trying goes on. Design section 10."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from connectors.node import deliveries, receipts
from connectors.node.journal import Change, Journal
from connectors.node.telling import Teller
from services.kernel.errors import Transient
from services.kernel.ports import Clock


@dataclass(slots=True)
class Limits:
    """Signs the negative receipt of every delivery whose time limit comes while the city has not taken it; trying goes on."""

    journal: Journal
    clock: Clock
    teller: Teller
    bells: tuple[asyncio.Event, ...]
    every_s: float = 1.0

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            await asyncio.sleep(self.every_s)
            try:
                await self.once()
            except Transient as error:
                self.teller.warning("time limits could not be looked at", reason=str(error))

    async def once(self) -> int:
        """One look; how many negative receipts were signed."""
        now_ms = self.clock.now_ms()
        told = await self.journal.change(lambda change: _tell_late(change, now_ms))
        for participant in told:
            self.teller.count("not_committed_events_total", participant=participant)
        if told:
            for bell in self.bells:
                bell.set()
        return len(told)


def _tell_late(change: Change, now_ms: int) -> list[str]:
    told = []
    for one, fault in deliveries.past_limit(change.db, now_ms):
        row = one.delivery
        deliveries.mark_late(change.db, row.participant, row.id)
        if row.receipted:
            receipt = receipts.not_committed(
                row.reported(),
                now_ms,
                limit_s=row.limit_s,
                due_ms=row.due_ms,
                attempts=one.attempts,
                last_error=fault,
                connector=row.target or "",
                still_trying=True,
            )
            change.receipts.append(receipt)
            told.append(row.participant)
    return told
