"""What the transfers room says, to whom: parties, whoever had a copy, and strangers, who learn nothing."""

from __future__ import annotations

from dataclasses import replace

from services.cases.laws import load_laws
from services.cases.possibilities import parties
from services.cases.state import Part
from services.cases.steps import ClockChange
from services.events.notice import ClockStarted, ClockStopped, ClockSuspended
from services.events.transfer import MoveHadNoEffect
from services.transfers.answers import clock_events
from tests.unit.services.cases.docket import Docket
from tests.unit.services.cases.stage import HAISHU, HOUR, MORNING, NANJING, NINGBO, SUZHOU
from tests.unit.services.transfers.room_stage import Stage, moved, opened


def answers(stage: Stage, *args: object, **how: object) -> list[tuple[tuple[str, ...], MoveHadNoEffect]]:
    """What is said of a move that has no effect, by addressee."""
    folded = stage.say(*args, **how)  # type: ignore[arg-type]
    found = []
    for emission in folded.emissions:
        assert isinstance(emission.event, MoveHadNoEffect)
        found.append((emission.addressee, emission.event))
    return found


def test_a_party_is_told_the_rule_the_state_and_what_is_possible() -> None:
    stage = Stage()
    stage.open()
    [(to, answer)] = answers(stage, moved("accept", MORNING + HOUR), NANJING, NINGBO)
    assert to == (NANJING, NINGBO)
    assert (answer.rule, answer.kind, answer.attempted) == ("not_yours_to_make", "assistance_request", "accept")
    assert (answer.attempted_by, answer.attempted_event) == (NANJING, stage.log[-1].id)
    assert (answer.state, {each.participant for each in answer.possible}) == ("requested", {NANJING, NINGBO})
    assert answer.explanation_zh
    assert answer.explanation_en


def test_a_stranger_is_told_what_it_would_be_told_if_there_were_no_such_case() -> None:
    known, unknown = Stage(), Stage()
    known.open()
    unknown.log.append(known.log[0])
    move = moved("finish", MORNING + HOUR, text="x")
    told, untold = answers(known, move, SUZHOU), answers(unknown, move, SUZHOU)
    assert told == untold
    [(to, answer)] = told
    assert (to, answer.rule, answer.kind, answer.possible) == ((SUZHOU,), "unknown_case", None, ())


def test_whoever_had_a_copy_of_a_stranger_s_move_is_told_as_it_stands_to_the_case() -> None:
    stage = Stage()
    stage.open()
    told = dict(answers(stage, moved("finish", MORNING + HOUR, text="x"), SUZHOU, NANJING, HAISHU))
    assert {to: answer.rule for to, answer in told.items()} == {
        (NANJING,): "not_party",
        (SUZHOU, HAISHU): "unknown_case",
    }


def test_a_stranger_that_opens_a_number_that_is_taken_is_told_so_and_no_more() -> None:
    stage = Stage()
    stage.open()
    told = answers(stage, opened(), SUZHOU, HAISHU)
    [(to, answer)] = told
    assert (to, answer.rule, answer.kind) == ((SUZHOU, HAISHU), "opened_already", None)
    assert NANJING not in answer.explanation_zh


def test_what_is_wrong_with_the_opening_of_no_case_is_told_as_it_is() -> None:
    [(to, answer)] = answers(Stage(), opened(requests=None), NANJING, NINGBO)
    assert (to, answer.rule) == ((NANJING, NINGBO), "incomplete_move")


def test_the_parts_of_the_exchange_are_told_nothing() -> None:
    stage = Stage()
    assert answers(stage, moved("finish", MORNING, text="x"), "exchange.operator") == []


def test_a_stop_names_the_event_that_told_it() -> None:
    stage = Stage()
    stage.open()
    stage.say(moved("finish", MORNING + HOUR, text="x"), NINGBO, NANJING)
    stopped = stage.said[-1].event
    assert isinstance(stopped, ClockStopped)
    assert (stopped.stop_event, stopped.was_state, stopped.verdict.state) == (stage.log[1].id, "running", "met")


def to(changes: list[ClockChange], *whom: str) -> list[ClockChange]:
    return [replace(change, parties=whom) for change in changes]


def test_a_suspension_names_its_grounds() -> None:
    docket = Docket()
    docket.happens("clue_received", "2026-02-09T10:00")
    changes = to(docket.happens("testing", "2026-02-10T10:00", kind="suspended"), NANJING)
    [emission] = clock_events(docket.case, changes, docket.around)
    assert isinstance(emission.event, ClockSuspended)
    assert (emission.event.grounds, emission.event.verdict.due_at) == (("testing",), None)


def test_more_parties_than_one_statement_can_name_are_told_in_two() -> None:
    docket = Docket()
    others = tuple(Part("asked", f"{320000 + number}.market_regulator") for number in range(70))
    docket.case = replace(docket.case, parts=(*docket.case.parts, *others, Part("asked", "某局", outside=True)))
    changes = to(docket.happens("clue_received", "2026-02-09T10:00"), *parties(docket.case))
    first, second = clock_events(docket.case, changes, docket.around)
    assert isinstance(first.event, ClockStarted)
    assert first.event == second.event
    assert (len(first.addressee), len(second.addressee)) == (64, 8)
    assert (first.ordinal, second.ordinal) == (0, 512)


def test_without_a_change_nothing_is_said() -> None:
    docket = Docket()
    assert clock_events(docket.case, (), load_laws().by(docket.around.registry)) == ()
