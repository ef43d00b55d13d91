"""Reading an inbox: pages, long polls, backlog, acknowledgement, restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.broker.gateway_running import (
    HANGZHOU,
    NANJING,
    Client,
    Genesis,
    SmallAdmission,
    figure,
    running_gateway,
    until,
)

SMALL_RING = {"IPX_GATEWAY_RING_RECORDS": "20"}
WAITING = "ipx_gateway_waiting_polls"


@pytest.fixture
def house(make_exchange) -> Iterator[tuple[Any, Genesis]]:
    with make_exchange() as made:
        genesis = Genesis(made)
        genesis.found(NANJING, HANGZHOU)
        with SmallAdmission(made):
            yield made, genesis


def send(client: Client, count: int, name: str) -> list[str]:
    """Publishes and waits for the outcomes; the ids in order."""
    events = [client.event(f"CL-{name}-{n}") for n in range(count)]
    for start in range(0, count, 100):
        reply = client.publish(*events[start : start + 100], wait=30)
        assert reply.status == 200, reply.body
    return [event.statement.id for event in events]


def read_all(client: Client, after: str | None, *, limit: int) -> tuple[list[dict[str, Any]], str]:
    items: list[dict[str, Any]] = []
    while True:
        page = client.inbox(after, limit=limit)
        after = page["cursor"]
        if not page["items"]:
            return items, page["cursor"]
        items += page["items"]


def test_a_backlog_larger_than_the_ring_is_read_page_by_page_each_copy_once(house) -> None:
    exchange, _ = house
    with running_gateway(exchange, **SMALL_RING) as gateway:
        sent = send(Client(gateway, exchange, NANJING), 300, "backlog")
        hangzhou = Client(gateway, exchange, HANGZHOU)
        items, cursor = read_all(hangzhou, "start", limit=37)

        assert sorted(item["id"] for item in items) == sorted(sent)
        by_log: dict[str, list[int]] = {}
        for item in items:
            _, log, number = item["ipxdelivery"].split()
            by_log.setdefault(log, []).append(int(number))
        assert all(numbers == list(range(len(numbers))) for numbers in by_log.values())
        assert hangzhou.inbox(cursor)["items"] == []
        again, _ = read_all(hangzhou, "start", limit=1000)
        assert again == items


def test_a_long_poll_is_answered_when_news_come_and_at_its_time_when_none_do(house) -> None:
    exchange, _ = house
    with running_gateway(exchange) as gateway, ThreadPoolExecutor(2) as pool:
        nanjing, hangzhou = Client(gateway, exchange, NANJING), Client(gateway, exchange, HANGZHOU)
        began_s = time.monotonic()
        empty = hangzhou.inbox(None, wait=1)
        assert empty["items"] == []
        assert 0.9 < time.monotonic() - began_s < 5
        poll = pool.submit(hangzhou.inbox, empty["cursor"], wait=25)
        until(lambda: figure(gateway, WAITING) == 1)
        began_s = time.monotonic()
        event = nanjing.event("CL-poll")
        nanjing.publish(event)

        assert [item["id"] for item in poll.result(20)["items"]] == [event.statement.id]
        assert time.monotonic() - began_s < 5


def test_what_was_acknowledged_is_committed_for_the_lag_of_the_participant_and_read_on_from_after_a_restart(
    house,
) -> None:
    exchange, _ = house
    with running_gateway(exchange, **SMALL_RING) as gateway:
        sent = send(Client(gateway, exchange, NANJING), 60, "ack")
        hangzhou = Client(gateway, exchange, HANGZHOU)
        page = hangzhou.inbox("start", limit=25)
        first = [item["id"] for item in page["items"]]
        second = hangzhou.inbox(page["cursor"], limit=25)
        assert first != [item["id"] for item in second["items"]]
        hangzhou.inbox("start", limit=5)  # looking back takes nothing back
        until(lambda: committed(exchange) > 0)
        assert gateway.stop() == 0
    before = committed(exchange)
    with running_gateway(exchange, **SMALL_RING) as gateway:
        hangzhou = Client(gateway, exchange, HANGZHOU)
        rest, _ = read_all(hangzhou, None, limit=1000)
        assert set(first) | {item["id"] for item in rest} == set(sent)
        assert not set(first) & {item["id"] for item in rest[: len(sent)][:35]}
        from_cursor = hangzhou.inbox(second["cursor"], limit=1000)["items"]
        assert len(from_cursor) == 10
        until(lambda: committed(exchange) > before)


def committed(exchange) -> int:
    admin = AdminClient(exchange.settings.librdkafka())
    asked = ConsumerGroupTopicPartitions(
        exchange.groups.inbox(HANGZHOU), [TopicPartition(exchange.topics.inbox(HANGZHOU), 0)]
    )
    (future,) = admin.list_consumer_group_offsets([asked]).values()
    return int(future.result(10).topic_partitions[0].offset)


def test_records_of_an_aborted_transaction_are_in_nobodys_inbox(house) -> None:
    exchange, _ = house
    with running_gateway(exchange) as gateway:
        nanjing, hangzhou = Client(gateway, exchange, NANJING), Client(gateway, exchange, HANGZHOU)
        cursor = hangzhou.inbox("start")["cursor"]
        event = nanjing.event("CL-aborted")
        producer = Producer({**exchange.settings.librdkafka(), "transactional.id": f"{exchange.name}-aborted"})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(exchange.topics.inbox(HANGZHOU), b"\x00\x00\x00\x00\x01x", headers=event.headers())
        producer.flush(10)
        producer.abort_transaction(30)
        kept = send(nanjing, 1, "kept")

        assert [item["id"] for item in hangzhou.inbox(cursor, wait=20)["items"]] == kept
        assert [item["id"] for item in read_all(hangzhou, "start", limit=10)[0]] == kept
    with running_gateway(exchange) as gateway:  # now from Kafka: the ring is empty
        hangzhou = Client(gateway, exchange, HANGZHOU)
        assert [item["id"] for item in read_all(hangzhou, "start", limit=10)[0]] == kept


def test_a_transaction_that_was_open_when_the_inbox_was_first_asked_for_is_told_when_it_ends(house) -> None:
    exchange, _ = house
    with running_gateway(exchange) as gateway, ThreadPoolExecutor(1) as pool:
        nanjing, hangzhou = Client(gateway, exchange, NANJING), Client(gateway, exchange, HANGZHOU)
        event = nanjing.event("CL-open")
        producer = Producer({**exchange.settings.librdkafka(), "transactional.id": f"{exchange.name}-open"})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(exchange.topics.inbox(HANGZHOU), b"\x00\x00\x00\x00\x01x", headers=event.headers())
        producer.flush(10)
        poll = pool.submit(hangzhou.inbox, "start", wait=25)
        time.sleep(1.0)  # there is no sign of what is not told: a second in which it would have been
        assert not poll.done()
        began_s = time.monotonic()
        producer.commit_transaction(30)

        assert [item["id"] for item in poll.result(30)["items"]] == [event.statement.id]
        assert time.monotonic() - began_s < 5


def test_who_joins_while_the_gateway_runs_can_publish_and_read(house) -> None:
    exchange, genesis = house
    late = "340100.market_regulator"
    with running_gateway(exchange) as gateway:
        genesis.join(late)
        client, nanjing = Client(gateway, exchange, late), Client(gateway, exchange, NANJING)
        until(lambda: client.get("/v1/inbox").status == 200)
        event = nanjing.event("CL-late", addressee=late)
        assert nanjing.publish(event, wait=20).status == 200

        assert [item["id"] for item in client.inbox("start", wait=10)["items"]] == [event.statement.id]


def test_the_status_of_a_refused_event_outlives_a_restart(house) -> None:
    exchange, _ = house
    with running_gateway(exchange) as gateway:
        nanjing = Client(gateway, exchange, NANJING)
        event = nanjing.event("BAD-restart")
        assert nanjing.publish(event, wait=20).json()["outcomes"][0]["outcome"] == "refused"
        assert gateway.stop() == 0
    with running_gateway(exchange) as gateway:
        path = f"/v1/events/{event.statement.id}"
        until(lambda: Client(gateway, exchange, NANJING).get(path).status == 200)
        told = Client(gateway, exchange, NANJING).get(path).json()
        assert (told["outcome"]["outcome"], told["outcome"]["field"]) == ("refused", "uscc")
        assert Client(gateway, exchange, HANGZHOU).get(path).status == 404


def test_a_stop_answers_whoever_waits_and_is_not_ready_while_it_lasts(house) -> None:
    exchange, _ = house
    with running_gateway(exchange) as gateway, ThreadPoolExecutor(4) as pool:
        nanjing, hangzhou = Client(gateway, exchange, NANJING), Client(gateway, exchange, HANGZHOU)
        polls = [pool.submit(hangzhou.inbox, None, wait=30) for _ in range(3)]
        until(lambda: figure(gateway, WAITING) == 3)
        began_s = time.monotonic()
        assert gateway.stop() == 0

        assert [poll.result(5)["items"] for poll in polls] == [[], [], []]
        assert time.monotonic() - began_s < 10
        assert any(line.get("event") == "stopping" for line in gateway.lines())
        assert nanjing is not None
