"""A tick waits until the logs vouch for everything admitted by its due time."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from services.kernel.errors import Transient
from services.kernel.ports import SettableClock
from services.runtime.log_probe import End
from services.runtime.planner import Position
from services.runtime.runner import TICKED_AT_ONCE
from services.runtime.ticker import Ticker

P0, P1 = ("t.receipts", 0), ("t.receipts", 1)
DUE = 100_000


@dataclass
class FakeTicks:
    """States by due time; positions as given."""

    due: list[int] = field(default_factory=lambda: [DUE])
    at: dict = field(default_factory=dict)
    ticked: list[int] = field(default_factory=list)

    def first_due(self):
        return min(self.due, default=None)

    def positions(self):
        return self.at

    def tick(self, until_ms):
        done = [due for due in self.due if due <= until_ms]
        self.due = [due for due in self.due if due > until_ms]
        self.ticked += done
        return len(done)


@dataclass
class FakeLogs:
    """Ends, and the offsets of settled records."""

    end: dict
    records: dict = field(default_factory=dict)
    probes: int = 0

    def ends(self, places):
        return {place: self.end[place] for place in places}

    def first_from(self, place, offset, end):
        self.probes += 1
        return next((o for o in self.records.get(place, ()) if offset <= o < end), None)


def ticker(ticks, logs, *, now, grace=5_000):
    clock = SettableClock(now)
    return Ticker(ticks, logs, (P0, P1), clock=clock, grace_ms=grace), clock


def test_nothing_due_asks_nobody():
    ticks, logs = FakeTicks(due=[]), FakeLogs({})
    assert ticker(ticks, logs, now=DUE * 2)[0].tick() == 0


def test_later_entries_in_every_partition_vouch_at_once():
    ticks = FakeTicks(at={P0: Position(5, 9, DUE + 1), P1: Position(2, 3, DUE + 1)})
    assert ticker(ticks, FakeLogs({}), now=DUE + 2)[0].tick() == 1
    assert ticks.ticked == [DUE]


def test_an_entry_of_the_due_time_itself_does_not_vouch_for_it():
    ticks = FakeTicks(at={P0: Position(5, 9, DUE), P1: Position(2, 3, DUE)})
    assert ticker(ticks, FakeLogs({}), now=DUE + 2)[0].tick() == 0


def test_a_silent_partition_is_looked_at_after_the_grace_and_not_before():
    ticks = FakeTicks(at={P0: Position(5, 9, DUE + 1)})
    logs = FakeLogs({P0: End(9, 9), P1: End(0, 0)})
    t, clock = ticker(ticks, logs, now=DUE + 4_999)
    assert t.tick() == 0
    clock.advance(1)
    assert t.tick() == 1


def test_a_record_that_is_not_folded_yet_holds_the_tick_back():
    ticks = FakeTicks(at={P0: Position(5, 9, 1), P1: Position(0, 0, 0)})
    logs = FakeLogs({P0: End(10, 10), P1: End(0, 0)}, {P0: [9]})
    t, _ = ticker(ticks, logs, now=DUE + 60_000)
    assert t.tick() == 0
    ticks.at[P0] = Position(6, 10, 1)
    assert t.tick() == 1


def test_an_open_transaction_holds_the_tick_back():
    ticks = FakeTicks()
    logs = FakeLogs({P0: End(3, 7), P1: End(0, 0)})
    t, _ = ticker(ticks, logs, now=DUE + 60_000)
    assert t.tick() == 0
    logs.end[P0] = End(7, 7)
    assert t.tick() == 1


def test_the_markers_behind_the_last_record_are_looked_through_once():
    ticks = FakeTicks(due=[DUE, DUE + 60_000], at={P0: Position(5, 9, 1), P1: Position(0, 0, 0)})
    logs = FakeLogs({P0: End(11, 11), P1: End(0, 0)})
    t, clock = ticker(ticks, logs, now=DUE + 10_000)
    assert t.tick() == 1
    assert logs.probes == 1
    clock.advance(60_000)
    assert t.tick() == 1
    assert logs.probes == 1


def test_a_probe_vouches_only_up_to_the_grace_before_now():
    ticks = FakeTicks(due=[DUE, DUE + 1])
    logs = FakeLogs({P0: End(0, 0), P1: End(0, 0)})
    assert ticker(ticks, logs, now=DUE + 5_000)[0].tick() == 1
    assert ticks.due == [DUE + 1]


def test_the_future_is_never_ticked_whatever_the_log_says():
    ticks = FakeTicks(due=[DUE, DUE + 500], at={P0: Position(1, 1, DUE + 9_000), P1: Position(1, 1, DUE + 9_000)})
    assert ticker(ticks, FakeLogs({}), now=DUE + 100)[0].tick() == 1
    assert ticks.due == [DUE + 500]


def test_many_states_are_ticked_until_none_is_left():
    @dataclass
    class InPieces(FakeTicks):
        def tick(self, until_ms):
            taken, self.due = self.due[:TICKED_AT_ONCE], self.due[TICKED_AT_ONCE:]
            self.ticked += taken
            return len(taken)

    ticks = InPieces(
        due=[DUE] * (2 * TICKED_AT_ONCE + 50), at={P0: Position(1, 1, DUE + 2), P1: Position(1, 1, DUE + 2)}
    )
    assert ticker(ticks, FakeLogs({}), now=DUE + 10)[0].tick() == 2 * TICKED_AT_ONCE + 50


def test_kafka_away_is_transient_and_ticks_nothing():
    class Away(FakeLogs):
        def ends(self, places):
            raise Transient("away")

    ticks = FakeTicks()
    with pytest.raises(Transient):
        ticker(ticks, Away({}), now=DUE + 60_000)[0].tick()
    assert ticks.ticked == []
