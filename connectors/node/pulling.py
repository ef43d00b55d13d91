"""The loop that reads one city's system: a page, stored with its cursor, acknowledged; and dead letters driven again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from connectors.kit.port import CityAway, CitySystem
from connectors.kit.retry import chance
from connectors.node import places
from connectors.node.intake import HoldPage, Intake, Taken
from connectors.node.journal import Journal
from connectors.node.site import Site, wait_for
from connectors.node.telling import Teller
from services.kernel.errors import Transient
from services.kernel.ports import Clock, Entropy

_HOLD_S = 0.2


@dataclass(slots=True)
class Puller:
    """Pulls for one site until it is cancelled."""

    site: Site
    city: CitySystem
    intake: Intake
    journal: Journal
    clock: Clock
    entropy: Entropy
    teller: Teller
    _failures: int = field(default=0, init=False)

    @property
    def check(self) -> str:
        """Name of the health check of this pull."""
        return f"pull {self.city.name}"

    async def run(self) -> None:
        """Pulls for ever; a system that is away is asked again, ever more rarely."""
        while True:
            try:
                more = await self.once()
                self._failures = 0
                self.teller.healthy(self.check, None)
            except HoldPage:
                await asyncio.sleep(_HOLD_S)
                continue
            except Transient as error:
                await self._failed(error)
                continue
            if not more:
                await wait_for(self.site.bells.pull, self.site.pace.poll_s)

    async def _failed(self, error: Transient) -> None:
        self._failures += 1
        fault = str(error.answer.fault) if isinstance(error, CityAway) else error.code
        self.teller.healthy(self.check, fault)
        self.teller.count("retries_total", target=self.city.name)
        self.teller.warning("the city's system could not be read", target=self.city.name, code=fault)
        await asyncio.sleep(self.site.pace.backoff.delay_s(self._failures, chance(self.entropy)))

    async def once(self) -> bool:
        """Dead letters that wait to be driven again, then one page; whether there is more now."""
        now_ms = self.clock.now_ms()
        redriven = await self.journal.change(lambda change: self.intake.redrive(change, now_ms))
        self._tell(redriven)
        name = places.pull_name(self.city.name)
        cursor = await self.journal.change(lambda change: places.cursor(change.db, name))
        page = await self.city.pull(cursor)
        if page.cursor == cursor and not page.items:
            return False
        self.teller.reach("node.after_pull")
        now_ms = self.clock.now_ms()
        taken = await self.journal.change(lambda change: self.intake.take(change, page, now_ms))
        self.teller.reach("node.after_intake")
        self.teller.count("pulled_records_total", len(page.items), target=self.city.name)
        self._tell(taken)
        if taken.held:
            raise HoldPage("the rest of a page waits for the outcome of an own event")
        await self.city.ack(page.cursor)
        return page.more

    def _tell(self, taken: Taken) -> None:
        if taken.events:
            self.site.bells.outbox.set()
            self.teller.info("happenings taken", target=self.city.name, events=taken.events)
        for letter in taken.dead:
            self.teller.count("dead_letters_total", target=self.city.name)
            self.teller.error("a happening was set aside", target=self.city.name, code=letter.code, field=letter.field)
        if taken.dead:
            self.site.bells.target.set()
