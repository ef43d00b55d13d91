"""``ipx room run transfers`` on real logs: cases, the ends of their clocks by the thousand, workers that are killed, a replay."""

from __future__ import annotations

from collections import Counter

import pytest

from services.events.transfer import MoveHadNoEffect
from tests.broker.gateway_running import NANJING
from tests.broker.room_rig import pause_until
from tests.broker.transfers_rig import DAY_MS, LONG_AGO_MS, SUZHOU, Docket, Told, subject

CASES = 2_400
POINTS = (
    *("room.decode", "room.load", "room.fold", "room.store", "room.commit", "room.acknowledge"),
    *("room.tick.load", "room.tick.store", "room.tick.commit"),
)
"""Where a worker dies, in an order in which each is still reached: what is committed is not done again."""
BURST = 10_000
BOTH_TICKS = ("ClockWarned", "ClockExpired")


@pytest.fixture
def docket(exchange) -> Docket:
    return Docket(exchange)


def told_of(cases: dict[int, tuple[str, ...]]) -> Counter[Told]:
    return Counter((subject(number), kind) for number, kinds in cases.items() for kind in kinds)


def test_each_case_is_told_what_became_of_its_clock_and_nothing_else(docket: Docket) -> None:
    docket.write(
        [
            *(docket.opened(number, LONG_AGO_MS + number) for number in range(4)),
            docket.moved(1, "finish", LONG_AGO_MS + DAY_MS),
            docket.moved(2, "finish", LONG_AGO_MS + 40 * DAY_MS),
            docket.moved(3, "finish", LONG_AGO_MS + DAY_MS, source=SUZHOU),  # a stranger to the case
        ]
    )
    worker = docket.start()
    pause_until(lambda: docket.is_settled(4), within_s=60, what="everything due is told")
    assert worker.stop() == 0
    assert docket.told() == told_of(
        {
            0: ("ClockStarted", *BOTH_TICKS),
            1: ("ClockStarted", "ClockStopped"),
            2: ("ClockStarted", *BOTH_TICKS, "ClockStopped"),
            3: ("ClockStarted", *BOTH_TICKS, "MoveHadNoEffect", "MoveHadNoEffect"),
        }
    )
    answers = [one.statement for one, _ in docket.envelopes() if one.statement.type == MoveHadNoEffect.TYPE]
    assert sorted(one.addressee for one in answers) == [NANJING, SUZHOU]
    assert docket.refolded() == docket.said()


def test_two_workers_killed_at_every_step_of_a_burst_lose_none_and_repeat_none(docket: Docket) -> None:
    """All are due in one second; every third is finished in time by an entry that is folded in the midst of it."""
    finished = range(0, CASES, 3)
    docket.write(
        [
            *(docket.opened(number, LONG_AGO_MS + number % 900) for number in range(CASES)),
            *(docket.moved(number, "finish", LONG_AGO_MS + DAY_MS + number) for number in finished),
        ]
    )
    for point in POINTS:
        pair = [docket.start(IPX_FAULT_AT=point) for _ in range(2)]
        pause_until(
            lambda: any(worker.process.poll() is not None for worker in pair),  # noqa: B023
            within_s=90,
            what=f"a worker dies at {point}",
        )
        for worker in pair:
            worker.kill()
    last = docket.start()
    pause_until(lambda: docket.is_settled(CASES), within_s=90, what="everything due is told")
    last.kill()
    stopped = ("ClockStarted", "ClockStopped")
    ended = ("ClockStarted", *BOTH_TICKS)
    assert docket.told() == told_of({n: stopped if n % 3 == 0 else ended for n in range(CASES)})
    assert docket.refolded() == docket.said()


def test_ten_thousand_clocks_that_end_in_one_second_are_all_told_once(docket: Docket) -> None:
    docket.write(docket.opened(number, LONG_AGO_MS + number % 1_000) for number in range(BURST))
    worker = docket.start()
    pause_until(lambda: docket.is_settled(BURST), within_s=300, what="every end is told")
    assert worker.stop() == 0
    assert docket.told() == told_of(dict.fromkeys(range(BURST), ("ClockStarted", *BOTH_TICKS)))
