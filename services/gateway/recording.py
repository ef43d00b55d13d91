"""The recorder: reads every inbox for outcome records and keeps what they say in PostgreSQL, at its own pace.

Apart from the tail, so that a database that is away delays nothing and loses nothing: the recorder waits, and goes on
from the place that is stored with the rows. Once a second it asks where each inbox ends, and reads those that have grown:
a consumer that stood in all of them would make the broker look at all of them for every record that is written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.gateway.outcomes import Outcome, OutcomeStore
from services.gateway.reading import SchemaOf, outcomes_in
from services.gateway.tail import inbox_consumer
from services.kernel.errors import Refused, Transient
from services.kernel.ports import Clock
from services.runtime.logging import get_logger, words_of
from services.runtime.topics import Topics

_log = get_logger("gateway")
_BATCH = 2_000
_ROUND_S = 1.0
_READ_S = 0.2
_READ_WITHIN_S = 20.0
_ASK_S = 5.0
_RETRY_S = 1.0
_FORGET_EVERY_S = 3600.0
_MORE = {"enable.partition.eof": True, "fetch.wait.max.ms": 100, "queued.max.messages.kbytes": 16_384}


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
        self._inboxes: list[str] = []
        self._places: dict[str, int] = {}
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
        """Reads for ever. ``health`` is told of the database alone; that Kafka is away is said by who probes it."""
        admin = AdminClient(dict(self._connection))
        while not self._stopping.is_set():
            consumer = inbox_consumer(self._connection, f"{self._topics.prefix}-gateway-recorder", **_MORE)
            try:
                self._store.prepare()
                self._places = self._store.positions()
                self._health(None)
                self._follow(consumer, admin)
            except Transient as error:
                self._health(str(error))
                self._stopping.wait(_RETRY_S)
            except KafkaException as error:
                _log.warning("outcomes are not read for the moment", reason=error.args[0].name(), **words_of(error))
                self._stopping.wait(_RETRY_S)
            finally:
                consumer.close()

    def _follow(self, consumer: Consumer, admin: AdminClient) -> None:
        look_at_s = forget_at_s = 0.0
        while not self._stopping.is_set():
            now_s = time.monotonic()
            if now_s >= look_at_s:
                found = consumer.list_topics(timeout=_ASK_S).topics
                self._inboxes = [t for t in found if self._topics.inbox_owner(t) and found[t].error is None]
                look_at_s = now_s + self._discover_s
            if now_s >= forget_at_s:
                self._store.forget_before(self._clock.now_ms(), self._keep_days)
                forget_at_s = now_s + _FORGET_EVERY_S
            self._read_grown(consumer, self._grown(admin))
            self._stopping.wait(_ROUND_S)

    def _grown(self, admin: AdminClient) -> set[str]:
        """The inboxes that hold more than was read, committed transactions alone."""
        if not self._inboxes:
            return set()
        futures = admin.list_offsets(
            {TopicPartition(topic, 0): OffsetSpec.latest() for topic in self._inboxes},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=_ASK_S,
        )
        grown = set()
        for place, future in futures.items():
            try:
                end = future.result(_ASK_S).offset
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
                continue
            if end != self._places.get(place.topic, 0):
                grown.add(place.topic)
        return grown

    def _read_grown(self, consumer: Consumer, grown: set[str]) -> None:
        """Reads these inboxes to their ends."""
        if not grown:
            return
        consumer.assign([TopicPartition(topic, 0, self._places.get(topic, 0)) for topic in grown])
        until_s = time.monotonic() + _READ_WITHIN_S
        while grown and time.monotonic() < until_s and not self._stopping.is_set():
            self._keep(consumer.consume(_BATCH, _READ_S), grown)
        consumer.unassign()

    def _keep(self, messages: list[Message], unread: set[str]) -> None:
        outcomes: list[Outcome] = []
        places: dict[str, int] = {}
        for message in messages:
            topic, error = message.topic(), message.error()
            if error is None:
                places[topic] = message.offset() + 1
                outcomes.extend(self._read(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                places[topic] = message.offset()  # past the marks of transactions, which are no records
                unread.discard(topic)
        if places:
            self._store.keep(outcomes, places)
            self._places.update(places)

    def _read(self, message: Message) -> list[Outcome]:
        source = self._topics.inbox_owner(message.topic())
        try:
            record = outcomes_in(message.headers, message.value(), self._schema_of)
        except Refused as error:  # Transient goes up: the record is read again
            _log.error(
                "an outcome record cannot be read", topic=message.topic(), offset=message.offset(), exc_info=error
            )
            return []
        if record is None or source is None:
            return []
        return [Outcome(source, item, message.timestamp()[1]) for item in record.outcomes]
