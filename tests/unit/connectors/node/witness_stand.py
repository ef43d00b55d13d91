"""A witness over a fake gateway with small logs, turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors.node.gateway import GatewayAway
from connectors.node.journal import Journal
from connectors.node.sealing import Sealer
from connectors.node.telling import Notebook
from connectors.node.wire import LogLine
from connectors.node.witness import Witness
from services.codec.cloudevents import envelope_from_structured
from services.codec.note import COSIGNATURE, NoteKey
from services.codec.strict_json import parse_json
from services.kernel.ports import CountedEntropy
from tests.unit.connectors.small_exchange import NANJING, RELEASED, SmallExchange, signer_of
from tests.unit.connectors.small_log import ORIGIN, SmallLog, join_ledger

OTHER = "small/clues/1"


@dataclass
class FakeGateway:
    """The gateway's log routes over small logs; can be away as a whole, for one log, or for posts alone."""

    trees: dict[str, SmallLog] = field(default_factory=dict)
    served: dict[str, bytes] = field(default_factory=dict)
    also_served: str = "checkpoint"
    lost_tiles: bool = False
    away: bool = False
    away_for: str = ""
    posts_away: bool = False
    refusal: str | None = None
    asked: list[str] = field(default_factory=list)
    posted: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def logs(self, participant: str) -> tuple[LogLine, ...]:
        if self.away:
            raise GatewayAway("away")
        return tuple(LogLine(origin, log.size, f"sha256:{log.root().hex()}") for origin, log in self.trees.items())

    async def log_file(self, participant: str, origin: str, path: str) -> bytes | None:
        self.asked.append(path)
        if origin == self.away_for:
            raise GatewayAway("away")
        if path in ("candidate", self.also_served) and origin in self.served:
            return self.served[origin]
        if path.startswith("tile/") and self.lost_tiles:
            return None
        return self.trees[origin].read(path)

    async def cosign(self, participant: str, origin: str, note: bytes) -> str | None:
        if self.posts_away:
            raise GatewayAway("away")
        self.posted.append((participant, origin, note))
        return self.refusal


@dataclass
class Stand:
    """A witness over a fake gateway, turned by hand."""

    exchange: SmallExchange
    log: SmallLog
    gateway: FakeGateway
    witness: Witness
    journal: Journal
    teller: Notebook
    database: Path
    loop: asyncio.AbstractEventLoop

    def turn(self, times: int = 1) -> dict[str, str]:
        return [self.run(self.witness.once()) for _ in range(times)][-1]

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(work)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.run(self.journal.change(lambda change: change.db.execute(sql).fetchall()))

    def events(self) -> list[Any]:
        documents = [
            parse_json(row[0], most_bytes=1 << 20) for row in self.rows("select document from outbox order by n")
        ]
        return [envelope_from_structured(document) for document in documents]


@contextmanager
def stand(folder: Path, *participants: str, log: SmallLog | None = None) -> Iterator[Stand]:
    exchange = SmallExchange()
    join_ledger(exchange, ORIGIN, OTHER)
    loop = asyncio.new_event_loop()
    teller, gateway = Notebook(), FakeGateway()
    own = log or SmallLog().grow(300)
    gateway.trees[ORIGIN] = own
    signers = {name: signer_of(name) for name in participants or (NANJING,)}
    sealer = Sealer(signers, RELEASED, exchange.clock, CountedEntropy(1 << 40))
    database = folder / "node.db"
    journal = Journal(database, sealer.store_receipts)
    witness = Witness(
        signers=signers,
        gateway=gateway,  # type: ignore[arg-type]
        journal=journal,
        registry=lambda: exchange.history.latest,
        clock=exchange.clock,
        entropy=CountedEntropy(),
        teller=teller,
        node="rig",
    )
    try:
        yield Stand(exchange, own, gateway, witness, journal, teller, database, loop)
    finally:
        loop.run_until_complete(journal.close())
        loop.close()


def witness_key(participant: str = NANJING) -> NoteKey:
    return NoteKey(participant, COSIGNATURE, signer_of(participant).public.data)
