"""Every published case comes to its expected ends on the real exchange, and the numbers say that nothing was lost or repeated."""

from __future__ import annotations

import pytest

from services.demo.conduct import Outcome
from services.demo.scenario import load_scenarios
from services.demo.tally import Tally
from tests.system.conftest import World

NAMES = [scenario.name for scenario in load_scenarios()]


@pytest.mark.parametrize("name", NAMES)
def test_the_case_comes_to_every_end_that_is_expected(undisturbed: Outcome, name: str) -> None:
    told = next(case for case in undisturbed.cases if case.name == name)
    assert [f"{e.end} of {e.clue}: {e.en}" for e in told.missing] == []
    assert told.came


def test_everything_came_to_rest_without_gap_or_repeat(undisturbed: Outcome) -> None:
    assert undisturbed.outstanding == ()
    assert (undisturbed.tally.gaps, undisturbed.tally.repeats) == (0, 0)


def test_every_event_was_admitted_or_refused_and_every_copy_taken_or_declined(undisturbed: Outcome) -> None:
    summary = undisturbed.tally.summary(0)
    assert summary["published"] == summary["admitted"] + summary["refused"]
    assert summary["delivered"] == summary["committed"] + summary["rejected_by_city"]
    promised = sum(len(entry.deliveries) for entry in undisturbed.tally.entries.values())
    assert summary["delivered"] == promised
    assert summary["admitted"] > 254
    assert summary["returned_results"] >= 9


def test_the_refused_event_is_told_to_its_own_city_in_words(undisturbed: Outcome, world: World) -> None:
    (refusal,) = undisturbed.tally.refusals.values()
    assert refusal.code == "addressee-not-a-member"
    answers = world.stage.desks["320576.market_regulator"].holdings()["answers"]
    told = [row["nr"] for row in answers if row["nr"].get("sjbh") == refusal.event]
    assert [answer["jjdm"] for answer in told] == ["addressee-not-a-member"]
    assert "接收方不是成员" in str(told)
    assert "440100.market_regulator" in (refusal.message_en or "")


def test_results_are_in_the_origins_own_system(undisturbed: Outcome, world: World) -> None:
    for _, result in undisturbed.tally.results.values():
        shown = str(world.stage.desks[result.origin].holdings()["answers"])
        assert result.report_event in shown
        assert (result.case_number or result.handled_by) in shown


def test_a_public_report_is_in_no_other_organs_inbox(undisturbed: Outcome) -> None:
    reports = [subject for subject, _ in undisturbed.tally.referrals.values()]
    assert len(reports) == 1
    entries = [e for e in undisturbed.tally.entries.values() if e.statement.subject == reports[0]]
    by_source = {e.statement.source: [d.recipient for d in e.deliveries] for e in entries}
    assert by_source == {"320100.market_regulator": [], "exchange.clues": ["320100.market_regulator"]}


def test_what_is_counted_offline_is_what_the_case_systems_hold(undisturbed: Outcome, world: World) -> None:
    tally: Tally = undisturbed.tally
    for organ, desk in world.stage.desks.items():
        committed = {event for event, recipient in tally.committed if recipient == organ}
        holdings = desk.holdings()
        shown = str(holdings["clues"]) + str(holdings["answers"])
        assert [event for event in committed if event not in shown] == []
        keys = [row["mdj"] for row in holdings["clues"]]
        assert len(keys) == len(set(keys)), f"{organ} holds a clue twice"
