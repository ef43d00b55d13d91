"""One worker process of a room: waits for its parts, consumes, ticks, watches, and comes back by itself after an outage.

What it does when something fails: a part that is away is waited for, with the batch in hand; a consumer that crashed,
lost entries or stands still is started again in a fresh image of the same process (``Restart``), from the position in
PostgreSQL; what contradicts the log (``Corrupt``) ends the process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pydantic import Field

from services.events.registry import Event
from services.kernel.errors import Corrupt, Transient
from services.runtime.background import begin
from services.runtime.backlog import Backlog
from services.runtime.faults import reach
from services.runtime.faust_app import Consuming, FaustConsumer
from services.runtime.fold import Room, World
from services.runtime.garbage import look_seldom
from services.runtime.health import Checks
from services.runtime.log_probe import LogProbe
from services.runtime.logging import get_logger, words_of
from services.runtime.member_slot import MemberSlot
from services.runtime.metrics import ROOM_RETRIES, Metrics
from services.runtime.planner import Gap, Place
from services.runtime.postgres import Database
from services.runtime.proposals import Proposer
from services.runtime.records import RawRecord, SchemaOf
from services.runtime.runner import Runner
from services.runtime.settings import CommonSettings
from services.runtime.shell import clock_of
from services.runtime.ticker import Ticker
from services.runtime.topics import Groups, Topics, load_topics

S = TypeVar("S")
log = get_logger("room")

CHECKS = ("postgres", "kafka", "consumer", "fold")
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 3.0
_WATCH_S = 3.0
_START_OVER_S = 1.0
_RESTS = 19
"""So many times as long as a look for figures took is waited before the next."""


class RoomSettings(CommonSettings):
    """Settings of ``ipx room run``."""

    room = "room"

    room_tick_s: float = Field(default=1.0, gt=0, le=60)
    """How often due times are looked at."""
    room_grace_s: float = Field(default=5.0, ge=0, le=600)
    """How long after a due time a silent log is asked whether everything admitted by then has been folded."""
    room_stall_s: float = Field(default=20.0, ge=5, le=600)
    """How long the consumer may bring nothing while the log has more, before it is started again."""
    room_figures_s: float = Field(default=30.0, gt=0, le=3600)
    """How often the figures of a room that has its own are looked for, at most."""


class Restart(Transient):
    """The consumer cannot go on in this image of the process; a fresh one resumes at the stored position."""

    code = "restart"


class Figures(Protocol):
    """What a room tells of itself in figures, beside the runner's own."""

    def said(self, events: Iterable[Event]) -> None:
        """Takes what the room has said, once it is stored; on the thread that folds, so it must not block."""
        ...

    def look(self, database: Database) -> None:
        """Looks at the room's tables and tells. May block; ``Transient`` in an outage."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a room process is made of; the composition root fills it in."""

    settings: RoomSettings
    world: World
    proposer: Proposer
    schema_of: SchemaOf
    checks: Checks
    metrics: Metrics
    store_sql: str = ""
    figures: Figures | None = None


class RoomProcess(Generic[S]):
    """Runs a room until SIGTERM or SIGINT."""

    def __init__(self, room: Room[S], parts: Parts) -> None:
        settings = parts.settings
        clock = clock_of(settings.clock_file, parts.metrics)
        self._room = room
        self._parts = parts
        self._topics = Topics(settings.exchange_name)
        self._families = load_topics(replication=settings.kafka_replication).families
        self._database = Database(settings.postgres_dsn.get_secret_value(), f"room-{room.name}")
        self._probe = LogProbe(settings.librdkafka(), f"{settings.exchange_name}-room-{room.name}")
        self._runner = Runner(
            room,
            self._database,
            world=parts.world,
            proposer=parts.proposer,
            schema_of=parts.schema_of,
            metrics=parts.metrics,
            clock=clock,
            said=None if parts.figures is None else parts.figures.said,
        )
        self._ticker = Ticker(
            self._runner,
            self._probe,
            self._places(room.awaited),
            clock=clock,
            grace_ms=int(settings.room_grace_s * 1000),
        )
        self._backlog = Backlog(self._probe)
        self._looking = ThreadPoolExecutor(1, "look")
        self._stop = asyncio.Event()
        self._consumer: FaustConsumer | None = None
        self._last_batch = time.monotonic()

    async def run(self) -> bool:
        """Works until told to stop, and says whether everything was closed in good order.

        Raises ``Restart`` when a fresh image of the process is needed, ``Corrupt`` when a person must look.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if not await self._parts_there():
            return True
        look_seldom()
        slot = MemberSlot(self._parts.settings.state_dir, self._room.name)
        consumer = self._consumer = FaustConsumer(
            Consuming(
                group=Groups(self._topics.prefix).room(self._room.name),
                instance=slot.name,
                topics=tuple(self._topics.log(family) for family in self._room.families),
                settings=self._parts.settings,
            ),
            offsets=self._offsets,
            on_batch=self._take,
        )
        log.info("room starts", room=self._room.name, worker=slot.name)
        self._parts.checks.passed("fold")  # nothing has failed; a log without entries brings no batch to say so
        works = (consumer.run(), self._watch(), self._tick(), self._tell_figures(), self._stopped())
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            closed = await consumer.close()
            slot.free()
        self._database.close()
        log.info("room stops", room=self._room.name, worker=slot.name)
        return closed

    async def _stopped(self) -> None:
        await self._stop.wait()

    async def _parts_there(self) -> bool:
        """Waits until PostgreSQL and Kafka answer and the room's tables are made; False when told to stop meanwhile."""
        while not self._stop.is_set():
            tables = await self._aside(self._ensured)
            broker = await self._aside(self._probe.ask)
            self._tell("postgres", tables)
            self._tell("kafka", broker)
            if tables is None and broker is None:
                return True
            await self._pause(_FIRST_WAIT_S * 5)
        return False

    def _ensured(self) -> str | None:
        try:
            self._database.ensure_schema(self._room.name, self._parts.store_sql)
        except Transient as error:
            return str(error)
        return None

    async def _take(self, batch: Sequence[RawRecord]) -> None:
        """Folds a batch, however long its parts are away; then (6) it is acknowledged by returning.

        On the loop's own thread, on purpose: beside a folding thread Faust's loop fights for the interpreter lock at
        every poll, and the two together do half as much (measured: 3,000 events/s against 6,000). Heartbeats are sent
        from Faust's consumer thread and do not wait.
        """
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                done = self._runner.fold(batch)
                break
            except Transient as error:
                self._parts.checks.failed("fold", str(error))
                self._parts.metrics.add(ROOM_RETRIES, room=self._room.name)
                log.warning("batch waits", room=self._room.name, count=len(batch), wait_s=wait_s, **words_of(error))
            await asyncio.sleep(wait_s)
            wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
        self._last_batch = time.monotonic()
        self._parts.checks.passed("fold")
        for gap in done.gaps:
            await self._judge(gap)
        reach("room.acknowledge")

    async def _judge(self, gap: Gap) -> None:
        """A gap: of a partition that has moved away it means nothing; else Faust lost an entry, or the log lacks one."""
        topic, partition = gap.place
        if self._consumer is None or gap.place not in self._consumer.assignment:
            return
        log.warning(
            "entry is missing",
            room=self._room.name,
            topic=topic,
            partition=partition,
            expected=gap.expected_seq,
            seq=gap.found_seq,
        )
        first = await self._aside(lambda: self._probe.first_from(gap.place, gap.expected_offset, gap.found_offset + 1))
        if first is not None and first >= gap.found_offset:
            raise Corrupt(
                f"{topic}/{partition}: seq {gap.expected_seq} is not in the log; at offset {first} stands {gap.found_seq}"
            )
        raise Restart(f"{topic}/{partition}: seq {gap.expected_seq} was not brought, {gap.found_seq} was")

    async def _tick(self) -> None:
        while self._room.ticks:
            await asyncio.sleep(self._parts.settings.room_tick_s)
            try:
                await self._aside(self._ticker.tick)
            except Transient as error:
                log.warning("tick waits", room=self._room.name, **words_of(error))
        await asyncio.Event().wait()

    async def _tell_figures(self) -> None:
        """On a thread of its own that is given up at the end: a look may take seconds, and neither ticks nor a stop wait for it.

        Looking takes at most a twentieth of the time, however much there is to look at.
        """
        while self._parts.figures is not None:
            began_s = time.monotonic()
            try:
                look = begin(self._parts.figures.look, self._database)
                await asyncio.shield(asyncio.wrap_future(look))
            except Transient as error:
                log.warning("figures wait", room=self._room.name, **words_of(error))
            took_s = time.monotonic() - began_s
            await asyncio.sleep(max(self._parts.settings.room_figures_s, took_s * _RESTS))
        await asyncio.Event().wait()

    async def _watch(self) -> None:
        """Tells ``/readyz`` how the parts are, and notices a consumer that stands still."""
        while True:
            broker = await self._aside(self._probe.ask)
            tables = await self._aside(self._database.ask)
            self._tell("kafka", broker)
            self._tell("postgres", tables)
            consumer = self._consumer
            if consumer is not None:
                self._tell("consumer", None if consumer.has_joined else "has not joined its group yet")
                all_there = broker is None and tables is None and self._parts.checks.reason("fold") is None
                if all_there and self._is_idle():
                    places = consumer.assignment
                    await self._aside(lambda: self._refuse_standstill(places))  # noqa: B023
            await asyncio.sleep(_WATCH_S)

    def _is_idle(self) -> bool:
        return time.monotonic() - self._last_batch > self._parts.settings.room_stall_s

    def _refuse_standstill(self, places: frozenset[Place]) -> None:
        """``Restart`` when the log holds more although nothing was brought for so long."""
        try:
            place = self._backlog.unfolded_in(places, self._runner.positions())
        except Transient as error:
            log.warning("could not look at the log", room=self._room.name, **words_of(error))
            return
        if place is not None and self._is_idle():
            raise Restart(f"{place[0]}/{place[1]} holds more, and the consumer brings nothing")

    def _offsets(self) -> dict[Place, int]:
        return {place: position.next_offset for place, position in self._runner.positions().items()}

    def _places(self, families: Sequence[str]) -> tuple[Place, ...]:
        return tuple((self._topics.log(f), p) for f in families for p in range(self._families[f]))

    def _tell(self, name: str, reason: str | None) -> None:
        if reason is None:
            self._parts.checks.passed(name)
        else:
            self._parts.checks.failed(name, reason)

    async def _pause(self, seconds: float) -> None:
        await asyncio.wait({asyncio.ensure_future(self._stop.wait())}, timeout=seconds)

    async def _aside(self, work: Callable[[], Any]) -> Any:
        """Runs what may wait for a part, one at a time, on a thread beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._looking, work)


async def serve(process: RoomProcess[Any]) -> None:
    """Runs the process to its end. Returns after a good one; else starts over or ends the process at once.

    Ending hard is safe, since nothing counts but what PostgreSQL holds, and needed: a Faust that crashed leaves threads
    that would keep the process from ending.
    """
    running = asyncio.ensure_future(process.run())
    await asyncio.wait({running})
    error = running.exception()
    if isinstance(error, Transient):
        log.warning("room starts over", **words_of(error))
        await asyncio.sleep(_START_OVER_S)
        _start_over()
    if error is not None:
        log.error("room ends", exc_info=error)
    if error is not None or not running.result():
        sys.stderr.flush()
        os._exit(0 if error is None else 1)


def _start_over() -> None:
    """Replaces this process by a fresh image of itself: same id, same arguments. Does not return."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  (our own command line)
