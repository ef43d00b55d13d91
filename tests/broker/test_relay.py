"""The relay on the real Kafka and PostgreSQL: every outbox row reaches ``.in``, in order, however often it is killed."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from services.runtime.faults import EXIT_STATUS
from services.runtime.postgres import Database
from services.runtime.proposals import Proposal
from services.runtime.store import Store
from tests.broker.room_rig import PARTITIONS, Worker, away, free_port, pause_until, readyz

SUBJECTS = 8


class Outbox:
    """The clues room's outbox of a test exchange, filled without a room."""

    def __init__(self, exchange) -> None:
        self.exchange = exchange
        self.topic = exchange.topics.proposals("clues")
        self.count = 0
        self._store = Store("clues")
        self._database = Database(exchange.postgres_dsn, "test")
        self._database.ensure_schema("clues")

    def fill(self, count: int) -> None:
        """Appends rows in one transaction, as a room does."""
        numbers = range(self.count, self.count + count)
        rows = [
            Proposal(self.topic, f"CL-{n % SUBJECTS}".encode(), (("ce_id", f"id-{n}"), ("ce_source", "x")), b"%d" % n)
            for n in numbers
        ]
        with self._database.transaction() as connection:
            self._store.append_outbox(connection, rows)
        self.count += count

    def left(self) -> int:
        """Rows that are not published yet; all of them while the server is away."""
        reason = self._database.ask()
        if reason is not None:
            return self.count
        with self._database.transaction() as connection:
            return self._store.backlog(connection)[0]

    def rows(self) -> int:
        """Rows of any kind."""
        with self._database.transaction() as connection:
            return connection.execute("select count(*) from clues.outbox").fetchone()[0]

    def close(self) -> None:
        self._database.close()


@pytest.fixture
def outbox(exchange):
    made = Outbox(exchange)
    yield made
    made.close()


def relay(exchange, **environ: str) -> Worker:
    return Worker(exchange, ("-m", "services", "relay", "run"), **environ)


def proposed(outbox) -> list[tuple[int, int]]:
    """What stands in ``.in``: partition and number of each record, each partition in its order."""
    settings = {"group.id": "look", "isolation.level": "read_committed", "auto.offset.reset": "earliest"}
    consumer = Consumer({**outbox.exchange.settings.librdkafka(), **settings})
    consumer.assign([TopicPartition(outbox.topic, partition, 0) for partition in range(PARTITIONS)])
    found = []
    while messages := consumer.consume(1000, 3):
        for message in messages:
            assert dict(message.headers())["ce_id"] == f"id-{int(message.value())}".encode()
            found.append((message.partition(), int(message.value())))
    consumer.close()
    return found


def in_order_of_first_sight(found: list[tuple[int, int]]) -> bool:
    """Whether every subject's records were first seen in their order, and a repeat only went back behind the last mark."""
    seen: dict[int, list[int]] = {}
    for _, number in found:
        subject = seen.setdefault(number % SUBJECTS, [])
        if number not in subject:
            subject.append(number)
    return all(numbers == sorted(numbers) for numbers in seen.values())


def test_every_row_is_proposed_once_in_order_and_to_the_partition_of_its_subject(outbox):
    outbox.fill(300)
    worker = relay(outbox.exchange, IPX_RELAY_BATCH_RECORDS="64")
    pause_until(lambda: outbox.left() == 0, within_s=20, what="the outbox is empty")
    outbox.fill(300)
    pause_until(lambda: outbox.left() == 0, within_s=20, what="the outbox is empty again")
    assert worker.stop() == 0
    found = proposed(outbox)
    assert sorted(number for _, number in found) == list(range(600))
    assert in_order_of_first_sight(found)
    homes = {}
    for partition, number in found:
        homes.setdefault(number % SUBJECTS, set()).add(partition)
    assert all(len(partitions) == 1 for partitions in homes.values())


def test_a_relay_that_is_told_publishes_at_once(outbox):
    outbox.fill(1)
    worker = relay(outbox.exchange, IPX_RELAY_LOOK_S="30")  # only the notification can wake it in time
    pause_until(lambda: outbox.left() == 0, within_s=20, what="the relay works")
    waits = []
    for _ in range(5):
        started = time.monotonic()
        outbox.fill(1)
        pause_until(lambda: outbox.left() == 0, within_s=10, what="published")
        waits.append(time.monotonic() - started)
    worker.stop()
    assert min(waits) < 5


@pytest.mark.parametrize("step", ["relay.before_produce", "relay.after_produce", "relay.after_mark"])
def test_a_relay_killed_at_each_step_loses_nothing_and_keeps_the_order(outbox, step):
    environ = {"IPX_RELAY_BATCH_RECORDS": "50"}
    outbox.fill(200)
    assert relay(outbox.exchange, **environ, IPX_FAULT_AT=f"{step}:2").wait_end(30) == EXIT_STATUS
    outbox.fill(100)
    worker = relay(outbox.exchange, **environ)
    pause_until(lambda: outbox.left() == 0, within_s=20, what="the outbox is empty")
    assert worker.stop() == 0
    found = proposed(outbox)
    assert {number for _, number in found} == set(range(300))
    repeats = len(found) - 300
    assert repeats == (50 if step == "relay.after_produce" else 0), "only what was not marked is proposed again"
    assert in_order_of_first_sight(found)


def test_a_second_relay_waits_and_takes_over(outbox):
    one = relay(outbox.exchange, IPX_RELAY_LOOK_S="0.3")
    outbox.fill(100)
    pause_until(lambda: outbox.left() == 0, within_s=20, what="the first one publishes")
    other = relay(outbox.exchange, IPX_RELAY_LOOK_S="0.3")
    outbox.fill(100)
    pause_until(lambda: outbox.left() == 0, within_s=20, what="published")
    one.kill()
    outbox.fill(100)
    pause_until(lambda: outbox.left() == 0, within_s=20, what="the other takes over")
    assert other.stop() == 0
    assert sorted(number for _, number in proposed(outbox)) == list(range(300))


def test_published_rows_are_pruned_and_rows_that_wait_never(outbox):
    outbox.fill(50)
    worker = relay(outbox.exchange, IPX_RELAY_KEEP_S="0")
    pause_until(lambda: outbox.left() == 0, within_s=20, what="published")
    worker.stop()
    outbox.fill(10)
    again = relay(outbox.exchange, IPX_RELAY_KEEP_S="0", IPX_FAULT_AT="relay.before_produce")
    assert again.wait_end(30) == EXIT_STATUS
    assert outbox.left() == 10
    last = relay(outbox.exchange, IPX_RELAY_KEEP_S="0")
    pause_until(lambda: outbox.left() == 0 and outbox.rows() <= 10, within_s=20, what="pruned")
    last.stop()


def test_ready_says_what_is_away_and_the_outbox_flows_again_when_it_is_back(outbox, platform):
    port = free_port()
    worker = relay(outbox.exchange, IPX_METRICS_PORT=port)
    outbox.fill(10)
    pause_until(lambda: outbox.left() == 0, within_s=20, what="published")
    pause_until(lambda: readyz(port)[0] == 200, within_s=10, what="ready")
    with away(platform, "kafka"):
        outbox.fill(100)
        pause_until(lambda: not readyz(port)[1]["checks"]["kafka"]["ok"], within_s=40, what="/readyz names kafka")
        assert outbox.left() == 100
    pause_until(lambda: outbox.left() == 0, within_s=60, what="the outbox flows after kafka")
    with away(platform, "postgres"):
        pause_until(lambda: not readyz(port)[1]["checks"]["postgres"]["ok"], within_s=30, what="/readyz names postgres")
    pause_until(lambda: outbox.left() == 0, within_s=60, what="postgres is back")
    outbox.fill(100)
    pause_until(lambda: outbox.left() == 0, within_s=60, what="the outbox flows after postgres")
    pause_until(lambda: readyz(port)[0] == 200, within_s=20, what="ready again")
    assert worker.stop() == 0
    found = proposed(outbox)
    assert {number for _, number in found} == set(range(210))
    assert in_order_of_first_sight(found)
