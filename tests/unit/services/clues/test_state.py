"""The transition table and what is read out of a clue."""

from __future__ import annotations

from services.clues.state import MADE_BEFORE, TERMINAL, TRANSITIONS, Clue, Holding, Report, Stage, decode, encode
from services.events.clue import ClueReported, ClueVerified

A, B, ORIGIN = "330100.market_regulator", "330200.market_regulator", "320100.market_regulator"


def clue(*stages: Stage) -> Clue:
    holdings = tuple(Holding(name, stage) for name, stage in zip((A, B), stages, strict=False))
    return Clue(7, (Report("r1", ORIGIN, 5, (A, B)),), holdings, ("r1",), (A, B, ORIGIN))


def test_the_table_has_every_stage_and_nothing_leads_out_of_an_end() -> None:
    assert set(TRANSITIONS) == set(Stage)
    assert all(TRANSITIONS[stage] == {} for stage in TERMINAL)


def test_no_stage_is_reached_that_the_table_does_not_have_a_way_to() -> None:
    reached = {target for moves in TRANSITIONS.values() for target in moves.values()}
    assert reached == {Stage.ACCEPTED, Stage.RETURNED, Stage.VERIFIED, Stage.FILED, Stage.NOT_FILED}


def test_what_was_made_before_is_never_possible_again() -> None:
    assert all(not moves & set(TRANSITIONS[stage]) for stage, moves in MADE_BEFORE.items())


def test_the_clue_stands_where_its_furthest_holder_stands() -> None:
    assert clue(Stage.REPORTED, Stage.VERIFIED).stage is Stage.VERIFIED
    assert clue(Stage.NOT_FILED, Stage.REPORTED).stage is Stage.REPORTED
    assert clue(Stage.NOT_FILED, Stage.RETURNED).stage is Stage.RETURNED
    assert clue(Stage.NOT_FILED, Stage.NOT_FILED).stage is Stage.NOT_FILED
    assert Clue().stage is Stage.UNKNOWN


def test_what_is_possible_names_who_may_do_it() -> None:
    possible = clue(Stage.ACCEPTED, Stage.RETURNED).possible()
    assert ClueVerified.TYPE in possible[A]
    assert possible[ORIGIN] == (ClueReported.TYPE,)
    assert B not in possible


def test_nothing_is_possible_once_an_organ_has_filed() -> None:
    filed = clue(Stage.FILED, Stage.RETURNED)
    assert filed.possible() == {}
    assert filed.filed_by == A
    assert not filed.may_be_reported_again


def test_the_stored_form_is_read_back_as_it_was() -> None:
    for before in (Clue(), clue(Stage.FILED, Stage.RETURNED), Clue(referred=True)):
        assert decode(encode(before)) == before
