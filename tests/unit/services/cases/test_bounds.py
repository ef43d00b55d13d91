"""How much one case may hold: what is beyond has no effect, is answered in both languages, and stops nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from services.cases.bounds import LONGEST_GRANTED, MOST_ADDRESSEES, MOST_FACTS, MOST_GRANTS, MOST_STANDSTILLS
from services.cases.clocks import verdicts
from services.cases.fold import due_of, possible, ripe
from services.cases.instances import most_of_a_rule
from services.cases.state import Fact
from services.cases.view import verdict_document
from services.kernel.instants import parse_instant
from tests.unit.services.cases.stage import (
    DAY,
    HOUR,
    MORNING,
    NANJING,
    NINGBO,
    NINGBO_POLICE,
    SUZHOU,
    SUZHOU_POLICE,
    Stage,
    around,
    assistance,
    referral,
    refused,
)
from tests.unit.services.cases.test_terms import OwnCase

YEAR_2200 = parse_instant("2200-01-01T00:00:00.000Z")


def test_grants_without_end_keep_every_end_before_the_year_2200() -> None:
    own = OwnCase()
    told = [
        own.move("extend", MORNING + HOUR * n, rule="A9", extension="collective", length=1_000) for n in range(1, 20)
    ]
    assert [refused(one) for one in told] == [None] * 7 + ["term_full"] * 12
    assert told[-1].refused is not None
    assert "二十年" in told[-1].refused.zh
    assert "twenty years" in told[-1].refused.en
    assert own.case is not None
    assert own.case.clocks[0].due_at < YEAR_2200
    assert LONGEST_GRANTED["calendar_day"] == 7_320


def test_a_term_takes_so_many_grants_and_no_more_and_its_explanation_stays_short() -> None:
    own = OwnCase()
    told = [own.move("extend", MORNING + HOUR * n, rule="A9", extension="collective", length=1) for n in range(1, 40)]
    assert [refused(one) for one in told] == [None] * MOST_GRANTS + ["term_full"] * (39 - MOST_GRANTS)
    assert own.case is not None
    ((_, judged, _),) = verdicts(own.case, own.around, MORNING + 2 * DAY)
    assert "此前另有 24 次延长" in judged.explanation.zh
    assert "after 24 earlier extensions" in judged.explanation.en


def test_a_term_takes_so_many_suspensions_and_resumptions_and_no_more() -> None:
    own = OwnCase()
    told = []
    for n in range(1, 41):
        told.append(own.move("suspend", MORNING + 2 * n * HOUR, ground="hearing"))
        told.append(own.move("resume", MORNING + (2 * n + 1) * HOUR, ground="hearing"))
    assert [refused(one) for one in told] == [None] * MOST_STANDSTILLS + ["term_full"] * (80 - MOST_STANDSTILLS)
    assert own.case is not None
    assert len(json.dumps(verdict_document(own.case, own.around, MORNING + 30 * DAY), ensure_ascii=False)) < 4_000


def test_a_full_case_takes_the_moves_that_end_it_and_no_others() -> None:
    stage = assistance()
    before = stage.now
    filled = [Fact(f"e-{n}", NANJING, "note", MORNING, MORNING) for n in range(MOST_FACTS - 1)]
    stage.case = replace(before, facts=(*before.facts, *filled))
    told = stage.move("accept", NINGBO, NANJING)
    assert refused(told) == "case_full"
    assert told.refused is not None
    assert "1,000" in told.refused.zh
    assert "1,000" in told.refused.en
    assert {one.participant: one.moves for one in possible(stage.now, around())} == {
        NANJING: ("withdraw",),
        NINGBO: ("finish",),
    }
    assert refused(stage.move("extend", NINGBO, NANJING, rule="A8", extension="late_notice")) == "case_full"
    assert refused(stage.move("withdraw", NANJING, NINGBO)) is None
    assert stage.now.state == "withdrawn"


def test_a_move_that_would_start_a_clock_without_a_place_has_no_effect() -> None:
    stage = referral()
    most = most_of_a_rule(around().tables.kinds["referral"])
    here, there = NINGBO_POLICE, SUZHOU_POLICE
    answers = []
    for _ in range(most + 2):
        told = stage.move("forward", here, NINGBO, there)
        answers.append(refused(told))
        if refused(told) is None:
            here, there = there, here
    assert answers == [None] * (most - 1) + ["case_full"] * 3
    assert told.refused is not None
    assert len([clock for clock in stage.now.clocks if clock.rule == "C4"]) == most
    assert "C4" in told.refused.zh
    assert "C4" in told.refused.en


def test_a_case_is_not_opened_to_more_than_every_later_move_can_be_addressed_to() -> None:
    crowd = tuple(f"33{n:04d}.market_regulator" for n in range(MOST_ADDRESSEES - 1))
    assert refused(Stage().open("dispute", NINGBO, NANJING, *crowd)) is None
    told = Stage().open("dispute", NINGBO, NANJING, SUZHOU, *crowd)
    assert refused(told) == "too_many_parties"
    assert told.refused is not None
    assert str(MOST_ADDRESSEES) in told.refused.zh
    assert str(MOST_ADDRESSEES) in told.refused.en


@pytest.mark.parametrize(("late", "answer"), [(-HOUR, None), (2 * DAY, "clock_does_not_know")])
def test_a_notice_to_the_other_side_counts_from_when_that_had_it(late: int, answer: str | None) -> None:
    stage = assistance()
    due = stage.now.clocks[0].due_at
    assert due is not None
    told = stage.move(
        "extend", NINGBO, NANJING, at=due + late, happened_at=due - 2 * HOUR, rule="A8", extension="late_notice"
    )
    assert refused(told) == answer
    (_, judged, _) = verdicts(stage.now, around(), due + 3 * DAY)[0]
    assert judged.state == ("running" if answer is None else "expired")


def test_ticks_of_a_full_term_still_come() -> None:
    own = OwnCase()
    for n in range(1, 40):
        own.move("extend", MORNING + HOUR * n, rule="A9", extension="collective", length=200)
    assert own.case is not None
    due = due_of(own.case)
    assert due is not None
    assert [change.what for change in ripe(own.case, due, own.around).changes] == ["warned"]
