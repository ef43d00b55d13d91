"""The tail: one consumer that follows the end of the inboxes in use, for long polls and for those who wait for an outcome.

An inbox is followed from the moment its participant asks, and for some minutes after it asked last. Not all inboxes at all
times: with each fetch, and with each record written, the broker looks at every partition of the fetch session, so the cost
of one delivery would grow with the number of members. What was in an inbox before is not read here: ``backlog.py`` does,
when somebody asks for it. So memory and start do not depend on what the inboxes hold.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.events.receipt import OutcomesRecorded
from services.gateway.reading import SchemaOf, outcomes_in, structured
from services.gateway.rings import Item
from services.kernel.errors import IpxError
from services.runtime.logging import get_logger
from services.runtime.topics import Topics

_log = get_logger("gateway")
_BATCH = 500
_POLL_S = 0.1
_ASK_S = 5.0
_TRY_AGAIN_S = 0.5
_LOOK_FOR_IDLE_S = 5.0
_GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION, KafkaError._UNKNOWN_TOPIC)
_SETTINGS = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 500,
    "fetch.min.bytes": 1,
    "fetch.error.backoff.ms": 100,
    "queued.max.messages.kbytes": 8_192,
    "fetch.message.max.bytes": 1 << 20,
    "topic.metadata.refresh.interval.ms": 30_000,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 2_000,
    "allow.auto.create.topics": False,
}


@dataclass(slots=True)
class News:
    """What one round of the tail brought: rings to open and close, records by participant, outcomes by source."""

    opened: dict[str, int] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    items: dict[str, list[Item]] = field(default_factory=dict)
    outcomes: list[tuple[str, OutcomesRecorded]] = field(default_factory=list)


def inbox_consumer(connection: Mapping[str, Any], group: str, **more: Any) -> Consumer:
    """A read_committed consumer for hand-assigned inbox topics; it never joins its group nor commits to it."""
    settings = {**_SETTINGS, **connection, "group.id": group, **more}
    return Consumer(settings, logger=logging.getLogger("ipx.gateway.kafka"))


class Tail:
    """The consumer in a thread of its own; ``tell`` is called there with what came."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        topics: Topics,
        schema_of: SchemaOf,
        tell: Callable[[News], None],
        health: Callable[[str | None], None],
        *,
        idle_s: float,
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._schema_of = schema_of
        self._tell = tell
        self._health = health
        self._idle_s = idle_s
        self._wanted_s: dict[str, float] = {}
        self._tried_s: dict[str, float] = {}
        self._followed: set[str] = set()
        self._called = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-tail", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def follow(self, participant: str) -> None:
        """Somebody asks for this inbox: follows it, from the end it has when the tail comes to it, or goes on following."""
        self._wanted_s[participant] = time.monotonic()
        if participant not in self._followed:
            self._called.set()

    def stop(self) -> None:
        """Ends the thread; blocks until it has ended."""
        self._stopping.set()
        self._called.set()
        self._thread.join(2 * _ASK_S)

    def _run(self) -> None:
        consumer = inbox_consumer(self._connection, f"{self._topics.prefix}-gateway-tail")
        looked_s = time.monotonic()
        self._health(None)
        try:
            while not self._stopping.is_set():
                if self._called.is_set():
                    self._called.clear()
                    self._follow_wanted(consumer)
                if time.monotonic() - looked_s >= _LOOK_FOR_IDLE_S:
                    self._leave_idle(consumer)
                    looked_s = time.monotonic()
                self._round(consumer)
        finally:
            consumer.close()

    def _follow_wanted(self, consumer: Consumer) -> None:
        """Opens the inboxes that are wanted, each at its end; the others' records go on coming meanwhile."""
        now_s = time.monotonic()
        news = News()
        for owner in self._wanted_s.keys() - self._followed:
            if now_s - self._tried_s.get(owner, float("-inf")) < _TRY_AGAIN_S:
                self._called.set()
                continue
            self._tried_s[owner] = now_s
            try:
                place = TopicPartition(self._topics.inbox(owner), 0)
                _, news.opened[owner] = consumer.get_watermark_offsets(place, timeout=_ASK_S)
            except KafkaException as error:
                if error.args[0].code() not in _GONE:
                    self._health(f"Kafka: {error.args[0].name()}")
        if news.opened:
            self._tell(news)
            consumer.incremental_assign(
                [TopicPartition(self._topics.inbox(owner), 0, end) for owner, end in news.opened.items()]
            )
            self._followed.update(news.opened)
            self._health(None)

    def _leave_idle(self, consumer: Consumer) -> None:
        before_s = time.monotonic() - self._idle_s
        idle = [owner for owner, wanted_s in tuple(self._wanted_s.items()) if wanted_s < before_s]
        for owner in idle:
            del self._wanted_s[owner]
            self._tried_s.pop(owner, None)
        self._leave(consumer, [owner for owner in idle if owner in self._followed])

    def _leave(self, consumer: Consumer, owners: list[str]) -> None:
        if owners:
            consumer.incremental_unassign([TopicPartition(self._topics.inbox(owner), 0) for owner in owners])
            self._followed.difference_update(owners)
            self._tell(News(closed=owners))

    def _round(self, consumer: Consumer) -> None:
        if not self._followed:
            self._called.wait(_POLL_S)
            return
        first = consumer.poll(_POLL_S)
        if first is None:
            return
        news = News()
        gone: list[str] = []
        for message in (first, *consumer.consume(_BATCH - 1, 0)):
            owner, error = self._topics.inbox_owner(message.topic() or ""), message.error()
            if error is None and owner is not None:
                self._read(message, owner, news)
            elif error is not None and error.code() in _GONE and owner in self._followed:
                gone.append(owner)
            elif error is not None and error.code() != KafkaError._PARTITION_EOF:
                self._health(f"Kafka: {error.name()}")
        if news.items:
            self._health(None)
            self._tell(news)
        self._leave(consumer, gone)

    def _read(self, message: Message, owner: str, news: News) -> None:
        headers, value = message.headers(), message.value()
        news.items.setdefault(owner, []).append(Item(message.offset(), structured(headers, value)))
        try:
            outcomes = outcomes_in(lambda: headers, value, self._schema_of)
        except IpxError as error:
            _log.error(
                "an outcome record cannot be read", topic=message.topic(), offset=message.offset(), exc_info=error
            )
            return
        if outcomes is not None:
            news.outcomes.append((owner, outcomes))
