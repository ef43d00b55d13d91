"""A city's system that is down, slow, refusing or answering nonsense leaves the others unaffected, and loses nothing itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from services.demo.conduct import Outcome, Standing
from services.demo.scenario import Expectation, Scenario, load_scenarios
from tests.system.conftest import World

HEFEI = "340100.market_regulator"
NORMAL = {"mode": "normal"}
OTHERS = ("customs", "overseas-holder", "public-report", "non-member")
LIMIT_S = 40.0


@pytest.fixture(autouse=True)
def healed(world: World) -> Iterator[None]:
    """Hefei's system works again after each test."""
    yield
    world.stage.desks[HEFEI].trouble(NORMAL)


def to_hefei() -> Scenario:
    """Sanmen hands its makers' clue to Hefei, which files: the middle of the case of nine provinces."""
    (whole,) = load_scenarios(names=("nine-provinces",))
    steps = tuple(step for step in whole.steps if step.clue == "maker")
    ends = tuple(end for end in whole.expectations if end.clue == "maker")
    return replace(whole, name="hefei", steps=steps, expectations=ends)


@pytest.mark.parametrize(
    "trouble",
    [
        {"mode": "down"},
        {"mode": "nonsense", "where": "both", "kind": "html"},
        {"mode": "hollow", "where": "push"},
        {"mode": "slow", "where": "push", "seconds": 15},
    ],
    ids=lambda trouble: "-".join(str(trouble[key]) for key in ("mode", "kind") if key in trouble),
)
def test_others_go_on_while_one_system_is_in_trouble_and_its_own_clue_waits(
    world: World, trouble: dict[str, object]
) -> None:
    desk = world.stage.desks[HEFEI]
    healed_at: list[float] = []

    def heal(standing: Standing) -> None:
        if not healed_at and standing.cases_ended >= set(OTHERS):
            healed_at.append(time.monotonic() - began)
            assert "hefei" not in standing.cases_ended
            desk.trouble(NORMAL)

    desk.trouble(trouble)
    began = time.monotonic()
    outcome = world.play_these((*load_scenarios(names=OTHERS), to_hefei()), watch=heal)
    assert outcome.failures == ()
    assert healed_at, "the others never came to their ends while Hefei was in trouble"
    assert healed_at[0] < LIMIT_S
    assert (outcome.tally.gaps, outcome.tally.repeats) == (0, 0)
    assert kept_once(world, outcome)


def test_a_refusal_is_told_to_the_sender_and_tried_no_more(world: World) -> None:
    desk = world.stage.desks[HEFEI]
    desk.trouble({"mode": "refuse", "where": "push", "code": "1007", "text": "相关案件已结案"})
    report = to_hefei().steps[0]
    end = Expectation("maker", "declined_by_city", HEFEI, "closed", None, None, "", "Hefei's system refuses it")
    outcome = world.play_these((replace(to_hefei(), steps=(report,), expectations=(end,)),))
    assert outcome.failures == ()
    (declined,) = outcome.tally.declined.values()
    assert declined.reason == "相关案件已结案"
    answers = str(world.stage.desks["331022.market_regulator"].holdings()["answers"])
    assert declined.event in answers
    assert "相关案件已结案" in answers


def kept_once(world: World, outcome: Outcome) -> bool:
    """Whether Hefei's system holds each event that it took exactly once."""
    holdings = world.stage.desks[HEFEI].holdings()
    keys = [row["mdj"] for row in (*holdings["clues"], *holdings["answers"])]
    taken = [event for event, recipient in outcome.tally.committed if recipient == HEFEI]
    return bool(taken) and len(keys) == len(set(keys))
