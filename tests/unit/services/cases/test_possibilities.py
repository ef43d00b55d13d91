"""What each party may do now, and for whom it may speak."""

from __future__ import annotations

from dataclasses import replace

from services.cases.fold import possible
from services.cases.possibilities import actor_roles, parties, roles_for, rule_of
from services.cases.state import Case, Part
from services.events.transfer import OutsideOrgan
from tests.unit.services.cases.stage import (
    DAY,
    NANJING,
    NATION,
    NINGBO,
    NINGBO_POLICE,
    Stage,
    around,
    assistance,
    referral,
    tables,
)


def moves(stage: Stage) -> dict[str, tuple[str, ...]]:
    return {each.participant: each.moves for each in possible(stage.now, around())}


def test_nothing_is_possible_on_a_case_that_nobody_opened() -> None:
    assert possible(Case("TR-1"), around()) == ()


def test_what_is_possible_follows_the_state_and_the_role() -> None:
    stage = referral()
    assert moves(stage) == {NINGBO_POLICE: ("forward", "accept")}
    stage.move("accept", NINGBO_POLICE, NINGBO)
    assert moves(stage) == {NINGBO_POLICE: ("forward", "refuse", "file", "extend")}
    stage.move("file", NINGBO_POLICE, NINGBO)
    assert moves(stage) == {NINGBO: ("hand_over",)}


def test_what_was_made_once_is_possible_no_more() -> None:
    stage = assistance()
    stage.move("note", NANJING, NINGBO)
    assert moves(stage) == {NANJING: ("withdraw",), NINGBO: ("accept", "finish", "extend")}


def test_what_is_barred_is_not_among_what_is_possible() -> None:
    kind = tables().kinds["assistance"]
    bar = replace(tables().kinds["handover"].bars[0], move="finish", by=("requested",))
    barred = replace(around(), tables=replace(tables(), kinds={"assistance": replace(kind, bars=(bar,))}))
    found = {each.participant: each.moves for each in possible(assistance().now, barred)}
    assert found[NINGBO] == ("accept", "note", "extend")


def test_an_expired_term_may_still_be_extended_since_a_grant_may_be_entered_late() -> None:
    stage = assistance()
    stage.wait(stage.now.clocks[0].due_at + DAY)
    assert "extend" in moves(stage)[NINGBO]


def test_a_term_that_still_runs_in_a_closed_case_is_extended_by_nobody() -> None:
    stage = assistance()
    closed = replace(stage.now, state="finished")
    assert closed.clocks[0].told_state == "running"
    assert possible(closed, around()) == ()


def test_the_opener_speaks_for_an_organ_outside_and_nobody_else_does() -> None:
    stage = Stage()
    outside = OutsideOrgan(name="广州市市场监督管理局", division="440100", organ_type="market_regulator")
    stage.open("assistance", NANJING, outside=outside)
    assert moves(stage) == {NANJING: ("accept", "note", "finish", "withdraw", "extend")}
    assert roles_for(stage.now, NANJING) == ("requester", "requested")
    kind = tables().kinds["assistance"]
    assert actor_roles(stage.now, kind, NANJING) == {"requested_organ"}
    joined = replace(stage.now, parts=(*stage.now.parts, Part("requester", NINGBO)))
    assert roles_for(joined, NINGBO) == ("requester",)
    assert actor_roles(joined, kind, NINGBO) == set()


def test_an_opener_that_left_its_case_speaks_for_nobody() -> None:
    case = Case("TR-1", parts=(Part("requested", "某局", outside=True),), facts=assistance().now.facts)
    assert case.opener == NANJING
    assert roles_for(case, NANJING) == ()


def test_a_party_is_a_member_with_a_part_named_once_and_no_part_of_the_exchange() -> None:
    parts = (
        Part("claimant", NINGBO),
        Part("competent", NINGBO),
        Part("superior", NATION),
        Part("other", "某局", outside=True),
        Part("other", "exchange.gateway"),
    )
    assert parties(Case("TR-1", parts=parts)) == (NINGBO, NATION)


def test_the_rule_of_a_clock_is_the_version_that_it_was_started_by() -> None:
    clock = assistance().now.clocks[0]
    rule = rule_of(clock, around())
    assert rule is not None
    assert rule.id == "A8"
    assert rule_of(replace(clock, valid_from=1), around()) is None
