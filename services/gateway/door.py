"""The Kafka door: forwards what participants with a Kafka client of their own write to their outbox topics (design section 5).

A consume-produce loop in Kafka transactions: the forwarded records and the place in the outbox are committed together, so
a kill at any point forwards each record once. After any error the loop begins again from the committed place with a new
producer, whose start ends the transaction that the old one left; so it does after a call that does not come back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from services.gateway.exchange import read_trace
from services.gateway.forwarding import Sent, forward
from services.gateway.intake import Intake
from services.gateway.throttle import Throttle
from services.kernel.errors import Transient
from services.kernel.ports import Entropy
from services.runtime.background import begin, wait
from services.runtime.logging import get_logger
from services.runtime.metrics import GATEWAY_PUBLISHED, GATEWAY_QUARANTINED, GATEWAY_REQUESTS, Metrics
from services.runtime.topics import Groups, Topics

_log = get_logger("gateway")
_kafka_log = logging.getLogger("ipx.gateway.kafka")
_BATCH = 500
_POLL_S = 0.2
_ASK_S = 10.0
_HUNG_S = 3 * _ASK_S
"""A transaction that has not ended by then is given up: calls of librdkafka do not always keep their limits."""
_RETRY_S = 1.0
_TRANSACTION_TIMEOUT_MS = 15_000


@dataclass(frozen=True, slots=True)
class DoorTools:
    """What the door works with."""

    connection: Mapping[str, Any]
    topics: Topics
    groups: Groups
    intake: Intake
    throttle: Throttle
    entropy: Entropy
    metrics: Metrics
    health: Callable[[str | None], None]
    instance: str


class KafkaDoor:
    """The loop in a thread of its own."""

    def __init__(self, tools: DoorTools) -> None:
        self._tools = tools
        self._paused: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-door", daemon=True)

    def start(self) -> None:
        """Begins to forward."""
        self._thread.start()

    def stop(self) -> None:
        """Ends after the transaction in hand; blocks until then."""
        self._stopping.set()
        self._thread.join(2 * _ASK_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            consumer = self._consumer()
            try:
                self._forward_all(consumer, self._producer())
            except (KafkaException, Transient, BufferError) as error:
                reason = f"Kafka: {error.args[0].name()}" if isinstance(error, KafkaException) else str(error)
                self._tools.health(reason)
                _log.warning("the Kafka door begins again", reason=reason)
                self._stopping.wait(_RETRY_S)
            finally:
                consumer.close()

    def _consumer(self) -> Consumer:
        tools = self._tools
        self._paused.clear()
        consumer = Consumer(
            {
                **tools.connection,
                "group.id": tools.groups.outboxes,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "topic.metadata.refresh.interval.ms": 10_000,  # how soon a new outbox is found
                "queued.max.messages.kbytes": 8_192,
                "session.timeout.ms": 10_000,
                "allow.auto.create.topics": False,
            },
            logger=_kafka_log,
        )
        consumer.subscribe([f"^{tools.topics.outbox('').replace('.', '[.]')}"])
        return consumer

    def _producer(self) -> Producer:
        tools = self._tools
        producer = Producer(
            {
                **tools.connection,
                "transactional.id": f"{tools.topics.prefix}-gateway-door-{tools.instance}",
                "transaction.timeout.ms": _TRANSACTION_TIMEOUT_MS,
                "partitioner": "murmur2_random",
                "linger.ms": 1,
            },
            logger=_kafka_log,
        )
        wait(begin(producer.init_transactions, _ASK_S), _HUNG_S)
        return producer

    def _forward_all(self, consumer: Consumer, producer: Producer) -> None:
        while not self._stopping.is_set():
            self._resume(consumer)
            first = consumer.poll(_POLL_S)
            self._tools.health(None)
            if first is None:
                continue
            batch = [m for m in (first, *consumer.consume(_BATCH - 1, 0)) if m.error() is None]
            if batch:
                self._commit(consumer, producer, batch)

    def _commit(self, consumer: Consumer, producer: Producer, batch: list[Message]) -> None:
        producer.begin_transaction()
        for message in batch:
            self._forward(producer, message)
        places = {m.topic(): m.offset() + 1 for m in batch}
        offsets = [TopicPartition(topic, 0, offset) for topic, offset in places.items()]
        wait(begin(_end, producer, offsets, consumer.consumer_group_metadata()), _HUNG_S)
        self._slow_down(consumer, batch)

    def _forward(self, producer: Producer, message: Message) -> None:
        tools = self._tools
        topic = message.topic()
        owner = topic.removeprefix(tools.topics.outbox(""))
        origin = f"{topic}/{message.partition()}@{message.offset()}"
        sent = Sent(owner, origin, message.key(), message.value(), message.headers() or [])
        done = forward(sent, tools.intake, tools.topics, read_trace(None, tools.entropy.draw).header)
        record = done.record
        producer.produce(record.topic, record.value, record.key, headers=record.headers)
        tools.metrics.add(GATEWAY_REQUESTS, route="outbox", status=done.refused.code if done.refused else "forwarded")
        if done.refused is None:
            tools.metrics.add(GATEWAY_PUBLISHED, family=record.topic.removesuffix(".in").rpartition(".")[2])
        else:
            tools.metrics.add(GATEWAY_QUARANTINED, participant=owner, code=done.refused.code)
            _log.warning(
                "a record of an outbox went to the quarantine",
                participant=owner,
                code=done.refused.code,
                topic=topic,
                offset=message.offset(),
            )

    def _slow_down(self, consumer: Consumer, batch: list[Message]) -> None:
        """Reads no further in the outbox of who sends faster than it may, until it may again; others go on."""
        now_s = time.monotonic()
        for topic in {m.topic() for m in batch}:
            owner = topic.removeprefix(self._tools.topics.outbox(""))
            count = sum(1 for m in batch if m.topic() == topic)
            self._tools.throttle.charge(owner, count, now_s)
            wait_s = self._tools.throttle.wait_s(owner, now_s)
            if wait_s > 0:
                consumer.pause([TopicPartition(topic, 0)])
                self._paused[topic] = now_s + wait_s

    def _resume(self, consumer: Consumer) -> None:
        now_s = time.monotonic()
        for topic in [t for t, until_s in self._paused.items() if until_s <= now_s]:
            del self._paused[topic]
            consumer.resume([TopicPartition(topic, 0)])


def _end(producer: Producer, offsets: list[TopicPartition], group: Any) -> None:
    producer.send_offsets_to_transaction(offsets, group, _ASK_S)
    producer.commit_transaction(_ASK_S)
