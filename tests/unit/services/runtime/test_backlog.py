"""Whether a log holds more than was folded, asked beside the consumer."""

from __future__ import annotations

from services.runtime.backlog import Backlog
from services.runtime.log_probe import End
from services.runtime.planner import Position
from tests.unit.services.runtime.test_ticker import P0, P1, FakeLogs


def test_a_record_past_the_position_is_unfolded_and_one_before_it_is_not():
    backlog = Backlog(FakeLogs({P0: End(10, 10)}, {P0: [7]}))
    assert backlog.holds_unfolded(P0, {P0: Position(7, 7)}, End(10, 10))
    assert not backlog.holds_unfolded(P0, {P0: Position(8, 8)}, End(10, 10))


def test_markers_and_aborted_records_are_nothing_and_are_looked_through_once():
    logs = FakeLogs({P0: End(10, 10)})
    backlog = Backlog(logs)
    for _ in range(3):
        assert not backlog.holds_unfolded(P0, {}, End(10, 10))
    assert logs.probes == 1
    logs.records[P0] = [11]
    assert backlog.holds_unfolded(P0, {}, End(12, 12))


def test_what_is_not_settled_is_not_asked_for():
    assert not Backlog(FakeLogs({}, {P0: [5]})).holds_unfolded(P0, {}, End(5, 9))


def test_the_partition_that_holds_more_is_named():
    backlog = Backlog(FakeLogs({P0: End(4, 4), P1: End(6, 6)}, {P1: [5]}))
    assert backlog.unfolded_in([P0, P1], {P0: Position(4, 4)}) == P1
    assert backlog.unfolded_in([P0, P1], {P0: Position(4, 4), P1: Position(6, 6)}) is None
    assert Backlog(FakeLogs({})).unfolded_in([], {}) is None
