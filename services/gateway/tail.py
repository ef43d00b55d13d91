"""The tail: one consumer that follows the end of every inbox, for long polls and for those who wait for an outcome.

Assigned by hand to all inbox topics, read_committed; new topics are looked for now and then, and at once when asked.
What was in the inboxes before the gateway started is not read here: ``backlog.py`` does, when somebody asks for it. So
the start is quick whatever is in the topics, and memory does not depend on it.
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
_RETRY_S = 1.0
_LOOK_AGAIN_S = 0.5
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
    """What one round of the tail brought: rings to open, records by participant, outcomes by source."""

    opened: dict[str, int] = field(default_factory=dict)
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
        discover_s: float,
    ) -> None:
        self._connection = connection
        self._topics = topics
        self._schema_of = schema_of
        self._tell = tell
        self._health = health
        self._discover_s = discover_s
        self._assigned: set[str] = set()
        self._look = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-tail", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def look_again(self) -> None:
        """Asks for new topics to be looked for now: a participant came whose inbox is not followed."""
        self._look.set()

    def stop(self) -> None:
        """Ends the thread; blocks until it has ended."""
        self._stopping.set()
        self._look.set()
        self._thread.join(2 * _ASK_S)

    def _run(self) -> None:
        consumer = inbox_consumer(self._connection, f"{self._topics.prefix}-gateway-tail")
        looked_s = float("-inf")
        try:
            while not self._stopping.is_set():
                since_s = time.monotonic() - looked_s
                if since_s >= self._discover_s or (self._look.is_set() and since_s >= _LOOK_AGAIN_S):
                    self._look.clear()
                    looked_s = time.monotonic() if self._discover(consumer) else float("-inf")
                self._round(consumer)
        finally:
            consumer.close()

    def _discover(self, consumer: Consumer) -> bool:
        """Assigns the inboxes that are new: at their end if they were there before the gateway, else at their start.

        False, a moment later, when Kafka did not answer.
        """
        first = not self._assigned
        news = News()
        try:
            found = consumer.list_topics(timeout=_ASK_S).topics
            for topic in sorted(set(found) - self._assigned):
                owner = self._topics.inbox_owner(topic)
                if owner is None or found[topic].error is not None:
                    continue
                low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_ASK_S)
                news.opened[owner] = high if first else low
        except KafkaException as error:
            self._health(f"Kafka: {error.args[0].name()}")
            self._stopping.wait(_RETRY_S)
            return False
        if news.opened:
            self._tell(news)
            consumer.incremental_assign(
                [TopicPartition(self._topics.inbox(owner), 0, offset) for owner, offset in news.opened.items()]
            )
            self._assigned.update(map(self._topics.inbox, news.opened))
        self._health(None)
        return True

    def _round(self, consumer: Consumer) -> None:
        if not self._assigned:
            self._stopping.wait(_POLL_S)
            return
        first = consumer.poll(_POLL_S)
        if first is None:
            return
        news = News()
        for message in (first, *consumer.consume(_BATCH - 1, 0)):
            error = message.error()
            if error is None:
                self._read(message, news)
            elif error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION):
                self._drop(consumer, message.topic())
            elif error.code() != KafkaError._PARTITION_EOF:
                self._health(f"Kafka: {error.name()}")
        self._tell(news)

    def _read(self, message: Message, news: News) -> None:
        owner = self._topics.inbox_owner(message.topic())
        if owner is None:
            return
        headers, value = message.headers(), message.value()
        news.items.setdefault(owner, []).append(Item(message.offset(), structured(headers, value)))
        try:
            outcomes = outcomes_in(headers, value, self._schema_of)
        except IpxError as error:
            _log.error(
                "an outcome record cannot be read", topic=message.topic(), offset=message.offset(), exc_info=error
            )
            return
        if outcomes is not None:
            news.outcomes.append((owner, outcomes))

    def _drop(self, consumer: Consumer, topic: str | None) -> None:
        if topic in self._assigned:
            consumer.incremental_unassign([TopicPartition(topic, 0)])
            self._assigned.discard(topic)
