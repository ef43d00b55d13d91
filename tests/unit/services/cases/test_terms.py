"""The moves of every kind: to extend a term, to suspend it, to let it run again."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from services.cases.documents import parse_transfers
from services.cases.fold import Around, Said, Step, step
from services.cases.state import Case
from services.events.transfer import CalendarApplied, OutsideOrgan, TransferMoved, TransferOpened
from services.kernel.calendar import Calendar
from services.kernel.clock_rules import ClockRules
from tests.unit.services.cases.stage import (
    DAY,
    HOUR,
    MORNING,
    NANJING,
    NINGBO,
    NINGBO_COURT,
    SUZHOU,
    Stage,
    assistance,
    clock_rules,
    document,
    members,
    moving,
    opening,
    referral,
    refused,
)

A9 = """
id = "own_case"
zh = "自办案件"
en = "case of its own"
row = "A9"
source = "市场监督管理行政处罚程序规定 64 [L2]"
clocks = ["A9"]
opens_to = "filed"
opens_article = "市场监督管理行政处罚程序规定 64"
opens_tells = [{ moment = "case_filed", at = "happened" }]
[[role]]
id = "handler"
zh = "办案机关"
en = "the organ that handles the case"
organ_types = ["market_regulator"]
joins = "opens"
acts_as = ["handling_organ"]
[[role]]
id = "watcher"
zh = "监督机关"
en = "the organ that watches"
organ_types = ["market_regulator"]
joins = "addressee"
[[state]]
id = "filed"
zh = "已立案"
en = "filed"
[[state]]
id = "decided"
zh = "已决定"
en = "decided"
terminal = true
[[move]]
id = "decide"
zh = "作出决定"
en = "decision"
by = ["handler", "watcher"]
from_states = ["filed"]
to = "decided"
article = "程序规定 64"
tells = [{ moment = "case_decided", at = "happened" }]
"""


class OwnCase:
    """A case of Nanjing, which Suzhou watches, with the 90 days of A9: the clock that knows grounds and extensions."""

    def __init__(self, rules: ClockRules | None = None) -> None:
        rules = rules or clock_rules()
        tables = parse_transfers({**document(), "kind": [tomllib.loads(A9)]}, rules)
        self.around = Around(tables, rules, members())
        self.case: Case | None = None
        self.seq = -1
        self.say(opening("own_case"), NANJING, (SUZHOU,), MORNING)

    def say(
        self, body: TransferOpened | TransferMoved | CalendarApplied, source: str, to: tuple[str, ...], at: int
    ) -> Step:
        self.seq += 1
        event = f"0198f6c0-0000-7000-8000-{self.seq:012d}"
        said = Said(event, source, to, to, self.seq, at, at, members().size, "TR-1", body)
        told = step(self.case, said, self.around)
        self.case = told.case
        return told

    def move(self, move: str, at: int, source: str = NANJING, **more: Any) -> Step:
        other = SUZHOU if source == NANJING else NANJING
        return self.say(moving("own_case", move, more.pop("happened_at", at), **more), source, (other,), at)


def test_whoever_must_act_extends_its_term_and_the_change_is_told() -> None:
    own = OwnCase()
    told = own.move("extend", MORNING + DAY, rule="A9", extension="head", text="案情复杂")
    assert refused(told) is None
    assert [(change.what, change.why, change.clock.key) for change in told.changes] == [("moved", "extension", "A9/1")]
    assert told.changes[0].clock.due_at > told.changes[0].before.due_at
    assert told.case.state == "filed"
    assert told.case.facts[-1].scope == "A9"


def test_a_term_stands_still_on_a_ground_of_its_rule_and_runs_again() -> None:
    own = OwnCase()
    told = own.move("suspend", MORNING + DAY, ground="hearing")
    assert [(change.what, change.grounds) for change in told.changes] == [("suspended", ("hearing",))]
    told = own.move("resume", MORNING + 5 * DAY, ground="hearing")
    assert [change.what for change in told.changes] == ["resumed"]
    assert told.case.facts[-1].scope is None


def test_a_suspension_may_name_the_one_term_that_it_is_of() -> None:
    own = OwnCase()
    assert refused(own.move("suspend", MORNING + DAY, ground="hearing", rule="A1")) == "clock_does_not_know"
    told = own.move("suspend", MORNING + DAY + 1, ground="hearing", rule="A9")
    assert told.case.facts[-1].scope == "A9"
    assert told.changes != ()


@pytest.mark.parametrize(
    ("move", "more", "named"),
    [
        ("extend", {"rule": "A9", "extension": "late_notice"}, "A9/late_notice"),
        ("extend", {"rule": "A8", "extension": "late_notice"}, "A8/late_notice"),
        ("suspend", {"ground": "inspection"}, "检验"),
        ("resume", {"ground": "made_up"}, "made_up"),
    ],
)
def test_what_no_running_clock_knows_has_no_effect(move: str, more: dict[str, Any], named: str) -> None:
    told = OwnCase().move(move, MORNING + DAY, **more)
    assert told.refused is not None
    assert told.refused.rule == "clock_does_not_know"
    assert named in told.refused.zh
    assert told.changes == ()
    assert len(told.case.facts) == 1


@pytest.mark.parametrize(
    ("move", "more", "missing"),
    [
        ("extend", {"extension": "head"}, "rule"),
        ("extend", {"rule": "A9"}, "extension"),
        ("extend", {"rule": "A9", "extension": "collective"}, "length"),
        ("extend", {"rule": "A9", "extension": "collective", "length": 0}, "length"),
        ("extend", {"rule": "A9", "extension": "collective", "length": 1_001}, "length"),
        ("suspend", {}, "ground"),
        ("resume", {"ground": ""}, "ground"),
    ],
)
def test_a_move_on_a_term_says_which_and_by_how_much(move: str, more: dict[str, Any], missing: str) -> None:
    told = OwnCase().move(move, MORNING + DAY, **more)
    assert told.refused is not None
    assert told.refused.rule == "incomplete_move"
    assert f"（{missing}）" in told.refused.zh


def test_a_term_is_extended_by_nobody_but_whoever_must_act() -> None:
    told = OwnCase().move("extend", MORNING + DAY, source=SUZHOU, rule="A9", extension="head")
    assert told.refused is not None
    assert told.refused.rule == "not_yours_to_make"
    assert "办案机关" in told.refused.zh


def test_an_extension_after_the_end_has_no_effect_but_one_entered_late_has() -> None:
    own = OwnCase()
    assert own.case is not None
    due = own.case.clocks[0].due_at
    assert due is not None
    late = own.move("extend", due + DAY, rule="A9", extension="head")
    assert late.refused is not None
    assert late.refused.rule == "clock_does_not_know"
    assert "2026-05-1" in late.refused.zh
    told = own.move("extend", due + 2 * DAY, rule="A9", extension="head", happened_at=due - HOUR)
    assert refused(told) is None
    assert [(change.what, change.before.told_state) for change in told.changes] == [("moved", "expired")]
    assert told.case.clocks[0].told_state == "running"


def test_an_extension_that_may_come_at_any_time_has_effect_after_the_end() -> None:
    rules = tuple(
        replace(rule, extensions=tuple(replace(one, granted="any_time") for one in rule.extensions))
        for rule in clock_rules().rules
    )
    own = OwnCase(replace(clock_rules(), rules=rules))
    assert own.case is not None
    due = own.case.clocks[0].due_at
    assert due is not None
    told = own.move("extend", due + DAY, rule="A9", extension="head")
    assert refused(told) is None
    assert told.case.clocks[0].told_state == "running"


def test_an_extension_is_granted_as_often_as_the_rule_allows() -> None:
    own = OwnCase()
    assert refused(own.move("extend", MORNING + DAY, rule="A9", extension="head")) is None
    again = own.move("extend", MORNING + 2 * DAY, rule="A9", extension="head")
    assert again.refused is not None
    assert again.refused.rule == "clock_does_not_know"
    assert "次数已用完" in again.refused.zh
    stated = [own.move("extend", MORNING + n * DAY, rule="A9", extension="collective", length=10) for n in (3, 4)]
    assert [refused(told) for told in stated] == [None, None]


def test_an_extension_that_states_no_length_leaves_the_term_without_an_end() -> None:
    stage = assistance()
    told = stage.move("extend", NINGBO, NANJING, rule="A8", extension="late_notice", text="届满前告知")
    assert refused(told) is None
    assert told.case.clocks[0].due_at is None
    assert stage.wait(MORNING + 400 * DAY) == []


def test_a_term_that_was_met_is_extended_no_more() -> None:
    own = OwnCase()
    own.move("decide", MORNING + DAY)
    assert refused(own.move("extend", MORNING + 2 * DAY, rule="A9", extension="head")) == "case_closed"
    stage = referral()
    stage.move("accept", stage.now.parts[1].participant, NINGBO)
    met = stage.move("extend", stage.now.parts[1].participant, NINGBO, rule="C4", extension="complex")
    assert refused(met) == "clock_does_not_know"


def test_a_move_of_an_end_by_a_calendar_is_not_told_as_the_extension_before_it() -> None:
    own = OwnCase()
    years = tuple(year for year in members().calendar.years if year.year < 2026)
    own.around = replace(own.around, registry=replace(members(), calendar=Calendar(years)))
    own.case = None
    own.say(opening("own_case"), NANJING, (SUZHOU,), MORNING)
    own.move("extend", MORNING + DAY, rule="A9", extension="head")
    own.around = replace(own.around, registry=members(), before=own.around.registry)
    applied = CalendarApplied(year=2026, calendar_event="e")
    told = own.say(applied, "exchange.operator", (), MORNING + 2 * DAY)
    assert [(change.what, change.why) for change in told.changes] == [("moved", "calendar")]


def test_every_other_party_is_told_of_an_extension_too() -> None:
    own = OwnCase()
    alone = own.say(moving("own_case", "extend", MORNING, rule="A9", extension="head"), NANJING, (), MORNING + DAY)
    assert refused(alone) == "every_party_is_told"


def test_the_opener_extends_for_an_organ_outside_the_exchange() -> None:
    stage = Stage()
    outside = OutsideOrgan(name="广州市市场监督管理局", division="440100", organ_type="market_regulator")
    stage.open("assistance", NANJING, outside=outside)
    assert refused(stage.move("extend", NANJING, rule="A8", extension="late_notice")) is None
    assert refused(stage.move("extend", NINGBO_COURT, rule="A8", extension="late_notice")) == "not_party"
