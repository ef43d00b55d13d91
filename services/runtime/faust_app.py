"""The one importer of Faust: brings batches of raw log records to a room, and nothing more.

What is switched off and why (design section 13, measured): tables and their changelog (not atomic with offsets), the web
server (binds every interface), topic creation, Faust's producer, models and codecs (raw bytes only), its data directory (it
would be made in the working directory, for tables alone). What is mended here:

- **Isolation.** By default Faust reads aborted records; the consumer made here is ``read_committed``.
- **Position.** Faust would begin at the group's committed offset and can commit past unprocessed messages (faust#606);
  here every seek goes to the position that PostgreSQL holds. Commits to Kafka only show the lag.
- **Return after a kill.** Static membership and a session timeout of some seconds, instead of a minute's wait.

A Faust app cannot be started twice in a process (threads outlive it), so ``consume`` is called once in a process.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import faust
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver

from services.kernel.errors import Transient
from services.runtime.planner import Place
from services.runtime.records import RawRecord
from services.runtime.settings import CommonSettings

TAKE = 1000
WITHIN_S = 0.05
SESSION_TIMEOUT_S = 8.0
HEARTBEAT_S = 2.0
STOP_WITHIN_S = 10.0

Offsets = Callable[[], Mapping[Place, int]]
OnBatch = Callable[[Sequence[RawRecord]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Consuming:
    """What a room consumes, as which member of which group."""

    group: str
    instance: str
    topics: tuple[str, ...]
    settings: CommonSettings


class _CommittedThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread, reading committed records only and seeking to the positions in PostgreSQL."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        app = cast(_RoomApp, self.app)
        return driver.aiokafka.AIOKafkaConsumer(
            client_id=app.conf.broker_client_id,
            group_id=app.conf.id,
            group_instance_id=app.conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[driver.RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=app.conf.broker_max_poll_records,
            max_poll_interval_ms=int(app.conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=app.conf.consumer_max_fetch_size,
            fetch_max_wait_ms=500,
            request_timeout_ms=int(app.conf.broker_request_timeout * 1000),
            session_timeout_ms=int(app.conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(app.conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(app.conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=30_000,
            **app.security,
        )

    async def seek_to_committed(self) -> Mapping[Any, int]:
        """Seeks every assigned partition to its position in PostgreSQL, which is what "committed" means here."""
        app = cast(_RoomApp, self.app)
        stored = await asyncio.get_running_loop().run_in_executor(None, app.offsets)
        return cast("Mapping[Any, int]", await self.call_thread(self._seek_all, stored))

    async def _seek_all(self, stored: Mapping[Place, int]) -> Mapping[Any, int]:
        consumer = self._ensure_consumer()
        offsets = {tp: stored.get((tp.topic, tp.partition), 0) for tp in consumer.assignment()}
        for tp, offset in offsets.items():
            consumer.seek(tp, offset)
        return offsets


class _CommittedConsumer(driver.Consumer):  # type: ignore[misc]
    def _new_consumer_thread(self) -> _CommittedThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)


class _CommittedTransport(driver.Transport):  # type: ignore[misc]
    Consumer = _CommittedConsumer


class _OnlyConsumer(BootStrategy):  # type: ignore[misc]
    enable_web = False
    enable_kafka_producer = False


class _RoomApp(faust.App):  # type: ignore[misc]
    BootStrategy = _OnlyConsumer
    offsets: Offsets
    security: dict[str, Any]

    def _new_transport(self) -> _CommittedTransport:
        return _CommittedTransport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """None: tables alone would use them."""

    _new_producer_transport = _new_transport


class FaustConsumer:
    """Consumes as one member of the room's group until told to stop; one per process."""

    def __init__(self, consuming: Consuming, *, offsets: Offsets, on_batch: OnBatch) -> None:
        self._app = _app(consuming, offsets)
        self._failure: BaseException | None = None
        self._ended = asyncio.Event()
        source = self._app.topic(
            *consuming.topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )

        async def bring(stream: Any) -> None:
            async for events in stream.take_events(TAKE, within=WITHIN_S):
                bringing = asyncio.ensure_future(on_batch([_raw(event.message) for event in events]))
                await asyncio.wait({bringing})
                failure = bringing.exception()
                if failure is not None:
                    # Leaving the loop would acknowledge the batch: stand still until the process ends.
                    self._failure = failure
                    self._ended.set()
                    await asyncio.Event().wait()

        self._app.agent(source, name="bring", concurrency=1)(bring)

    @property
    def assignment(self) -> frozenset[Place]:
        """The partitions that this member has now."""
        consumer = self._app._consumer  # the public attribute would make one
        if consumer is None or not self._app.started:
            return frozenset()
        return frozenset((tp.topic, tp.partition) for tp in self._app.consumer.assignment())

    @property
    def has_joined(self) -> bool:
        """Whether it is a member of the group and not in the middle of a rebalance; it may have no partition."""
        return bool(self._app.rebalancing_count) and not self._app.rebalancing

    def stop(self) -> None:
        """Ends ``run``; from the loop's thread."""
        self._ended.set()

    async def run(self) -> None:
        """Consumes until ``stop``. Raises what ``on_batch`` raised; ``Transient`` when Faust crashed.

        Either way a new process is needed to go on.
        """
        starting = asyncio.ensure_future(self._app.start())
        ended = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done() and (failure := starting.exception()) is not None:
                raise Transient(f"Faust did not start: {type(failure).__name__}") from failure
            while not ended.done():
                await asyncio.wait({ended}, timeout=0.5)
                if self._app.crashed:
                    reason = self._app.crash_reason
                    raise Transient(f"Faust crashed: {type(reason).__name__}") from reason
            if self._failure is not None:
                raise self._failure
        finally:
            ended.cancel()

    async def close(self) -> bool:
        """Leaves in good order, within some seconds; False when Faust did not manage (end the process hard then)."""
        closing = asyncio.ensure_future(self._app.stop())
        done, _ = await asyncio.wait({closing}, timeout=STOP_WITHIN_S)
        return bool(done) and closing.exception() is None


def _app(consuming: Consuming, offsets: Offsets) -> _RoomApp:
    brokers = consuming.settings.kafka_bootstrap.split(",")
    app = _RoomApp(
        consuming.group,
        broker=";".join(f"kafka://{broker.strip()}" for broker in brokers),
        broker_client_id=consuming.instance,
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_request_timeout=30.0,
        broker_rebalance_timeout=20.0,
        broker_max_poll_interval=600.0,
        broker_max_poll_records=2000,
        broker_commit_interval=1.0,
        consumer_group_instance_id=consuming.instance,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=2_097_152,
        stream_buffer_maxsize=2 * TAKE,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
        autodiscover=False,
        version=1,
    )
    app.offsets = offsets
    app.security = _security(consuming.settings)
    return app


def _raw(message: Any) -> RawRecord:
    headers: Iterable[tuple[str, bytes]] = message.headers or ()
    return RawRecord(message.topic, message.partition, message.offset, tuple(headers), message.value)


def _security(settings: CommonSettings) -> dict[str, Any]:
    protocol = settings.kafka_security_protocol
    security: dict[str, Any] = {"security_protocol": protocol}
    if protocol.endswith("SSL"):
        cafile, certfile, keyfile = settings.kafka_ssl_cafile, settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile
        context = ssl.create_default_context(cafile=None if cafile is None else str(cafile))
        if certfile is not None:
            context.load_cert_chain(str(certfile), None if keyfile is None else str(keyfile))
        security["ssl_context"] = context
    if protocol.startswith("SASL"):
        password = settings.kafka_sasl_password
        security |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": None if password is None else password.get_secret_value(),
        }
    return security
