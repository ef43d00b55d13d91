"""A room that counts, and the process that runs it: what the crash tests of the runner start, kill and compare.

Run by ``python -m tests.broker.counting_room``, with the settings of a test exchange in the environment. It keeps, for each
subject, how many entries it folded and a digest over them in order; every tenth entry of a subject makes it emit.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import asdict, dataclass, replace

from services.codec.keys import signer_from_seed
from services.codec.registry import SchemaRegistry
from services.codec.released import load_released
from services.events.receipt import StepMissing
from services.runtime.fold import Emission, Folded, Logged, Room, World
from services.runtime.health import Checks, HealthServer
from services.runtime.logging import configure
from services.runtime.metrics import Metrics
from services.runtime.proposals import Proposer
from services.runtime.room_process import CHECKS, Parts, RoomProcess, RoomSettings, serve
from services.runtime.topics import Topics

EVERY = 10
RECIPIENT = "330100.market_regulator"


@dataclass(frozen=True, slots=True)
class Count:
    """How many entries, their digest in order, and when to tick (then once), in the name of the first."""

    entries: int = 0
    first: str = ""
    digest: str = ""
    due_at: int | None = None
    ticked: int = 0


def fold(state: Count | None, logged: Logged, world: World) -> Folded[Count | None]:
    count = state or Count()
    grown = replace(
        count,
        entries=count.entries + 1,
        first=count.first or logged.id,
        digest=hashlib.sha256(f"{count.digest}{logged.id}".encode()).hexdigest(),
    )
    if grown.entries == 1 and os.environ.get("COUNTING_TICK_MS"):
        grown = replace(grown, due_at=logged.admitted_ms + int(os.environ["COUNTING_TICK_MS"]))
    if grown.entries % EVERY:
        return Folded(grown)
    return Folded(grown, (_emission(logged.entry.statement.subject, logged.id, logged.admitted_ms, grown.entries),))


def tick(state: Count, due_ms: int, world: World) -> Folded[Count]:
    ticked = replace(state, due_at=None, ticked=state.ticked + 1)
    return Folded(ticked, (_emission("CL-tick", state.first, due_ms, 0),))


def _emission(subject: str, cause: str, time_ms: int, number: int) -> Emission:
    event = StepMissing(
        event=cause,
        recipient=RECIPIENT,
        log="x.receipts/0",
        number=number,
        source=RECIPIENT,
        step="delivered",
        due_at=time_ms,
        limit_s=1,
    )
    return Emission(event, subject, (RECIPIENT,), cause, number, time_ms)


def encode(count: Count) -> dict[str, object]:
    return asdict(count)


ROOM: Room[Count] = Room(
    name="counting",
    families=("receipts",),
    key_of=lambda logged: (logged.entry.statement.subject,),
    fold=fold,
    encode=encode,
    decode=lambda data: Count(**data),
    tick=tick,
    due_of=lambda count: count.due_at,
)


class NoWorld:
    def registry(self, size: int) -> None:
        return None


def main() -> None:
    settings = RoomSettings.load()
    configure("room-counting", form="text")
    released = load_released()
    metrics = Metrics("room")
    checks = Checks(metrics, *CHECKS)
    proposer = Proposer(
        "counting",
        Topics(settings.exchange_name),
        signer_from_seed("exchange.counting", bytes(32)),
        released.named,
        SchemaRegistry(settings.registry_url).id_of,
    )
    parts = Parts(settings, NoWorld(), proposer, released.with_digest, checks, metrics)
    with HealthServer(settings.metrics_port, checks, metrics):
        asyncio.run(run(parts))


async def run(parts: Parts) -> None:
    await serve(RoomProcess(ROOM, parts))


if __name__ == "__main__":
    main()
