"""Parts are killed with SIGKILL in the middle of the cases, under load: every end, and every number, equals an undisturbed run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from services.demo.conduct import Outcome, Standing
from services.demo.scenario import Scenario, load_scenarios
from tests.system.conftest import World


def cases() -> tuple[Scenario, ...]:
    """Some cases, and of the list that is handed over every third clue: enough load for everybody to be at work."""
    chosen = load_scenarios(names=("battery", "customs", "returned", "not-filed"))
    (handover,) = load_scenarios(names=("handover",))
    report, *moves = handover.steps
    forms = report.forms[::3]
    ends = tuple(replace(end, count=len(forms) if end.count else None) for end in handover.expectations)
    return (*chosen, replace(handover, steps=(replace(report, forms=forms), *moves), expectations=ends))


@pytest.fixture(scope="module")
def quiet(world: World) -> Outcome:
    """The same cases with nothing broken."""
    return world.play_these(cases())


def numbers(outcome: Outcome) -> dict[str, object]:
    """What must be equal: every count but the time, and what became of each case."""
    summary: dict[str, object] = dict(outcome.tally.summary(0))
    summary["cases"] = {case.name: [e.end for e in case.came] for case in outcome.cases}
    summary["without effect"] = sorted(said.rule for _, said in outcome.tally.without_effect.values())
    return summary


def kill_at(points: list[tuple[int, Callable[[], object]]]) -> Callable[[Standing], None]:
    """Does each thing once, when as many copies have come to an end."""
    left = list(points)

    def watch(standing: Standing) -> None:
        while left and standing.copies_ended >= left[0][0]:
            left.pop(0)[1]()

    return watch


def assert_equal_to(quiet: Outcome, disturbed: Outcome) -> None:
    assert disturbed.failures == ()
    assert numbers(disturbed) == numbers(quiet)
    assert (disturbed.tally.gaps, disturbed.tally.repeats) == (0, 0)


@pytest.mark.parametrize(
    "parts",
    [
        ("admission", "clues", "relay", "receipts", "admission"),
        ("gateway", "postgres", "registry"),
    ],
    ids=lambda parts: "+".join(parts),
)
def test_killed_parts_come_back_and_the_ends_are_the_same(world: World, quiet: Outcome, parts: tuple[str, ...]) -> None:
    killed: dict[str, int] = {}

    def kill(part: str) -> Callable[[], object]:
        return lambda: killed.update({part: world.kill(part)})

    points = [(5 + 25 * place, kill(part)) for place, part in enumerate(parts)]
    disturbed = world.play_these(cases(), watch=kill_at(points))
    assert set(killed) == set(parts)
    for part, pid in killed.items():
        world.wait_ready(part, not_pid=pid)
    assert_equal_to(quiet, disturbed)


def test_a_broker_that_is_killed_and_comes_back_loses_nothing(world: World, quiet: Outcome) -> None:
    killed: list[int] = []
    disturbed = world.play_these(cases(), watch=kill_at([(20, lambda: killed.append(world.kill("kafka")))]))
    assert len(killed) == 1
    world.wait_ready("kafka", not_pid=killed[0])
    assert_equal_to(quiet, disturbed)


def test_nodes_that_die_at_every_step_between_delivery_and_receipt_repeat_nothing(world: World, quiet: Outcome) -> None:
    points = {
        "node-ningbo": "node.after_store:2",
        "node-hefei": "node.after_push:20",
        "node-suzhou": "node.after_answer:10",
        "node-shanghai": "node.after_post:1",
        "node-taizhou": "node.before_store:2",
        "node-nanjing": "node.after_intake:1",
    }
    before = {name: world.stage.crew.starts(name) for name in points}
    for name, point in points.items():
        world.stage.crew.restart(name, {"IPX_FAULT_AT": point})
    disturbed = world.play_these(cases())
    died = {name for name in points if world.stage.crew.starts(name) > before[name]}
    assert died == set(points), "every armed node must have died once"
    assert_equal_to(quiet, disturbed)


def test_a_case_system_that_is_killed_only_delays_its_own_city(world: World, quiet: Outcome) -> None:
    def kill() -> None:
        os.kill(world.stage.crew.pid("system-340100-market_regulator"), signal.SIGKILL)

    disturbed = world.play_these(cases(), watch=kill_at([(30, kill)]))
    assert_equal_to(quiet, disturbed)
