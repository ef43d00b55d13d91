"""The recorder: reads every inbox for outcome records and keeps what they say in PostgreSQL, at its own pace.

Apart from the tail, so that a database that is away delays nothing and loses nothing: the recorder waits, and goes on
from the place that is stored with the rows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from services.gateway.outcomes import Outcome, OutcomeStore
from services.gateway.reading import SchemaOf, outcomes_in
from services.gateway.tail import inbox_consumer
from services.kernel.errors import Refused, Transient
from services.kernel.ports import Clock
from services.runtime.logging import get_logger
from services.runtime.topics import Topics

_log = get_logger("gateway")
_BATCH = 2_000
_ROUND_S = 0.25
_ASK_S = 5.0
_RETRY_S = 1.0
_FORGET_EVERY_S = 3600.0
_MORE = {"fetch.min.bytes": 65_536, "fetch.wait.max.ms": 250, "queued.max.messages.kbytes": 16_384}
Place = tuple[str, int]


class Recorder:
    """Follows the inboxes in a thread of its own from the stored places on."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        topics: Topics,
        store: OutcomeStore,
        schema_of: SchemaOf,
        health: Callable[[str | None], None],
        clock: Clock,
        *,
        discover_s: float,
        keep_days: int,
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._store = store
        self._schema_of = schema_of
        self._health = health
        self._clock = clock
        self._discover_s = discover_s
        self._keep_days = keep_days
        self._assigned: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-recorder", daemon=True)

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; blocks until it has ended."""
        self._stopping.set()
        self._thread.join(2 * _ASK_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            consumer = inbox_consumer(self._connection, f"{self._topics.prefix}-gateway-recorder", **_MORE)
            self._assigned.clear()
            try:
                self._store.prepare()
                self._follow(consumer, self._store.positions())
            except (Transient, KafkaException) as error:
                # the place is in the database: begin again from there
                self._health(str(error) if isinstance(error, Transient) else f"Kafka: {error.args[0].name()}")
                self._stopping.wait(_RETRY_S)
            finally:
                consumer.close()

    def _follow(self, consumer: Consumer, positions: Mapping[str, int]) -> None:
        look_at_s = forget_at_s = 0.0
        while not self._stopping.is_set():
            now_s = time.monotonic()
            if now_s >= look_at_s:
                self._assign_new(consumer, positions)
                look_at_s = now_s + self._discover_s
            if now_s >= forget_at_s:
                self._store.forget_before(self._clock.now_ms(), self._keep_days)
                forget_at_s = now_s + _FORGET_EVERY_S
            if self._assigned:
                self._keep(consumer.consume(_BATCH, _ROUND_S))
            else:
                self._stopping.wait(_ROUND_S)
            self._health(None)

    def _assign_new(self, consumer: Consumer, positions: Mapping[str, int]) -> None:
        found = consumer.list_topics(timeout=_ASK_S).topics
        fresh = [t for t in sorted(set(found) - self._assigned) if self._topics.inbox_owner(t) and not found[t].error]
        if fresh:
            consumer.incremental_assign([TopicPartition(topic, 0, positions.get(topic, 0)) for topic in fresh])
            self._assigned.update(fresh)

    def _keep(self, messages: list[Message]) -> None:
        outcomes: list[Outcome] = []
        places: dict[str, int] = {}
        for message in messages:
            if message.error() is None:
                places[message.topic()] = message.offset() + 1
                outcomes.extend(self._read(message))
        if places:
            self._store.keep(outcomes, places)

    def _read(self, message: Message) -> list[Outcome]:
        source = self._topics.inbox_owner(message.topic())
        try:
            record = outcomes_in(message.headers(), message.value(), self._schema_of)
        except Refused as error:  # Transient goes up: the record is read again
            _log.error(
                "an outcome record cannot be read", topic=message.topic(), offset=message.offset(), exc_info=error
            )
            return []
        if record is None or source is None:
            return []
        return [Outcome(source, item, message.timestamp()[1]) for item in record.outcomes]
