import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.codec.cloudevents import envelope_to_structured
from services.codec.envelope import Draft, Envelope, seal
from services.codec.examples import read_examples
from services.codec.json_form import json_form
from services.codec.keys import signer_from_seed
from services.codec.released import load_released
from services.codec.schema import EventSchema
from services.events.receipt import OutcomeItem
from services.gateway.exchange import Incoming, Message, Reply, Trace
from services.gateway.intake import Intake
from services.gateway.problems import BatchRefused, RateLimited
from services.gateway.producing import Record
from services.gateway.publishing import Publishing
from services.gateway.settings import GatewaySettings
from services.gateway.throttle import Throttle
from services.gateway.waits import Waits
from services.kernel.errors import IpxError, Refused, Transient
from services.kernel.ids import uuid7
from services.kernel.ports import CountedEntropy
from services.runtime.metrics import GATEWAY_PUBLISHED, Metrics
from services.runtime.topics import Topics

NANJING, HANGZHOU = "320100.market_regulator", "330100.market_regulator"
RELEASED, ENTROPY = load_released(), CountedEntropy()
SCHEMA = RELEASED.named("cn.ipx.clue.ClueReported")
CLUE = next(e.data for e in read_examples() if (e.type, e.name) == (SCHEMA.name, "valid-online"))
STRUCTURED, BATCH = b"application/cloudevents+json", b"application/cloudevents-batch+json"


class FixedIds:
    """One id for every schema."""

    def id_of(self, schema: EventSchema) -> int:
        return 7


class FakeKafka:
    """Takes records, or says that it cannot; ``then`` is called when it has them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = False
        self.then: Callable[[], None] = lambda: None

    async def send(self, records: Sequence[Record]) -> None:
        if self.away:
            raise Transient("away")
        self.records += records
        self.then()


class House:
    """The handler with everything around it."""

    def __init__(self, tmp_path: Path, **settings: str) -> None:
        self.followed: list[tuple[str, int]] = []
        self.kafka, self.waits, self.metrics, self.now_s = FakeKafka(), Waits(), Metrics("gateway"), 0.0
        loaded = GatewaySettings.load({"IPX_STATE_DIR": str(tmp_path), **settings})
        self.handler = Publishing(
            Intake(RELEASED, FixedIds(), Topics("ipx")),
            RELEASED,
            self.kafka,
            self.waits,
            self.follow,
            lambda _: NANJING,
            Throttle(loaded.gateway_publish_rate_per_s, loaded.gateway_publish_burst_events),
            lambda: self.now_s,
            self.metrics,
            loaded,
        )

    async def follow(self, participant: str) -> None:
        self.followed.append((participant, len(self.kafka.records)))

    async def post(self, body: bytes, kind: bytes = STRUCTURED, query: bytes = b"") -> Reply:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        trace = Trace("a" * 32, f"00-{'a' * 32}-{'b' * 16}-01")
        incoming = Incoming("POST", "/v1/events", query, dict(headers), headers, "127.0.0.1", trace, receive)
        return await self.handler.post(incoming)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def event(subject: str = "CL-1", source: str = NANJING) -> Envelope:
    draft = Draft(uuid7(1_790_000_000_000, ENTROPY.draw(10)), source, subject, "2026-11-24T06:11:37.123Z")
    return seal(SCHEMA, json_form(SCHEMA).read(CLUE), draft, signer_from_seed(NANJING, bytes(32)), ENTROPY)


def body_of(*events: Envelope) -> bytes:
    documents = [envelope_to_structured(e) for e in events]
    return json.dumps(documents[0] if len(documents) == 1 else documents).encode()


def document(reply: Reply) -> dict[str, Any]:
    return dict(json.loads(reply.body))


def refused(house: House, body: bytes, kind: bytes = STRUCTURED, query: bytes = b"") -> IpxError:
    with pytest.raises(IpxError) as error:
        asyncio.run(house.post(body, kind, query))
    return error.value


def test_an_event_is_answered_with_its_id_when_kafka_has_it(house: House) -> None:
    sent = event()
    reply = asyncio.run(house.post(body_of(sent)))

    assert (reply.status, document(reply)) == (202, {"ids": [sent.statement.id]})
    assert [record.key for record in house.kafka.records] == [b"CL-1"]
    assert house.metrics.value(GATEWAY_PUBLISHED, family="clues") == 1


def test_a_batch_is_taken_in_its_order(house: House) -> None:
    sent = [event(f"CL-{n}") for n in range(5)]
    reply = asyncio.run(house.post(body_of(*sent), BATCH))

    assert document(reply)["ids"] == [e.statement.id for e in sent]
    assert [record.key for record in house.kafka.records] == [f"CL-{n}".encode() for n in range(5)]


def test_of_a_batch_with_a_fault_nothing_is_produced_and_every_fault_is_named(house: House) -> None:
    documents = [envelope_to_structured(event(f"CL-{n}")) for n in range(4)]
    documents[1]["source"] = HANGZHOU
    documents[3]["time"] = "today"
    error = refused(house, json.dumps(documents).encode(), BATCH)

    assert isinstance(error, BatchRefused)
    assert [(item["index"], item["code"]) for item in error.items] == [(1, "forbidden"), (3, "bad-attribute")]
    assert error.items[0]["id"] == documents[1]["id"]
    assert house.kafka.records == []


def test_what_kafka_does_not_take_is_not_answered_as_taken(house: House) -> None:
    house.kafka.away = True

    assert isinstance(refused(house, body_of(event())), Transient)
    assert house.metrics.value(GATEWAY_PUBLISHED, family="clues") == 0
    assert len(house.waits) == 0


def test_who_waits_gets_the_outcomes_in_the_order_sent(house: House) -> None:
    sent = [event("CL-1"), event("CL-2")]
    items = [
        OutcomeItem(event=e.statement.id, outcome="admitted", log="ipx.clues/1", seq=n) for n, e in enumerate(sent)
    ]
    house.kafka.then = lambda: house.waits.resolve(NANJING, reversed(items))
    reply = asyncio.run(house.post(body_of(*sent), BATCH, b"wait=5"))

    assert reply.status == 200
    assert house.followed == [(NANJING, 0)]  # before anything was produced
    assert [(o["id"], o["seq"]) for o in document(reply)["outcomes"]] == [
        (e.statement.id, n) for n, e in enumerate(sent)
    ]
    assert len(house.waits) == 0


def test_an_outcome_that_is_not_known_when_the_wait_ends_is_pending(house: House) -> None:
    sent = [event("CL-1"), event("CL-2")]
    known = OutcomeItem(event=sent[0].statement.id, outcome="refused", code="bad-field")

    def tell_one_and_stop() -> None:
        house.waits.resolve(NANJING, [known])
        house.waits.stop()

    house.kafka.then = tell_one_and_stop
    reply = asyncio.run(house.post(body_of(*sent), BATCH, b"wait=30"))

    assert reply.status == 202
    assert [o["outcome"] for o in document(reply)["outcomes"]] == ["refused", "pending"]


def test_a_stop_ends_the_wait_with_what_is_known(house: House) -> None:
    house.kafka.then = house.waits.stop
    reply = asyncio.run(house.post(body_of(event()), STRUCTURED, b"wait=30"))

    assert (reply.status, document(reply)["outcomes"][0]["outcome"]) == (202, "pending")


def test_nobody_waits_after_a_refusal(house: House) -> None:
    bad = event(source=HANGZHOU)

    assert refused(house, body_of(bad), STRUCTURED, b"wait=5").code == "forbidden"
    assert len(house.waits) == 0


@pytest.mark.parametrize("query", [b"wait=31", b"wait=-1", b"wait=x", b"wait", b"weight=1"])
def test_a_wait_that_is_not_taken_is_refused_before_the_body_is_read(house: House, query: bytes) -> None:
    assert refused(house, body_of(event()), STRUCTURED, query).code == "bad-request"


def test_what_is_larger_than_its_mode_may_be_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path, IPX_GATEWAY_EVENT_MAX_BYTES="1500", IPX_GATEWAY_BATCH_MAX_BYTES="3000")

    assert refused(house, b" " * 1501).code == "too-large"
    assert refused(house, b" " * 2000, BATCH).code == "bad-json"
    assert refused(house, b" " * 3001, BATCH).code == "too-large"


def test_a_batch_of_too_many_events_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path, IPX_GATEWAY_BATCH_MAX_EVENTS="2")

    assert refused(house, body_of(event(), event(), event()), BATCH).code == "too-many-items"
    assert house.kafka.records == []


def test_a_large_body_is_read_beside_the_event_loop(house: House) -> None:
    sent = [event(f"CL-{n}") for n in range(60)]
    body = body_of(*sent)
    assert len(body) > 65_536

    assert document(asyncio.run(house.post(body, BATCH)))["ids"] == [e.statement.id for e in sent]


def test_who_publishes_faster_than_it_may_is_told_when_to_come_again(tmp_path: Path) -> None:
    house = House(tmp_path, IPX_GATEWAY_PUBLISH_RATE_PER_S="10", IPX_GATEWAY_PUBLISH_BURST_EVENTS="3")
    asyncio.run(house.post(body_of(*(event(f"CL-{n}") for n in range(8))), BATCH))
    error = refused(house, body_of(event()))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == pytest.approx(0.6)
    house.now_s += 0.7

    assert asyncio.run(house.post(body_of(event()))).status == 202


def test_a_body_of_no_event_is_refused_with_its_code(house: House) -> None:
    for body, code in ((b"{}", "missing-attribute"), (b"[]", "bad-request"), (b"nonsense", "bad-json")):
        error = refused(house, body)
        assert isinstance(error, Refused)
        assert error.code == code
