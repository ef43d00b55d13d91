"""A node put together by hand for unit tests: fakes at both ends, a settable clock, loops turned one step at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from connectors.kit.breaker import Breaker
from connectors.kit.dialect import load_dialect
from connectors.kit.port import FakeCity
from connectors.node import members_log
from connectors.node.arrivals import Arrivals
from connectors.node.case_watch import CaseWatch
from connectors.node.casebook import Casebook
from connectors.node.gateway import GatewayAway, Published, Took
from connectors.node.intake import Intake
from connectors.node.journal import Journal
from connectors.node.limits import Limits
from connectors.node.members import Members
from connectors.node.outbox import Waiting
from connectors.node.publishing import Publisher, Resender
from connectors.node.pulling import Puller
from connectors.node.pushing import Pusher
from connectors.node.reading import InboxReader
from connectors.node.schemas import Schemas
from connectors.node.sealing import Sealer
from connectors.node.site import Pace, Site
from connectors.node.telling import Notebook
from connectors.node.verify import Verifier
from connectors.node.wire import InboxPage, MembersPage, read_inbox, read_members
from services.cases.laws import load_laws
from services.codec.envelope import Envelope
from services.codec.strict_json import parse_json
from services.kernel.ports import CountedEntropy
from services.members.history import History
from tests.unit.connectors.small_exchange import NAME, OPERATOR, RELEASED, SmallExchange, signer_of

load_dialect = cache(load_dialect)
laws = cache(load_laws)


@dataclass
class FakeGateway:
    """The gateway's methods over a small exchange; can be away, and can refuse a batch."""

    exchange: SmallExchange
    away: bool = False
    refuse: Callable[[list[Waiting]], Published | None] = lambda _rows: None
    lose_next: bool = False
    batches: list[list[str]] = field(default_factory=list)
    schemas: dict[str, bytes] = field(default_factory=dict)

    def _check(self) -> None:
        if self.away:
            raise GatewayAway("away")

    async def publish(self, participant: str, rows: list[Waiting]) -> Published:
        self._check()
        refused = self.refuse(rows)
        if refused is not None:
            return refused
        self.batches.append([row.id for row in rows])
        if not self.lose_next:
            for row in rows:
                self.exchange.propose(parse_json(row.document, most_bytes=1 << 20))
        self.lose_next = False
        return Published(Took.ALL)

    async def inbox(self, participant: str, cursor: str, *, limit: int, wait_s: int) -> InboxPage:
        self._check()
        return read_inbox(self.exchange.inbox_page(participant, cursor, limit))

    async def members(self, participant: str, after: int) -> MembersPage:
        self._check()
        page = read_members(self.exchange.members_page(after))
        await asyncio.sleep(0)
        return page

    async def schema(self, participant: str, digest: str) -> bytes | None:
        self._check()
        return self.schemas.get(digest)


@dataclass
class Seat:
    """One participant of the rig: its site and its loops."""

    site: Site
    city: FakeCity
    reader: InboxReader
    publisher: Publisher
    pusher: Pusher
    puller: Puller


class Rig:
    """A node over a small exchange. Use within ``asyncio.run`` and close it."""

    def __init__(self, exchange: SmallExchange, database: Path, *participants: str, pace: Pace | None = None) -> None:
        self.exchange = exchange
        self.clock = exchange.clock
        self.teller = Notebook()
        self.gateway = FakeGateway(exchange)
        signers = {participant: signer_of(participant) for participant in participants}
        self.sealer = Sealer(signers, RELEASED, self.clock, CountedEntropy(1 << 40))
        self.journal = Journal(database, self.sealer.store_receipts)
        schemas = Schemas(RELEASED)
        history = History(log=f"{NAME}.members/0", schema_of=schemas.with_digest, root=signer_of(OPERATOR).public)
        self.history = history
        self.members = Members(self.gateway, history, participants[0], self.teller, keep=self._keep_members)
        self.book = Casebook(laws(), history)
        self.schemas = schemas
        self.seats = {name: self._seat(name, pace or Pace()) for name in participants}
        bells = tuple(seat.site.bells.outbox for seat in self.seats.values())
        self.limits = Limits(self.journal, self.clock, self.teller, bells)
        self.resender = Resender(self.journal, self.clock, self.teller, bells)

    async def _keep_members(self, start: int, envelopes: Sequence[Envelope]) -> None:
        await self.journal.change(lambda change: members_log.keep(change.db, start, envelopes))

    def _seat(self, participant: str, pace: Pace) -> Seat:
        dialect = load_dialect(participant.partition(".")[0])
        city = FakeCity(name=f"city-of-{participant}")
        site = Site(participant, city, dialect, pace)
        entropy = CountedEntropy(1 << 41)
        verifier = Verifier(participant, self.schemas.with_digest, self.members.registry_at)
        return Seat(
            site=site,
            city=city,
            reader=InboxReader(
                site,
                self.gateway,
                self.journal,
                self.members,
                self.schemas,
                verifier,
                Arrivals(site, "rig"),
                self.clock,
                entropy,
                self.teller,
                CaseWatch(participant, self.journal, self.members, self.book, self.teller),
            ),
            publisher=Publisher(site, self.gateway, self.journal, self.clock, entropy, self.teller),
            pusher=Pusher(
                site,
                city,
                dialect,
                self.journal,
                self.clock,
                entropy,
                self.teller,
                Breaker(pace.breaker, self.clock),
                monotonic_s=lambda: 0.0,
            ),
            puller=Puller(
                site,
                city,
                Intake(site, dialect, self.sealer, self.book),
                self.journal,
                self.clock,
                entropy,
                self.teller,
            ),
        )

    async def turn(self, times: int = 1) -> None:
        """Every loop of every seat once, in the order pull, publish, read, push; ``times`` over."""
        await self.members.once()
        for _ in range(times):
            for seat in self.seats.values():
                await seat.puller.once()
            for seat in self.seats.values():
                await seat.publisher.once()
            for seat in self.seats.values():
                await seat.reader.once()
            for seat in self.seats.values():
                await self.push(seat)

    async def push(self, seat: Seat) -> None:
        """Pushes what is due, until nothing is under way."""
        begun = 1
        while begun:
            while seat.pusher._running:
                await asyncio.gather(*seat.pusher._running.values())
                await asyncio.sleep(0)
            begun = await seat.pusher.begin()

    async def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the node's database."""
        return await self.journal.change(lambda change: change.db.execute(sql, values).fetchall())

    async def close(self) -> None:
        await self.journal.close()


def clue(number: str = "2026-000001", **more: Any) -> dict[str, Any]:
    """A happening of the Nanjing system: a clue for Hangzhou with a named reporter."""
    return {
        "lsh": number,
        "sjlx": "XSYS",
        "fssj": "2026-09-21 10:00:00",
        "xsbh": number,
        "xslx": "01",
        "qqlx": "1",
        "bt": "网店销售涉嫌侵犯注册商标专用权的电池",
        "ms": "店铺A销售标注他人注册商标的电池。",
        "fsdqh": "330106",
        "fxsj": "2026-09-20 09:00:00",
        "xzxy": "CSJ",
        "jsdqh": "330100",
        "jsdwlx": "SJ",
        "jbrlx": "1",
        "jbrxm": "举报人某某",
        "jbrdh": "13800000000",
        "jbrsfz": "320106199003071234",
        "jbrdz": "南京市某路1号",
        **more,
    }
