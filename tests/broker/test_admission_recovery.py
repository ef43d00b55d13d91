"""What admission loses, it finds again: its index, its partitions, its place; and parts that were away come back."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from services.admission.partitioning import partition_of
from services.codec.envelope import Envelope, frame
from tests.broker.admission_checks import verify_logs
from tests.broker.admission_rig import CLUE, NANJING, Rig, founded, ids_of

QUICK = {"IPX_ADMISSION_SESSION_TIMEOUT_MS": "6000", "IPX_ADMISSION_TRANSACTION_TIMEOUT_MS": "6000"}
BACK_S = 90.0


@pytest.fixture(scope="module")
def exchange_of_all(make_exchange: Callable[[], Any]) -> Iterator[Rig]:
    with make_exchange() as exchange, founded(exchange) as made:
        yield made


@pytest.fixture
def rig(exchange_of_all: Rig) -> Iterator[Rig]:
    """The exchange with no process running."""
    yield exchange_of_all
    for process in exchange_of_all.processes:
        process.stop()
    exchange_of_all.processes.clear()


def outcomes_of(rig: Rig, envelopes: list[Envelope]) -> list[str]:
    """Proposes them and says what became of each, in the order of the events."""
    before = len(rig.outcomes())
    rig.propose(envelopes)
    found = {
        item["event"]: item["outcome"] for item in rig.wait_outcomes(before + len(envelopes), timeout_s=BACK_S)[before:]
    }
    return [found[envelope.statement.id] for envelope in envelopes]


def index_files(rig: Rig) -> list[Any]:
    return sorted((rig.exchange.state_dir / "admission" / "1").glob("*.clues-*.sqlite"))


def test_a_lost_index_is_rebuilt_from_the_log_and_the_numbers_go_on(rig: Rig) -> None:
    process = rig.start().wait_ready()
    logged = len(ids_of(rig.log()))
    first = rig.clues(60)
    refused = [rig.clue(number, agreement="-") for number in range(20)]
    assert outcomes_of(rig, first) == ["admitted"] * 60
    assert outcomes_of(rig, refused) == ["refused"] * 20
    process.stop()
    shutil.rmtree(rig.exchange.state_dir / "admission")

    rig.start().wait_ready()
    assert outcomes_of(rig, first) == ["duplicate"] * 60
    assert outcomes_of(rig, rig.clues(60, start=100)) == ["admitted"] * 60
    assert len(ids_of(verify_logs(rig))) == logged + 120  # outcomes_of has compared the outcome numbers


def test_an_index_that_cannot_be_read_or_is_of_an_earlier_day_is_no_harm(rig: Rig) -> None:
    process = rig.start().wait_ready()
    logged = len(ids_of(rig.log()))
    first = rig.clues(40)
    assert outcomes_of(rig, first) == ["admitted"] * 40
    process.stop()
    old = rig.exchange.state_dir / "old"
    shutil.copytree(rig.exchange.state_dir / "admission", old)
    process = rig.start().wait_ready()
    second = rig.clues(40, start=100)
    assert outcomes_of(rig, second) == ["admitted"] * 40
    process.stop()
    shutil.rmtree(rig.exchange.state_dir / "admission")
    old.rename(rig.exchange.state_dir / "admission")
    index_files(rig)[0].write_bytes(b"this is not a database" * 100)

    rig.start().wait_ready()
    assert outcomes_of(rig, [*first, *second]) == ["duplicate"] * 80
    assert len(ids_of(verify_logs(rig))) == logged + 80


def test_two_processes_share_the_partitions_and_one_takes_over_when_the_other_is_killed(rig: Rig) -> None:
    one, two = rig.start("one", **QUICK), rig.start("two", **QUICK)
    one.wait_ready()
    two.wait_ready()
    rig.wait(lambda: _admits(one) and _admits(two), BACK_S, between=lambda: rig.propose(rig.clues(40, start=5000)))
    before = len(rig.outcomes())
    sent = rig.clues(400)
    rig.propose(sent[:200])
    one.kill()
    rig.propose(sent[200:])
    rig.wait_outcomes(before + 400, timeout_s=BACK_S)
    found = ids_of(verify_logs(rig))
    assert len(found) == len(set(found))
    assert {envelope.statement.id for envelope in sent} <= set(found)


def _admits(process: Any) -> bool:
    return 'ipx_admission_admitted_events_total{family="clues"}' in process.metrics()


def test_a_process_that_was_paused_past_its_time_does_not_write_over_its_successor(rig: Rig) -> None:
    sleeper = rig.start("sleeper", **QUICK).wait_ready()
    before, logged = len(rig.outcomes()), set(ids_of(rig.log()))
    first = rig.clues(200)
    rig.propose(first[:100])
    os.kill(sleeper.process.pid, signal.SIGSTOP)
    try:
        rig.start("other", **QUICK)
        rig.propose(first[100:])
        rig.wait_outcomes(before + 200, timeout_s=BACK_S)
    finally:
        readied = _readied(sleeper)
        os.kill(sleeper.process.pid, signal.SIGCONT)
    more = rig.clues(200, start=1000)
    assert outcomes_of(rig, more) == ["admitted"] * 200
    # when it reads partitions anew it is done with what it had begun: whatever it wrote of that is there to be seen
    rig.wait(lambda: _readied(sleeper) > readied or sleeper.process.poll() is not None, BACK_S)
    found = ids_of(verify_logs(rig))
    assert len(found) == len(set(found))
    assert set(found) - logged == {envelope.statement.id for envelope in (*first, *more)}
    assert len(rig.outcomes()) == before + 400


def _readied(process: Any) -> int:
    """How often it began to read a partition, by its log."""
    return int(process.log.read_text().count("partition ready"))


def test_what_a_foreign_producer_aborted_is_not_seen(rig: Rig) -> None:
    rig.start().wait_ready()
    before = len(rig.outcomes())
    aborted, good = rig.clues(50), rig.clues(50, start=100)
    foreign = Producer({**rig.exchange.settings.librdkafka(), "transactional.id": f"{rig.exchange.name}-foreign"})
    foreign.init_transactions(30)
    foreign.begin_transaction()
    for envelope in aborted:
        key = envelope.statement.subject.encode()
        foreign.produce(
            rig.exchange.topics.proposals("clues"),
            key=key,
            value=frame(rig.ids[CLUE], envelope.body),
            headers=envelope.headers(),
            partition=partition_of(key, 4),
        )
    foreign.flush(30)
    foreign.abort_transaction(30)
    rig.propose(good)
    outcomes = rig.wait_outcomes(before + 50)[before:]
    assert {item["event"] for item in outcomes} == {envelope.statement.id for envelope in good}
    assert set(ids_of(rig.log())).isdisjoint(envelope.statement.id for envelope in aborted)


def test_a_broker_that_is_killed_costs_nothing_but_time(rig: Rig, platform: Any) -> None:
    process = rig.start().wait_ready()
    before, logged = len(rig.outcomes()), set(ids_of(rig.log()))
    sent = rig.clues(400)
    rig.propose(sent[:200])
    broker = platform.state().parts["kafka"].pid
    os.kill(broker, signal.SIGKILL)
    rig.wait(lambda: _is_again(platform, "kafka", broker), BACK_S)
    rig.propose(sent[200:])
    rig.wait_outcomes(before + 400, timeout_s=BACK_S)
    assert process.process.poll() is None
    process.wait_ready(BACK_S)
    found = ids_of(verify_logs(rig))
    assert len(found) == len(set(found))
    assert set(found) - logged == {envelope.statement.id for envelope in sent}


def _is_again(platform: Any, part: str, old_pid: int) -> bool:
    state = platform.state().parts[part]
    return state.condition == "ready" and state.pid not in (None, old_pid)


def test_a_registry_that_is_away_at_the_start_is_waited_for_and_said(rig: Rig, platform: Any) -> None:
    registry = platform.state().parts["registry"].pid
    os.kill(registry, signal.SIGSTOP)
    try:
        process = rig.start()
        rig.wait(lambda: _reason(process, "registry") == "the schema registry does not answer", BACK_S)
        assert process.ready()["status"] == "not ready"
    finally:
        os.kill(registry, signal.SIGCONT)
    process.wait_ready(BACK_S)
    assert rig.outcome_of(rig.clue(1))["outcome"] == "admitted"


def test_a_registry_that_goes_away_later_is_not_missed(rig: Rig, platform: Any) -> None:
    rig.start().wait_ready()
    registry = platform.state().parts["registry"].pid
    os.kill(registry, signal.SIGSTOP)
    try:
        assert rig.outcome_of(rig.clue(1))["outcome"] == "admitted"
    finally:
        os.kill(registry, signal.SIGCONT)


def test_without_its_key_it_waits_and_says_what_to_do(rig: Rig) -> None:
    key = rig.exchange.state_dir / "keys" / "exchange.admission.key"
    away = key.rename(key.with_suffix(".away"))
    process = rig.start()
    rig.wait(lambda: "ipx members init" in str(_reason(process, "key")), BACK_S)
    away.rename(key)
    process.wait_ready()
    assert rig.outcome_of(rig.clue(1, source=NANJING))["outcome"] == "admitted"


def _reason(process: Any, check: str) -> str | None:
    reason = process.ready().get("checks", {}).get(check, {}).get("reason")
    return None if reason is None else str(reason)
