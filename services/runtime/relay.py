"""The relay: publishes each room's outbox to ``.in``, in order, and marks what it has published.

Design section 8. Numbered, for a batch of one room:

1. take the first rows that are not published, in order;
2. produce them (idempotent, acks=all) and wait until every one is acknowledged;
3. mark them in PostgreSQL.

A crash between 2 and 3 publishes again; admission answers a known id with the first outcome, so that is safe. One relay
at a time publishes (an advisory lock of the database); another waits and takes over. It wakes at the rooms' NOTIFY, and
looks by itself once a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from pydantic import Field

from services.kernel.errors import Transient
from services.runtime.faults import reach
from services.runtime.health import Checks
from services.runtime.logging import get_logger, words_of
from services.runtime.metrics import (
    RELAY_AGE,
    RELAY_FAILURES,
    RELAY_PENDING,
    RELAY_PUBLISHED,
    RELAY_SECONDS,
    Metrics,
)
from services.runtime.postgres import Connection, Database
from services.runtime.settings import CommonSettings
from services.runtime.store import CHANNEL, Pending, Store

log = get_logger("relay")

CHECKS = ("postgres", "kafka")
_LOCK = 4_917_263_002  # advisory lock of the one relay that publishes
_DELIVER_WITHIN_S = 15.0
_LONGEST_WAIT_S = 3.0
_PRUNE_EVERY_S = 60.0
_ASK_EVERY_S = 3.0


class RelaySettings(CommonSettings):
    """Settings of ``ipx relay run``."""

    room = "relay"

    relay_batch_records: int = Field(default=500, ge=1, le=10_000)
    """Most records published and marked at once."""
    relay_look_s: float = Field(default=1.0, gt=0, le=60)
    """How often the outboxes are looked at without being told."""
    relay_keep_s: float = Field(default=86_400.0, ge=0)
    """How long published rows are kept, for people who look."""


class Publisher:
    """An idempotent producer that keeps the order within a partition; blocking. ``Transient`` when Kafka is away."""

    def __init__(self, kafka: Mapping[str, Any], name: str, stop: threading.Event) -> None:
        self._stop = stop
        self._settings = {
            **kafka,
            "client.id": name,
            "enable.idempotence": True,
            "enable.gapless.guarantee": True,  # a record that cannot be sent stops those behind it
            "acks": "all",
            "linger.ms": 0,
            "partitioner": "murmur2_random",  # the same partition of a subject for every client of the exchange
            "delivery.timeout.ms": int(_DELIVER_WITHIN_S * 1000),
            "log_level": 2,
        }
        self._producer: Any = None

    def publish(self, rows: Sequence[Pending]) -> None:
        """Returns when every record is acknowledged; else ``Transient``, and some of them may have been published.

        Gives up after 15 s, and at once when told to stop.
        """
        producer = self._producer = self._producer or Producer(self._settings)
        failed: list[KafkaError] = []

        def told(error: KafkaError | None, _message: Any) -> None:
            if error is not None:
                failed.append(error)

        try:
            for row in rows:
                record = row.proposal
                producer.produce(
                    record.topic, key=record.key, value=record.value, headers=list(record.headers), on_delivery=told
                )
            until = time.monotonic() + _DELIVER_WITHIN_S
            while (left := producer.flush(0.5)) and not failed and not self._stop.is_set():
                if time.monotonic() > until:
                    break
        except (KafkaException, BufferError) as error:
            self.discard()
            raise Transient(f"Kafka did not take the records: {error}") from error
        if failed or left:
            self.discard()
            raise Transient(
                f"Kafka did not take {left or len(failed)} records: {failed[0].str() if failed else 'late'}"
            )

    def ask(self) -> str | None:
        """A health probe: None when the broker answers, else the reason."""
        producer = self._producer = self._producer or Producer(self._settings)
        try:
            producer.list_topics(timeout=2.0)
        except KafkaException as error:
            return f"Kafka: {error.args[0].str()}"
        return None

    def discard(self) -> None:
        """Forgets the producer and what it still holds: the outbox has it all."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(1.0)
            self._producer = None


class Relay:
    """Publishes the outboxes of these rooms until told to stop; blocks in ``run``."""

    def __init__(
        self,
        rooms: Sequence[str],
        settings: RelaySettings,
        *,
        database: Database,
        checks: Checks,
        metrics: Metrics,
    ) -> None:
        self._stores = tuple(Store(room) for room in rooms)
        self._settings = settings
        self._database = database
        self._checks = checks
        self._metrics = metrics
        self._stop = threading.Event()
        self._publisher = Publisher(settings.librdkafka(), f"{settings.exchange_name}-relay", self._stop)
        self._pruned_at = self._told_at = 0.0

    def stop(self) -> None:
        """Ends ``run`` within a moment; from any thread or a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Waits for its turn, publishes, waits; an outage of PostgreSQL or Kafka is waited out."""
        wait_s = 0.2
        while not self._stop.is_set():
            try:
                for store in self._stores:
                    self._database.ensure_schema(store.room)
                with self._database.connect() as session:
                    self._checks.passed("postgres")
                    wait_s = 0.2
                    self._take_turns(session)
            except Transient as error:
                self._checks.failed("postgres", str(error))
                log.warning("relay waits", wait_s=wait_s, **words_of(error))
                self._stop.wait(wait_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)

    def drain(self, store: Store) -> int:
        """Publishes one batch of a room; says how many."""
        started = time.monotonic()
        # (1) take the first rows that are not published
        with self._database.transaction() as connection:
            rows = store.pending(connection, self._settings.relay_batch_records)
        if not rows:
            return 0
        reach("relay.before_produce")
        # (2) produce them
        self._publisher.publish(rows)
        reach("relay.after_produce")
        # (3) mark them
        with self._database.transaction() as connection:
            store.mark_published(connection, [row.n for row in rows])
        reach("relay.after_mark")
        self._metrics.add(RELAY_PUBLISHED, len(rows), room=store.room)
        self._metrics.observe(RELAY_SECONDS, time.monotonic() - started, room=store.room)
        return len(rows)

    def _take_turns(self, session: Connection) -> None:
        """Holds the turn as long as the session lives; returns when told to stop, ``Transient`` when it is lost."""
        with self._database.outages():
            session.execute(f"listen {CHANNEL}")
            while not self._stop.is_set():
                row = session.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
                if row is not None and row[0]:
                    break
                self._checks.passed("kafka")  # nothing to do for it yet
                self._stop.wait(self._settings.relay_look_s)
            log.info("relay publishes")
            while not self._stop.is_set():
                self._round()
                self._wait_for_news(session)

    def _wait_for_news(self, session: Connection) -> None:
        """Until a room tells of an outbox, or for a while; the session also shows that the turn is still ours."""
        until = time.monotonic() + self._settings.relay_look_s
        while not self._stop.is_set() and (left_s := until - time.monotonic()) > 0:
            if any(True for _ in session.notifies(timeout=min(left_s, 0.5), stop_after=1)):
                break
        session.execute("select 1")

    def _round(self) -> None:
        """Publishes until no room has anything left; Kafka being away is reported and left to the next round."""
        published, away = 0, False
        for store in self._stores:
            try:
                while not self._stop.is_set() and (count := self.drain(store)):
                    published += count
            except Transient as error:
                if self._publisher.ask() is None:
                    raise  # Kafka is there, so it is PostgreSQL that is not
                away = True
                self._metrics.add(RELAY_FAILURES, room=store.room)
                self._checks.failed("kafka", str(error))
                log.warning("outbox waits", room=store.room, **words_of(error))
            self._look_after(store)
        if published and not away:
            self._told_at = time.monotonic()
            self._checks.passed("kafka")
        elif time.monotonic() - self._told_at > _ASK_EVERY_S:
            self._told_at = time.monotonic()
            reason = self._publisher.ask()
            if reason is None:
                self._checks.passed("kafka")
            else:
                self._checks.failed("kafka", reason)

    def _look_after(self, store: Store) -> None:
        with self._database.transaction() as connection:
            pending, age_s = store.backlog(connection)
            self._metrics.set(RELAY_PENDING, pending, room=store.room)
            self._metrics.set(RELAY_AGE, age_s, room=store.room)
            if time.monotonic() - self._pruned_at > _PRUNE_EVERY_S:
                for each in self._stores:
                    each.prune(connection, self._settings.relay_keep_s, 10_000)
                self._pruned_at = time.monotonic()
