"""Figures of clocks: counted by kind, city and rule, advisory ones and lapsed rights never as overdue, and how long acting took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.cases.laws import load_laws
from services.events.notice import ClockStopped, ClockVerdict
from services.kernel.calendar import Calendar
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_instant
from services.members.registry import EMPTY
from services.runtime import clock_metrics as m
from services.runtime.metrics import Metrics
from services.transfers.figures import (
    NO_CITY,
    OUTSIDE,
    CaseFigures,
    act_times,
    city_of,
    settled_until,
    standing,
)
from tests.unit.services.cases.docket import calendar
from tests.unit.services.cases.stage import HAISHU, NANJING, NINGBO, SHANGHAI_COURT, members

KIND = "assistance_request"
NINGBO_CITY = "330200"
DAY = 86_400_000


def stopped(state: str = "met", *, actors: tuple[str, ...] = (NINGBO,), ended_at: int | None = 3 * DAY) -> ClockStopped:
    return ClockStopped(
        clock="A8/1",
        rule="A8",
        kind=KIND,
        actors=actors,
        was_state="running",
        verdict=ClockVerdict(
            state=state,
            started_at=DAY,
            ended_at=ended_at,
            provisional=False,
            advisory=False,
            breach=False,
            explanation_zh="试",
            explanation_en="test",
            source="试",
        ),
    )


def figures() -> CaseFigures:
    return CaseFigures(Metrics("room"), load_laws(SCHEMAS_DIR / "codes"), members)


def test_counts_of_the_organs_of_one_city_are_added() -> None:
    rows = [
        (KIND, "A8", NINGBO, 3, 1, 1, 0, 0),
        (KIND, "A8", HAISHU, 2, 0, 1, 1, 1),
        (KIND, "A8", NANJING, 5, 0, 0, 0, 0),
    ]
    counted = standing(rows, members(), frozenset({"A8"}))

    assert counted["open"] == {(KIND, NINGBO_CITY, "A8"): 5, (KIND, "320100", "A8"): 5}
    assert counted["warned"] == {(KIND, NINGBO_CITY, "A8"): 1}
    assert counted["overdue"] == {(KIND, NINGBO_CITY, "A8"): 2}
    assert counted["provisional"] == counted["unapplied"] == {(KIND, NINGBO_CITY, "A8"): 1}


def test_a_right_that_lapsed_is_open_and_never_overdue() -> None:
    counted = standing([(KIND, "C7", NINGBO, 1, 0, 1, 0, 0)], members(), frozenset({"A8"}))
    assert counted["overdue"] == {}
    assert counted["open"] == {(KIND, NINGBO_CITY, "C7"): 1}


def test_an_organ_is_in_its_city_and_one_of_a_municipality_in_that() -> None:
    registry = members()
    assert city_of(HAISHU, registry) == NINGBO_CITY
    assert city_of(SHANGHAI_COURT, registry) == "310000"
    assert city_of("330000.market_regulator", registry) == "330000"
    assert city_of(None, registry) == OUTSIDE
    assert city_of("exchange.operator", registry) == NO_CITY
    for division, city in (("310115", "310000"), ("429004", "420000"), ("320100", "320100")):
        organ = replace(registry.participants[NINGBO], id=f"{division}.court", division=division)
        assert city_of(organ.id, replace(EMPTY, participants={organ.id: organ})) == city


@pytest.mark.parametrize(("state", "told"), [("met", True), ("late", True), ("ended", False), ("running", False)])
def test_the_time_to_act_is_from_the_start_to_the_act_and_only_where_there_was_one(state: str, told: bool) -> None:
    found = act_times(stopped(state), members())
    assert found == ([((KIND, NINGBO_CITY, "A8"), 2 * DAY / 1000)] if told else [])


def test_an_act_of_several_organs_counts_once_for_each_city_and_one_from_outside_is_told_apart() -> None:
    cities = [place[1] for place, _ in act_times(stopped(actors=(NINGBO, HAISHU, NANJING)), members())]
    assert cities == ["320100", NINGBO_CITY]
    assert [place[1] for place, _ in act_times(stopped(actors=()), members())] == [OUTSIDE]
    assert act_times(stopped(ended_at=None), members()) == []
    [(_, seconds)] = act_times(stopped(ended_at=0), members())
    assert seconds == 0.0, "done before its trigger: no time was taken"


def test_what_the_room_said_is_observed() -> None:
    told = figures()
    told.said([stopped(), stopped("late")])
    assert told.metrics.value(m.ROOM_ACT_SECONDS, kind=KIND, city=NINGBO_CITY, clock="A8") == 2


def test_what_is_no_more_is_told_as_nothing() -> None:
    told, place = figures(), {"kind": KIND, "city": NINGBO_CITY, "clock": "A8"}
    told.tell(standing([(KIND, "A8", NINGBO, 3, 0, 2, 0, 0)], members(), frozenset({"A8"})))
    assert told.metrics.value(m.ROOM_OPEN_CLOCKS, **place) == 3
    assert told.metrics.value(m.ROOM_OVERDUE_CLOCKS, **place) == 2
    told.tell(standing([(KIND, "A8", NINGBO, 1, 0, 0, 0, 0)], members(), frozenset({"A8"})))
    assert told.metrics.value(m.ROOM_OPEN_CLOCKS, **place) == 1
    assert told.metrics.value(m.ROOM_OVERDUE_CLOCKS, **place) == 0
    told.tell(standing([], members(), frozenset()))
    assert told.metrics.value(m.ROOM_OPEN_CLOCKS, **place) == 0


def test_an_end_is_settled_until_the_days_that_the_next_notice_may_move() -> None:
    assert settled_until(calendar(until=2026)) == parse_instant("2026-12-24T16:00:00.000Z")
    assert settled_until(Calendar(())) == 0
