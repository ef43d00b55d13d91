"""The gateway as a process: its parts put together, started, watched and stopped in order.

Start: nothing waits for Kafka, the registry or PostgreSQL; ``/readyz`` says which is away. Stop (SIGTERM): readiness goes
false and waits end, requests in flight are answered, then the producer is flushed and the cursors are committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from services.audit.log_record import LogRecords
from services.codec.keys import parse_public
from services.codec.registry import SchemaRegistry
from services.codec.released import ReleasedSchemas, load_released
from services.codec.schema_ids import SchemaIds
from services.gateway.acknowledging import Acknowledgements
from services.gateway.backlog import Backlog
from services.gateway.door import DoorTools, KafkaDoor
from services.gateway.inboxes import Inboxes
from services.gateway.intake import Intake
from services.gateway.outcomes import OutcomeStore
from services.gateway.producing import KafkaProducer
from services.gateway.recording import Recorder
from services.gateway.rings import RingLimits, Rings
from services.gateway.schema_ids import LearnedIds
from services.gateway.settings import GatewaySettings
from services.gateway.tail import News, Tail
from services.gateway.throttle import Throttle
from services.gateway.waits import Waits
from services.kernel.errors import BadSettings, Transient
from services.kernel.ports import Clock
from services.members.follower import MembersFollower
from services.members.history import History
from services.runtime.health import Checks
from services.runtime.logging import get_logger
from services.runtime.metrics import Metrics
from services.runtime.postgres import Database
from services.runtime.shell import SystemEntropy, clock_of
from services.runtime.topics import Groups, Topics

STOPPING = "stopping"
_KAFKA, _REGISTRY, _POSTGRES, _MEMBERS, _INBOXES, _SERVING, _OUTBOXES = (
    "kafka",
    "registry",
    "postgres",
    "members",
    "inboxes",
    "serving",
    "outboxes",
)
_PROBE_S = 2.0
_ASKED_FAMILY = "members"
_FLUSH_S = 1.0
_log = get_logger("gateway")


@dataclass(slots=True)
class Parts:
    """The running parts of a gateway."""

    settings: GatewaySettings
    metrics: Metrics
    checks: Checks
    released: ReleasedSchemas
    database: Database
    producer: KafkaProducer
    intake: Intake
    waits: Waits
    inboxes: Inboxes
    outcomes: OutcomeStore
    members: MembersFollower
    positions: Acknowledgements
    _learned: LearnedIds
    _registry: SchemaRegistry
    _tail: Tail
    _recorder: Recorder
    _backlog: Backlog
    records: LogRecords
    clock: Clock
    _door: KafkaDoor | None
    _tell_kafka: Callable[[str | None], None]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def history(self) -> History:
        """The members log; ``Transient`` before anything of it was read, ``Corrupt`` when it is not what it must be."""
        history = self.members.require()
        if history.size == 0:
            raise Transient("the members log has not been read yet")
        return history

    def start(self) -> None:
        """Starts every part; nothing here waits for another process."""
        self.members.start()
        self._learned.start()
        self._tail.start()
        self._recorder.start()
        if self._door is not None:
            self._door.start()
        self.checks.passed(_SERVING)
        self.checks.probe(_MEMBERS, self._ask_members)
        self._tasks.append(asyncio.create_task(self._watch(_PROBE_S, self._probe_kafka)))
        self._tasks.append(asyncio.create_task(self._watch(_FLUSH_S, self._flush_positions)))

    def drain(self) -> None:
        """SIGTERM: not ready any more, every wait ends."""
        _log.info("stopping")
        self.checks.failed(_SERVING, STOPPING)
        self.inboxes.stop()
        self.waits.stop()

    async def stop(self) -> None:
        """After the last request was answered: flushes, commits, closes."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        left = self.producer.stop(self.settings.gateway_stop_timeout_s)
        if left:
            _log.error("records were not acknowledged before the stop; their senders were not answered", records=left)
        with contextlib.suppress(Transient):
            self.positions.flush()
        if self._door is not None:
            self._door.stop()
        self._tail.stop()
        self._recorder.stop()
        self._learned.stop()
        self.members.stop()
        self._backlog.close()
        self.records.close()
        self._registry.close()
        self.database.close()

    async def _watch(self, every_s: float, ask: Callable[[], None]) -> None:
        while True:
            await asyncio.to_thread(ask)
            await asyncio.sleep(every_s)

    def _probe_kafka(self) -> None:
        self._tell_kafka(self.producer.probe(Topics(self.settings.exchange_name).proposals(_ASKED_FAMILY), _PROBE_S))

    def _flush_positions(self) -> None:
        with contextlib.suppress(Transient):  # kept for the next time; the probe says that Kafka is away
            self.positions.flush()

    def _ask_members(self) -> str | None:
        state = self.members.state
        if state != "following":
            return state
        return None if self.members.history.size else "the exchange has not been founded"


def assemble(settings: GatewaySettings) -> Parts:
    """The parts by the settings, not started; called in the event loop. ``BadSettings`` when one cannot be made."""
    if settings.root_key is None:
        raise BadSettings("IPX_ROOT_KEY is not set: the public key line of exchange.operator, see `ipx members init`")
    loop = asyncio.get_running_loop()
    metrics = Metrics("gateway")
    doors = (_OUTBOXES,) if settings.gateway_kafka_door else ()
    checks = Checks(metrics, _KAFKA, _REGISTRY, _POSTGRES, _MEMBERS, _INBOXES, _SERVING, *doors)
    topics, connection, clock = (
        Topics(settings.exchange_name),
        settings.librdkafka(),
        clock_of(settings.clock_file, metrics),
    )
    released = load_released()
    registry = SchemaRegistry(settings.registry_url)
    learned = LearnedIds(released, registry, _tell(checks, _REGISTRY))
    ids = SchemaIds(released, registry, clock)
    members = MembersFollower(connection, topics, schema_of=released.with_digest, root=parse_public(settings.root_key))
    database = Database(settings.postgres_dsn.get_secret_value(), "gateway")
    store = OutcomeStore(database)
    waits = Waits()
    backlog = Backlog(connection, topics)
    positions = Acknowledgements(connection, settings.exchange_name)
    limits = RingLimits(settings.gateway_ring_records, settings.gateway_ring_bytes, settings.gateway_rings_bytes)

    def tell(news: News) -> None:
        loop.call_soon_threadsafe(_spread, news, inboxes, waits)

    tail = Tail(connection, topics, ids.with_id, tell, _tell(checks, _INBOXES), idle_s=settings.gateway_follow_idle_s)
    inboxes = Inboxes(
        Rings(limits),
        backlog,
        positions,
        tail.follow,
        polls_per_participant=settings.gateway_polls_per_participant,
    )
    recorder = Recorder(
        connection,
        topics,
        store,
        ids.with_id,
        _tell(checks, _POSTGRES),
        clock,
        discover_s=settings.gateway_discover_s,
        keep_days=settings.gateway_outcomes_keep_days,
    )
    intake = Intake(released, learned, topics)
    door = DoorTools(
        connection,
        topics,
        Groups(settings.exchange_name),
        intake,
        Throttle(settings.gateway_publish_rate_per_s, settings.gateway_publish_burst_events),
        SystemEntropy(),
        metrics,
        _tell(checks, _OUTBOXES),
        settings.gateway_instance,
    )
    return Parts(
        settings=settings,
        metrics=metrics,
        checks=checks,
        released=released,
        database=database,
        producer=KafkaProducer(connection, timeout_s=settings.gateway_produce_timeout_s),
        intake=intake,
        waits=waits,
        inboxes=inboxes,
        outcomes=store,
        members=members,
        positions=positions,
        _learned=learned,
        _registry=registry,
        _tail=tail,
        _recorder=recorder,
        _backlog=backlog,
        records=LogRecords(connection),
        clock=clock,
        _door=KafkaDoor(door) if settings.gateway_kafka_door else None,
        _tell_kafka=_tell(checks, _KAFKA),
    )


def _spread(news: News, inboxes: Inboxes, waits: Waits) -> None:
    for participant, start in news.opened.items():
        inboxes.open(participant, start)
    for participant in news.closed:
        inboxes.close(participant)
    inboxes.extend(news.items)
    for source, record in news.outcomes:
        waits.resolve(source, record.outcomes)


def _tell(checks: Checks, name: str) -> Callable[[str | None], None]:
    """Where a part says how it is; what changed is logged."""
    last: list[str | None] = [None]

    def tell(reason: str | None) -> None:
        if reason is None:
            checks.passed(name)
        else:
            checks.failed(name, reason)
        if reason != last[0]:
            last[0] = reason
            if reason is None:
                _log.info("a part is well again", check=name)
            else:
                _log.warning("a part is away", check=name, reason=reason)

    return tell


def monotonic_s() -> float:
    """Seconds of a clock that never steps back."""
    return time.monotonic()
