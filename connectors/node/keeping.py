"""What the node keeps, and for how long: content goes when its purpose is met. 个人信息保护法 47.

A delivery loses its content when the city has it (``deliveries.committed``). Here goes, after ``keep_days``, the content of what was
admitted, and what did not verify. Lines without content stay: by them a repeat is recognised.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from connectors.node import outbox
from connectors.node.journal import Change, Journal
from connectors.node.telling import Teller
from services.kernel.errors import Transient
from services.kernel.ports import Clock

_DAY_MS = 86_400_000


@dataclass(slots=True)
class Keeper:
    """Looks every hour until it is cancelled."""

    journal: Journal
    clock: Clock
    teller: Teller
    keep_days: int = 30
    every_s: float = 3600.0

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            try:
                await self.once()
            except Transient as error:
                self.teller.warning("old content could not be removed", reason=str(error))
            await asyncio.sleep(self.every_s)

    async def once(self) -> int:
        """One look; how many rows lost their content."""
        before_ms = self.clock.now_ms() - self.keep_days * _DAY_MS
        forgotten = await self.journal.change(lambda change: _forget(change, before_ms))
        if forgotten:
            self.teller.info("old content was removed", count=forgotten)
        return forgotten


def _forget(change: Change, before_ms: int) -> int:
    gone = change.db.execute("delete from unverified where at_ms < ?", (before_ms,)).rowcount
    rejected = change.db.execute(
        "update deliveries set body = null where state in ('rejected', 'kept') and received_ms < ? and body is not null",
        (before_ms,),
    ).rowcount
    return gone + rejected + outbox.forget(change.db, before_ms)
