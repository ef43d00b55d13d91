"""Who must act for a clock: whoever had the part then, not whoever has it now."""

from __future__ import annotations

from dataclasses import replace

from services.cases.actors import actors_told
from services.cases.clocks import verdicts
from services.cases.possibilities import rule_of
from services.cases.state import Fact, Part
from services.cases.state_json import decode, encode
from tests.unit.services.cases.docket import Docket
from tests.unit.services.cases.stage import (
    DAY,
    HOUR,
    NANJING,
    NINGBO,
    NINGBO_POLICE,
    SUZHOU,
    SUZHOU_POLICE,
    around,
    referral,
)


def test_what_the_police_forwarded_late_is_their_breach_and_the_newcomers_clock_is_its_own() -> None:
    stage = referral()
    stage.move("forward", NINGBO_POLICE, NINGBO, SUZHOU_POLICE, at=stage.at + 4 * DAY)
    found = {clock.key: (judged.state, actors) for clock, judged, actors in verdicts(stage.now, around(), stage.at)}
    assert found["C4/1"] == ("late", (NINGBO_POLICE,))
    assert found["C4/2"] == ("running", (SUZHOU_POLICE,))
    told = {change.clock.key: change.actors for change in stage.steps[-1].changes}
    assert (told["C4/1"], told["C4/2"]) == ((NINGBO_POLICE,), (SUZHOU_POLICE,))
    assert decode(encode(stage.now)) == stage.now


def test_a_term_that_ran_out_stays_with_whoever_had_it_and_one_that_runs_goes_to_who_came_after() -> None:
    stage = referral()
    stage.move("accept", NINGBO_POLICE, NINGBO)
    running = next(clock for clock in stage.now.clocks if clock.rule == "C6")
    kind, rule = around().tables.kinds["referral"], rule_of(running, around())
    assert rule is not None
    assert running.due_at is not None
    newcomer = Part("police", SUZHOU_POLICE)
    now = running.due_at + 3 * DAY
    for at, actor in ((running.due_at - HOUR, SUZHOU_POLICE), (running.due_at + DAY, NINGBO_POLICE)):
        left = tuple(part for part in stage.now.parts if part.role == "police")
        fact = Fact("e-moved", NINGBO_POLICE, "move_case", at - 1, at, joined=(newcomer,), left=left)
        kept = tuple(part for part in stage.now.parts if part not in left)
        case = replace(stage.now, parts=(*kept, newcomer), facts=(*stage.now.facts, fact))
        clock = replace(running, told_state="expired")
        assert actors_told(case, kind, rule, clock) == (actor,)
        assert [actors for each, _, actors in verdicts(case, around(), now) if each.key == clock.key] == [(actor,)]


def test_who_must_act_are_the_members_of_the_roles_that_the_rule_names() -> None:
    docket = Docket()
    outside = Part("asked", "某局", outside=True)
    docket.case = replace(docket.case, parts=(Part("asker", NANJING), outside, Part("asked", SUZHOU)))
    [change] = docket.happens("assistance_requested", "2026-02-09T10:00")
    assert change.actors == (SUZHOU,)


def test_what_is_kept_of_a_clock_says_who_must_act_also_after_the_parts_have_changed() -> None:
    stage = referral()
    stage.move("accept", NINGBO_POLICE, NINGBO)
    stage.move("forward", NINGBO_POLICE, NINGBO, SUZHOU_POLICE, at=stage.at + DAY)
    kept = {clock.key: clock.actors for clock in stage.now.clocks}
    assert kept == {clock.key: actors for clock, _, actors in verdicts(stage.now, around(), stage.at)}
    assert {(SUZHOU_POLICE,), (NINGBO_POLICE,)} <= set(kept.values())
