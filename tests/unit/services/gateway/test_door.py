"""The Kafka door when a call of librdkafka fails or does not come back: it begins again from the committed place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from services.codec.released import load_released
from services.gateway import door
from services.gateway.door import DoorTools, KafkaDoor
from services.gateway.intake import Intake
from services.gateway.throttle import Throttle
from services.kernel.errors import Transient
from services.runtime.metrics import Metrics
from services.runtime.topics import Groups, Topics

OWNER = "320100.market_regulator"
TOPICS = Topics("ipx")
WITHIN_S = 20


class Message:
    """A record of the owner's outbox that the door leaves to admission."""

    def topic(self) -> str:
        return TOPICS.outbox(OWNER)

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 7

    def key(self) -> bytes:
        return b"CL-1"

    def value(self) -> bytes:
        return b"garbage"

    def headers(self) -> list[tuple[str, bytes]]:
        told = {"ce_source": OWNER, "ce_type": "cn.ipx.clue.ClueReported", "ce_subject": "CL-1", "ce_id": "x"}
        return [(name, data.encode()) for name, data in told.items()]

    def error(self) -> None:
        return None


class Broker:
    """What fake clients talk to: one record until it is committed; the first call of one kind is spoilt."""

    def __init__(self, spoilt: str, how: Callable[[], None]) -> None:
        self.committed = threading.Event()
        self.producers: list[Producer] = []
        self.calls: list[str] = []
        self._spoilt: str | None = spoilt
        self._how = how

    def reach(self, call: str) -> None:
        self.calls.append(call)
        if call == self._spoilt:
            self._spoilt = None
            self._how()

    def consumer(self, _settings: dict[str, Any], **_more: Any) -> Consumer:
        return Consumer(self)

    def producer(self, settings: dict[str, Any], **_more: Any) -> Producer:
        self.producers.append(Producer(self, settings["transactional.id"]))
        return self.producers[-1]


class Consumer:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._given = False

    def subscribe(self, _topics: list[str]) -> None:
        return

    def poll(self, _timeout: float) -> Message | None:
        if self._given or self._broker.committed.is_set():
            return None
        self._given = True
        return Message()

    def consume(self, _count: int, _timeout: float) -> list[Message]:
        return []

    def consumer_group_metadata(self) -> str:
        return "metadata"

    def close(self) -> None:
        self._broker.calls.append("close")


class Producer:
    def __init__(self, broker: Broker, name: str) -> None:
        self._broker = broker
        self.name = name
        self.topics: list[str] = []

    def init_transactions(self, _timeout: float) -> None:
        self._broker.reach("init")

    def begin_transaction(self) -> None:
        self._broker.reach("begin")

    def produce(self, topic: str, *_record: Any, **_more: Any) -> None:
        self._broker.reach("produce")
        self.topics.append(topic)

    def send_offsets_to_transaction(self, offsets: list[Any], metadata: str, _timeout: float) -> None:
        assert ([(o.topic, o.offset) for o in offsets], metadata) == ([(TOPICS.outbox(OWNER), 8)], "metadata")
        self._broker.reach("offsets")

    def commit_transaction(self, _timeout: float) -> None:
        self._broker.reach("commit")
        self._broker.committed.set()


class Zeros:
    def draw(self, size: int) -> bytes:
        return bytes(size)


class NoIds:
    def id_of(self, schema: object) -> int:
        raise Transient("not told yet")


def fails() -> None:
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))


def is_full() -> None:
    raise BufferError("full")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def run_door(monkeypatch: pytest.MonkeyPatch, broker: Broker) -> list[str | None]:
    """Runs the door until the record is committed; what it said of itself."""
    monkeypatch.setattr(door, "Consumer", broker.consumer)
    monkeypatch.setattr(door, "Producer", broker.producer)
    monkeypatch.setattr(door, "_RETRY_S", 0)
    monkeypatch.setattr(door, "_HUNG_S", 0.05)
    said: list[str | None] = []
    intake = Intake(load_released(), NoIds(), TOPICS)
    throttle = Throttle(1000, 1000)
    tools = DoorTools(
        {}, TOPICS, Groups("ipx"), intake, throttle, Zeros(), Metrics("gateway"), said.append, "instance-0"
    )
    running = KafkaDoor(tools)
    running.start()
    assert broker.committed.wait(WITHIN_S), said
    running.stop()
    return said


@pytest.mark.parametrize("call", ["init", "offsets", "commit"])
def test_a_call_that_does_not_come_back_is_given_up_and_a_new_producer_of_the_same_name_goes_on(
    monkeypatch: pytest.MonkeyPatch, gate: threading.Event, call: str
) -> None:
    broker = Broker(call, lambda: gate.wait() and None)

    said = run_door(monkeypatch, broker)

    assert any(reason is not None and "given up" in reason for reason in said)
    assert [producer.name for producer in broker.producers] == ["ipx-gateway-door-instance-0"] * 2
    assert broker.producers[1].topics == [TOPICS.proposals("clues")]
    assert broker.calls.count("close") == 2  # the consumer of the given-up session, and the last


@pytest.mark.parametrize(
    ("call", "how"), [("begin", fails), ("produce", fails), ("produce", is_full), ("offsets", fails), ("commit", fails)]
)
def test_a_call_that_fails_leaves_its_transaction_to_the_next_producer(
    monkeypatch: pytest.MonkeyPatch, call: str, how: Callable[[], None]
) -> None:
    broker = Broker(call, how)

    run_door(monkeypatch, broker)

    assert len(broker.producers) == 2
    assert broker.calls[-4:-1] == ["produce", "offsets", "commit"]
