"""The Kafka door: what a participant writes to its outbox reaches admission as if it had come over HTTP, and nothing else does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from services.codec.envelope import Envelope, frame
from tests.broker.gateway_running import HANGZHOU, NANJING, Client, Genesis, SmallAdmission, running_gateway, until


@pytest.fixture
def exchange(make_exchange) -> Iterator[Any]:
    with make_exchange() as made:
        Genesis(made).found(NANJING, HANGZHOU)
        yield made


def write(exchange, owner: str, *events: Envelope) -> None:
    producer = Producer({**exchange.settings.librdkafka(), "enable.idempotence": True})
    for event in events:
        headers = event.headers()
        producer.produce(exchange.topics.outbox(owner), frame(1, event.body), event.statement.subject, headers=headers)
    assert producer.flush(20) == 0


def read(exchange, topic: str, count: int) -> list[Any]:
    settings = {"group.id": f"{exchange.name}-reader", "isolation.level": "read_committed", "enable.auto.commit": False}
    consumer = Consumer({**exchange.settings.librdkafka(), **settings})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Any] = []
    deadline_s = time.monotonic() + 20
    while len(found) < count and time.monotonic() < deadline_s:
        found += [m for m in consumer.consume(count, 0.2) if m.error() is None]
    consumer.close()
    return found


def test_events_of_an_outbox_are_admitted_and_told_like_any_other(exchange) -> None:
    with SmallAdmission(exchange) as admission, running_gateway(exchange) as gateway:
        nanjing, hangzhou = Client(gateway, exchange, NANJING), Client(gateway, exchange, HANGZHOU)
        events = [nanjing.event(f"CL-door-{n}") for n in range(30)]
        write(exchange, NANJING, *events)

        until(lambda: len(admission.read) >= 30, 30)
        by_id = {e.statement.id: e for e in admission.read}
        for event in events:
            got = by_id[event.statement.id]
            assert (got.statement, got.signature, got.body) == (event.statement, event.signature, event.body)
            assert got.trace is not None
        until(lambda: len(hangzhou.inbox("start", limit=100)["items"]) == 30)
        assert len(admission.read) == 30


def test_who_writes_in_anothers_name_is_not_heard_and_the_record_is_kept(exchange) -> None:
    with SmallAdmission(exchange) as admission, running_gateway(exchange) as gateway:
        nanjing, hangzhou = Client(gateway, exchange, NANJING), Client(gateway, exchange, HANGZHOU)
        forged, honest = nanjing.event("CL-forged"), hangzhou.event("CL-honest", addressee=NANJING)
        write(exchange, HANGZHOU, forged, honest)

        until(lambda: admission.read, 30)
        (kept,) = read(exchange, exchange.topics.quarantine, 1)
        assert kept.value()[5:] == forged.body
        headers = dict(kept.headers())
        assert headers["ipx_code"] == b"forbidden"
        assert headers["ipx_origin"] == f"{exchange.topics.outbox(HANGZHOU)}/0@0".encode()
        assert [e.statement.id for e in admission.read] == [honest.statement.id]

        counted = f'ipx_gateway_quarantined_records_total{{code="forbidden",participant="{HANGZHOU}"}} 1.0'
        assert counted in gateway.get("/metrics").body.decode()
        until(lambda: nanjing.inbox("start")["items"])
        assert [i["id"] for i in nanjing.inbox("start")["items"]] == [honest.statement.id]  # no refusal of a forgery
        for participant in (nanjing, hangzhou):
            assert participant.get(f"/v1/events/{forged.statement.id}").status == 404


def test_a_restart_forwards_what_came_meanwhile_and_nothing_again(exchange) -> None:
    with SmallAdmission(exchange) as admission:
        with running_gateway(exchange) as gateway:
            nanjing = Client(gateway, exchange, NANJING)
            first = [nanjing.event(f"CL-before-{n}") for n in range(20)]
            write(exchange, NANJING, *first)
            until(lambda: len(admission.read) == 20, 30)
            gateway.process.kill()
            gateway.process.wait(10)
        later = [nanjing.event(f"CL-after-{n}") for n in range(20)]
        write(exchange, NANJING, *later)
        with running_gateway(exchange):
            until(lambda: len(admission.read) >= 40, 40)
            time.sleep(1.0)
        assert sorted(e.statement.id for e in admission.read) == sorted(e.statement.id for e in first + later)


def test_an_outbox_that_is_written_too_fast_waits_and_others_do_not(exchange) -> None:
    slow = {"IPX_GATEWAY_PUBLISH_RATE_PER_S": "5", "IPX_GATEWAY_PUBLISH_BURST_EVENTS": "10"}
    with SmallAdmission(exchange) as admission, running_gateway(exchange, **slow) as gateway:
        nanjing, hangzhou = Client(gateway, exchange, NANJING), Client(gateway, exchange, HANGZHOU)
        write(exchange, NANJING, *(nanjing.event(f"CL-flood-{n}") for n in range(100)))
        until(lambda: admission.read, 30)
        write(exchange, NANJING, *(nanjing.event(f"CL-more-{n}") for n in range(5)))
        write(exchange, HANGZHOU, hangzhou.event("CL-other", addressee=NANJING))

        until(lambda: any(e.statement.source == HANGZHOU for e in admission.read), 10)
        assert not any(e.statement.subject.startswith("CL-more") for e in admission.read)
