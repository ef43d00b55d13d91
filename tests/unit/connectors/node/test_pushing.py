"""Deliveries reach the city at least once under one key, in order within a clue, and each end has its receipt."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.breaker import BreakerRule, Circuit
from connectors.kit.port import Accepted, Answer, Declined, FakeCity, Fault, Message, TryLater
from connectors.kit.retry import Backoff, Limits
from connectors.node import deliveries as deliveries_of
from connectors.node import report
from connectors.node.site import Pace
from tests.unit.connectors.node.test_intake import play
from tests.unit.connectors.node.test_reading import deliveries, read, receipts, say
from tests.unit.connectors.node_rig import Rig
from tests.unit.connectors.small_exchange import HANGZHOU, RELEASED

LATER = TryLater(Fault.SERVER_ERROR, "500")
PATIENT = Pace(backoff=Backoff(first_s=1, factor=2, most_s=60, jitter=0), breaker=BreakerRule(failures=99))


@dataclass
class SlowCity(FakeCity):
    """Answers when it is released, and counts how many wait at a time."""

    released: asyncio.Event = field(default_factory=asyncio.Event)
    now: int = 0
    most: int = 0

    async def push(self, message: Message, *, idempotency_key: str, delivery_number: int) -> Answer:
        self.now += 1
        self.most = max(self.most, self.now)
        await self.released.wait()
        self.now -= 1
        return await super().push(message, idempotency_key=idempotency_key, delivery_number=delivery_number)


async def values(rig: Rig, name: str) -> list[dict[str, Any]]:
    rows = await rig.rows("select type, document from outbox where type like ? order by n", f"%.{name}")
    return [RELEASED.named(t).decode(base64.b64decode(json.loads(d)["data_base64"])) for t, d in rows]


async def one_clue(rig: Rig, *answers: Any) -> None:
    say(rig.exchange, 1)
    await read(rig)
    rig.seats[HANGZHOU].city.answers = list(answers)


def test_what_the_city_takes_is_committed_with_its_reference_and_number(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig)
        await rig.push(rig.seats[HANGZHOU])
        (taken,) = rig.seats[HANGZHOU].city.taken.values()
        assert taken.delivery_number == 0
        (value,) = await values(rig, "Committed")
        assert (value["reference"], value["attempts"], value["number"]) == ("F-1", 1, 0)
        assert await deliveries(rig) == [("001", "committed")]
        assert await rig.rows("select body from deliveries") == [(None,)]

    play(tmp_path, work, HANGZHOU)


def test_the_recipients_system_sees_exactly_the_disclosed_fields(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig)
        await rig.push(rig.seats[HANGZHOU])
        (taken,) = rig.seats[HANGZHOU].city.taken.values()
        document = taken.message.document
        assert document["xiansuo"]["jubaoren"]["xingming"] == "举报人某某"
        assert "320106199003071234" not in json.dumps(document, ensure_ascii=False)
        assert "zhengjianhao" not in document["xiansuo"]["jubaoren"]
        assert "reporter_id_number" in document["jiaohuanXinxi"]["weiPiluZiduan"]

    play(tmp_path, work, HANGZHOU)


def test_a_refusal_is_rejected_at_once_and_not_tried_again(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig, Declined("incomplete", "1002", "标题不能为空", "bt"))
        await rig.push(rig.seats[HANGZHOU])
        rig.clock.advance(10**7)
        await rig.push(rig.seats[HANGZHOU])
        (value,) = await values(rig, "Rejected")
        assert (value["code"], value["city_code"], value["reason"], value["field"]) == (
            "incomplete",
            "1002",
            "标题不能为空",
            "bt",
        )
        assert await deliveries(rig) == [("001", "rejected")]
        assert len(rig.seats[HANGZHOU].city.asked) == 1
        assert await values(rig, "Committed") == []

    play(tmp_path, work, HANGZHOU)


def test_a_system_that_fails_is_tried_again_under_the_same_key_ever_more_rarely(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig, LATER, LATER, LATER)
        seat, waits = rig.seats[HANGZHOU], []
        while await deliveries(rig) == [("001", "pending")]:
            await rig.push(seat)
            ((next_ms, state),) = await rig.rows("select next_ms, state from deliveries")
            if state == "pending":
                waits.append(next_ms - rig.clock.now_ms())
                rig.clock.advance(next_ms - rig.clock.now_ms() - 1)
                await rig.push(seat)
                rig.clock.advance(1)
        assert waits == [1000, 2000, 4000]
        assert len(seat.city.asked) == 4
        assert len(set(seat.city.asked)) == 1
        (value,) = await values(rig, "Committed")
        assert value["attempts"] == 4
        assert rig.teller.total("retries_total") == 3

    play(tmp_path, work, HANGZHOU, pace=PATIENT)


def test_the_wait_that_the_system_asks_for_is_kept(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig, TryLater(Fault.THROTTLED, "429", 30.0))
        await rig.push(rig.seats[HANGZHOU])
        ((next_ms,),) = await rig.rows("select next_ms from deliveries")
        assert next_ms == rig.clock.now_ms() + 30_000

    play(tmp_path, work, HANGZHOU, pace=PATIENT)


@pytest.mark.parametrize("fault", [Fault.NONSENSE, Fault.UNREACHABLE, Fault.TIMEOUT, Fault.UNAUTHORISED])
def test_past_the_limit_of_trying_it_is_a_dead_letter_with_a_negative_receipt(tmp_path: Path, fault: Fault) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig, *[TryLater(fault, "x")] * 3)
        for _ in range(5):
            await rig.push(rig.seats[HANGZHOU])
            rig.clock.advance(60_000)
        assert await deliveries(rig) == [("001", "dead")]
        (value,) = await values(rig, "NotCommitted")
        assert (value["still_trying"], value["attempts"], value["last_error"]) == (False, 3, str(fault))
        listed = await rig.journal.change(lambda change: report.listed_dead_letters(change.db, connector=None, limit=9))
        assert [(row["way"], row["code"]) for row in listed] == [("to_city", str(fault))]
        assert rig.seats[HANGZHOU].city.taken == {}
        assert await values(rig, "Committed") == []

    play(tmp_path, work, HANGZHOU, pace=Pace(limits=Limits(attempts=3), breaker=BreakerRule(failures=99)))


def test_a_redrive_pushes_a_dead_letter_again_and_settles_it(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig, LATER)
        await rig.push(rig.seats[HANGZHOU])
        assert await deliveries(rig) == [("001", "dead")]
        rig.clock.advance(1_000_000)
        now_ms = rig.clock.now_ms()
        with report.opened(tmp_path / "n.db", read_only=False) as db:
            (marked,) = report.redrive(db, connector=None, item=None, now_ms=now_ms)
        assert marked["way"] == "to_city"
        await rig.push(rig.seats[HANGZHOU])
        assert await deliveries(rig) == [("001", "committed")]
        assert await receipts(rig) == ["Delivered", "NotCommitted", "Committed"]
        listed = await rig.journal.change(lambda change: report.listed_dead_letters(change.db, connector=None, limit=9))
        assert listed == []

    play(tmp_path, work, HANGZHOU, pace=Pace(limits=Limits(attempts=1)))


def test_an_event_that_cannot_be_said_in_the_citys_words_is_set_aside_and_the_breaker_does_not_mind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig)
        seat = rig.seats[HANGZHOU]
        table = seat.pusher.dialect.tables["xiansuoLeixing"]
        monkeypatch.delitem(table.theirs, "online_listing")
        await rig.push(seat)
        assert await deliveries(rig) == [("001", "dead")]
        listed = await rig.journal.change(lambda change: report.listed_dead_letters(change.db, connector=None, limit=9))
        assert [(row["code"], row["field"]) for row in listed] == [("cannot-map", "xiansuo.leixing")]
        assert seat.pusher.breaker.state is Circuit.CLOSED
        assert seat.city.asked == []

    play(tmp_path, work, HANGZHOU)


def test_within_a_clue_the_city_hears_things_in_order_and_other_clues_go_on(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        for number in (1, 2):
            say(rig.exchange, number, subject="CL-A")
        say(rig.exchange, 3, subject="CL-B")
        await read(rig)
        seat = rig.seats[HANGZHOU]
        seat.city.answers = [LATER]
        await rig.push(seat)
        assert sorted(key[-1] for key in seat.city.asked) == ["1", "3"]
        rig.clock.advance(60_000)
        await rig.push(seat)
        await rig.push(seat)
        assert [key[-1] for key in seat.city.asked][2:] == ["1", "2"]

    play(tmp_path, work, HANGZHOU, pace=PATIENT)


def test_no_more_calls_at_a_time_than_the_target_can_bear(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        for number in range(1, 21):
            say(rig.exchange, number)
        await read(rig)
        seat = rig.seats[HANGZHOU]
        slow = SlowCity(name=seat.city.name)
        seat.pusher.city = slow
        begun = await seat.pusher.begin()
        await asyncio.sleep(0)
        assert (begun, await seat.pusher.begin(), slow.most) == (3, 0, 3)
        slow.released.set()
        await rig.push(seat)
        assert slow.most == 3
        assert len(slow.taken) == 20

    play(tmp_path, work, HANGZHOU, pace=Pace(concurrency=3))


def test_an_open_breaker_spares_the_system_and_one_call_tries_first(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        for number in range(1, 11):
            say(rig.exchange, number)
        await read(rig)
        seat = rig.seats[HANGZHOU]
        seat.city.away = LATER
        await rig.push(seat)
        assert seat.pusher.breaker.state is Circuit.OPEN
        asked = len(seat.city.asked)
        assert asked < 10
        await rig.push(seat)
        assert len(seat.city.asked) == asked
        rig.clock.advance(2_000)
        seat.city.away = None
        assert await seat.pusher.begin() == 1
        await rig.push(seat)
        rig.clock.advance(60_000)
        await rig.push(seat)
        assert len(seat.city.taken) == 10

    pace = Pace(concurrency=2, breaker=BreakerRule(failures=3, rest_s=2), backoff=Backoff(jitter=0))
    play(tmp_path, work, HANGZHOU, pace=pace)


def test_a_kill_between_push_and_receipt_pushes_again_and_reports_once(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig)
        seat = rig.seats[HANGZHOU]
        (due,) = await rig.journal.change(
            lambda change: deliveries_of.due(change.db, seat.city.name, rig.clock.now_ms(), 9)
        )
        assert isinstance(await seat.pusher.push(due), Accepted)  # and the node dies here
        assert await receipts(rig) == ["Delivered"]
        await rig.push(seat)
        (taken,) = seat.city.taken.values()
        assert taken.asked == 2
        assert await receipts(rig) == ["Delivered", "Committed"]

    play(tmp_path, work, HANGZHOU)


def test_the_fault_points_of_a_push_are_reached_in_order(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        await one_clue(rig)
        await rig.push(rig.seats[HANGZHOU])
        assert rig.teller.reached == ["node.before_store", "node.after_store", "node.after_push", "node.after_answer"]

    play(tmp_path, work, HANGZHOU)


def test_a_target_that_nothing_is_pushed_to_is_asked_how_it_is_until_it_is_well(tmp_path: Path) -> None:
    async def work(rig: Rig) -> None:
        pusher, city, now = rig.seats[HANGZHOU].pusher, rig.seats[HANGZHOU].city, [0.0]
        pusher.monotonic_s = lambda: now[0]
        city.away = LATER
        await pusher._ask_how_it_is()
        assert rig.teller.checks[pusher.check] == "500"
        city.away = None
        await pusher._ask_how_it_is()
        assert rig.teller.checks[pusher.check] == "500"
        now[0] = 5.0
        await pusher._ask_how_it_is()
        assert rig.teller.checks[pusher.check] is None

    play(tmp_path, work, HANGZHOU)
