"""The measuring of ``ipx bench admission``: proposals laid out beforehand, the whole of admission, and the bare loop.

Both read the same records of the same ``.in`` topic. The first tenth of the events is left out of both, since admission takes its
partitions one after the other while it starts.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from services.codec.bare import bare_codec
from services.codec.envelope import Draft, Envelope, frame, seal, seal_batch, unframe
from services.codec.examples import read_examples
from services.codec.json_form import json_form
from services.codec.keys import Ed25519Signer
from services.codec.released import ReleasedSchemas
from services.kernel.errors import Transient
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import Clock, Entropy
from services.runtime.settings import CommonSettings
from services.runtime.topics import Topics

REPORTED = "cn.ipx.clue.ClueReported"
TRANSACTION = 2000
_AGREEMENT = "yrd-enforcement@1"
_BATCH = 10_000
_LOOK_S = 0.02
_FLUSH_S = 60.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Events that were counted, and how long they took."""

    events: int
    seconds: float

    @property
    def per_s(self) -> float:
        """Events a second."""
        return round(self.events / self.seconds, 1) if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes signed clue reports of about the same size, each of a subject of its own."""

    released: ReleasedSchemas
    signer: Ed25519Signer
    recipient: str
    clock: Clock
    entropy: Entropy

    def envelopes(self, count: int, *, batch: bool) -> Iterator[Envelope]:
        """That many, each signed by itself or 10,000 under one signature."""
        schema = self.released.named(REPORTED)
        example = next(e.data for e in read_examples() if e.type == REPORTED and e.name.startswith("valid-"))
        value = json_form(schema).read(example)
        if not batch:
            for _ in range(count):
                yield seal(schema, value, self._draft(), self.signer, self.entropy)
            return
        for start in range(0, count, _BATCH):
            items = [(schema, value, self._draft()) for _ in range(min(_BATCH, count - start))]
            yield from seal_batch(items, self.signer, self.entropy)

    def _draft(self) -> Draft:
        now_ms = self.clock.now_ms()
        event = uuid7(now_ms, self.entropy.draw(10))
        return Draft(
            id=event,
            source=self.signer.public.participant,
            subject=f"BENCH-{event}",
            time=format_instant(now_ms),
            agreement=_AGREEMENT,
            addressee=self.recipient,
        )


def propose(
    settings: CommonSettings, topic: str, schema_id: int, envelopes: Iterator[Envelope], told: Callable[[], None]
) -> int:
    """Writes proposals as the gateway does; says how many bytes the bodies have. ``Transient`` when Kafka does not take all."""
    producer = Producer({**settings.librdkafka(), "partitioner": "murmur2_random", "linger.ms": 20, "log_level": 3})
    size = 0
    for envelope in envelopes:
        size += len(envelope.body)
        record = {"key": envelope.statement.subject.encode(), "headers": envelope.headers()}
        while True:
            try:
                producer.produce(topic, frame(schema_id, envelope.body), **record)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
        told()
    if producer.flush(_FLUSH_S):
        raise Transient("Kafka did not take all proposals in time")
    return size


def watch_log(
    settings: CommonSettings, topic: str, partitions: int, count: int, *, within_s: float, alive: Callable[[], bool]
) -> Speed:
    """Follows the log until it holds ``count`` entries; the speed without the first tenth. ``Transient`` past the limit."""
    looking = Consumer({**settings.librdkafka(), "group.id": "bench-look", "enable.auto.commit": False, "log_level": 3})
    counting = _LogCount(looking, [TopicPartition(topic, number) for number in range(partitions)])
    deadline_s = time.perf_counter() + within_s
    begun: tuple[int, float] | None = None
    try:
        while True:
            entries, now_s = counting.entries(), time.perf_counter()
            if begun is None and entries >= count // 10:
                begun = (entries, now_s)
            if begun is not None and entries >= count:
                return Speed(entries - begun[0], now_s - begun[1])
            if now_s > deadline_s or not alive():
                raise Transient(f"{entries} of {count} events were admitted within {within_s:g} s")
            time.sleep(_LOOK_S)
    finally:
        looking.close()


class _LogCount:
    """How many committed entries a log holds, by reading them."""

    def __init__(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._consumer = consumer
        self._entries = 0
        consumer.assign([TopicPartition(place.topic, place.partition, 0) for place in places])

    def entries(self) -> int:
        """Entries so far; reads what has come since."""
        self._entries += sum(message.error() is None for message in self._consumer.consume(10_000, 0.005))
        return self._entries


def bare_loop(
    settings: CommonSettings, topics: Topics, released: ReleasedSchemas, partitions: int, count: int
) -> Speed:
    """Consume, decode, hash, encode, produce twice, in transactions of 2,000, checking nothing; without the first tenth."""
    source = topics.proposals("clues")
    sinks = (f"{topics.prefix}.bare.log", f"{topics.prefix}.bare.inbox")
    decode, encode = bare_codec(released.named(REPORTED))
    consumer = Consumer(
        {
            **settings.librdkafka(),
            "group.id": f"{topics.prefix}-bare",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 3,
        }
    )
    producer = Producer(
        {
            **settings.librdkafka(),
            "transactional.id": f"{topics.prefix}-bare",
            "linger.ms": 5,
            "compression.type": "lz4",
            "log_level": 3,
        }
    )
    producer.init_transactions(30)
    consumer.assign([TopicPartition(source, number, 0) for number in range(partitions)])
    done, begun = 0, (0, 0.0)
    try:
        while done < count:
            messages = [m for m in consumer.consume(min(TRANSACTION, count - done), 1.0) if m.error() is None]
            if messages:
                _bare_transaction(producer, consumer, messages, sinks, decode, encode)
                done += len(messages)
            if not begun[0] and done >= count // 10:
                begun = (done, time.perf_counter())
        return Speed(done - begun[0], time.perf_counter() - begun[1])
    finally:
        consumer.close()


def _bare_transaction(
    producer: Producer,
    consumer: Consumer,
    messages: list[Any],
    sinks: tuple[str, str],
    decode: Callable[[bytes], Any],
    encode: Callable[[Any], bytes],
) -> None:
    producer.begin_transaction()
    for message in messages:
        schema_id, body = unframe(message.value())
        digest = hashlib.sha256(body).digest()
        value = frame(schema_id, encode(decode(body)))
        headers = [*(message.headers() or ()), ("digest", digest)]
        for sink in sinks:
            producer.produce(sink, value, message.key(), headers=headers)
    producer.send_offsets_to_transaction(
        consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), 30
    )
    producer.commit_transaction(30)
