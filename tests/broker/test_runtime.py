"""The room runtime on the real Kafka and PostgreSQL: whatever is killed or goes away, the effects are those of an undisturbed run."""

from __future__ import annotations

import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.runtime.faults import EXIT_STATUS
from tests.broker.log_writer import LogWriter
from tests.broker.room_rig import PARTITIONS, Rig, away, free_port, pause_until, readyz

STEPS = ("room.decode", "room.check", "room.load", "room.fold", "room.store", "room.commit", "room.acknowledge")


@pytest.fixture
def rig(exchange) -> Rig:
    return Rig(exchange)


def test_a_worker_killed_at_each_step_under_load_has_the_effects_of_an_undisturbed_run(rig):
    load = threading.Event()

    def keep_writing() -> None:
        while not load.is_set():
            rig.write(50)
            time.sleep(0.2)

    rig.write(200)
    writing = threading.Thread(target=keep_writing)
    writing.start()
    try:
        for step in STEPS:
            before = rig.folded()
            worker = rig.start(IPX_FAULT_AT=f"{step}:3")
            assert worker.wait_end(30) == EXIT_STATUS, f"the worker did not die at {step}"
            assert rig.folded() > before, f"nothing was done before {step}"
    finally:
        load.set()
        writing.join()
    with rig.running():
        rig.wait_folded(within_s=120)
    rig.check()


def test_a_killed_worker_is_back_at_work_within_ten_seconds(rig):
    took = []
    rig.write(100)
    worker = rig.start()
    rig.wait_folded()
    while len(took) < 3 and min(took, default=10) >= 10:  # a machine that is busy with others gets three tries
        worker.kill()
        rig.write(100)
        worker = rig.start()
        took.append(rig.wait_folded())
    worker.stop()
    assert min(took) < 10
    rig.check()


def test_two_workers_share_the_partitions_and_one_takes_over_from_the_other(rig):
    rig.write(400)
    one, other = rig.start(), rig.start()
    try:
        rig.wait_folded()
        for _ in range(20):
            rig.write(100)
        one.kill()
        for _ in range(20):
            rig.write(100)
        rig.wait_folded()  # the other takes over when the session of the killed one has run out
        again = rig.start()
        for _ in range(20):
            rig.write(100)
        rig.wait_folded()
        again.stop()
    finally:
        one.stop()
        other.stop()
    rig.check()


def test_aborted_transactions_are_invisible(rig):
    for _ in range(5):
        rig.write(40)
        rig.write_aborted(40)
    rig.write_aborted(10)
    rig.write(1)
    with rig.running():
        rig.wait_folded()
    rig.check()
    assert _records_in_the_topic(rig) > rig.written + 200, "the aborted records are not there to be overlooked"


def _records_in_the_topic(rig: Rig) -> int:
    """Every record, aborted ones too, as a consumer that is not careful sees them."""
    settings = {"group.id": "careless", "isolation.level": "read_uncommitted", "auto.offset.reset": "earliest"}
    consumer = Consumer({**rig.exchange.settings.librdkafka(), **settings})
    topic = rig.exchange.topics.log("receipts")
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    count = 0
    while messages := consumer.consume(1000, 3):
        count += sum(message.error() is None for message in messages)
    consumer.close()
    return count


def test_a_worker_leaves_nothing_in_the_directory_it_is_started_in(rig, tmp_path):
    rig.write(50)
    with rig.running(cwd=tmp_path):
        rig.wait_folded()
    rig.check()
    assert list(tmp_path.iterdir()) == []


def test_a_room_whose_database_is_thrown_away_folds_again_from_the_beginning_by_itself(rig):
    rig.write(100)
    with rig.running():
        rig.wait_folded()
        rig.throw_away()
        rig.write(100)
        rig.wait_folded()
    rig.check()


def test_a_log_that_lacks_an_entry_stops_the_room_and_nothing_after_it_is_folded(rig):
    rig.write(40, subjects=1)
    rig.writer.skip(rig.exchange.topics.log("receipts"), 0)
    said = rig.said(10, subjects=1)
    rig.writer.write(said)
    worker = rig.start()
    assert worker.wait_end(40) == 1
    assert "corrupt" in worker.log.read_text()
    assert rig.folded() == 40
    rig.check()


def test_a_tick_killed_at_each_step_is_a_tick_once(rig):
    rig.write(80)
    late = {"COUNTING_TICK_MS": "1", "IPX_ROOM_TICK_S": "0.3", "IPX_ROOM_GRACE_S": "0"}
    for step in ("room.tick.load", "room.tick.store", "room.tick.commit"):
        worker = rig.start(**late, IPX_FAULT_AT=step)
        assert worker.wait_end(30) == EXIT_STATUS, f"the worker did not die at {step}"
    with rig.running(**late):
        pause_until(
            lambda: rig.query("select count(*)::int from counting.state where (state->>'ticked')::int = 1") == [(40,)],
            within_s=20,
            what="every state ticked once",
        )
    rig.check()
    ticked = [cause for cause, number in rig.emitted() if number == 0]
    assert sorted(ticked) == sorted(ids[0] for ids in rig.by_subject.values())


def test_ready_says_what_is_away_and_work_goes_on_by_itself_when_it_is_back(rig, platform):
    port, late_port = free_port(), free_port()
    rig.write(100)
    with rig.running(IPX_METRICS_PORT=port):
        rig.wait_folded()
        pause_until(lambda: readyz(port)[0] == 200, within_s=15, what="ready")
        for part in ("postgres", "kafka"):
            with away(platform, part):
                late = rig.start(IPX_METRICS_PORT=late_port)  # one that starts while the part is away
                pause_until(lambda: part in _failing(port), within_s=30, what=f"/readyz names {part}")  # noqa: B023
                pause_until(lambda: part in _failing(late_port), within_s=30, what=f"it names {part} too")  # noqa: B023
            pause_until(lambda: _wrote(rig), within_s=60, what=f"the log takes entries again after {part}")
            rig.wait_folded()
            pause_until(lambda: readyz(port)[0] == 200, within_s=30, what=f"ready after {part}")
            pause_until(lambda: readyz(late_port)[0] == 200, within_s=30, what=f"the late one too after {part}")
            assert late.stop() == 0
    rig.check()


def _failing(port: str) -> set[str]:
    checks = readyz(port)[1].get("checks", {})
    return {name for name, check in checks.items() if not check["ok"]}


def _wrote(rig: Rig) -> bool:
    """Whether a transaction went through; one that did not is aborted, and its numbers are used again."""
    try:
        rig.write(100)
    except KafkaException:
        rig.writer = LogWriter(rig.exchange, after=rig.writer)
        return False
    return True
