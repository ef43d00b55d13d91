"""The whole exchange as ``ipx up`` starts it: prepared, ready, and back after each of its processes is killed."""

from __future__ import annotations

import json
import os
import signal

import pytest

from services.platform.parts import EXCHANGE
from services.platform.state import read_state
from tests.broker.waiting import wait_until
from tests.conftest import run_ipx

PROCESSES = tuple(part.name for part in EXCHANGE)
BACK_WITHIN_S = 90


@pytest.fixture(scope="module")
def running(make_exchange):
    """An exchange of this module's own, its processes under a supervisor, on the platform of the run."""
    with make_exchange() as exchange:
        up = exchange.ipx("up", timeout_s=200)
        try:
            assert up.returncode == 0, up.stdout + up.stderr
            yield exchange
        finally:
            exchange.ipx("down", timeout_s=100)


def status(exchange) -> dict:
    return json.loads(exchange.ipx("status", "--json").stdout)


def test_every_process_is_ready_and_the_services_of_others_are_used(running):
    seen = status(running)
    assert seen["ready"], seen
    assert seen["bootstrap"] == "done"
    conditions = {name: part["condition"] for name, part in seen["parts"].items()}
    services = dict.fromkeys(("postgres", "kafka", "registry"), "external")
    assert conditions == {**services, **dict.fromkeys(PROCESSES, "ready")}


def test_lag_names_every_participant_and_part(running):
    told = json.loads(running.ipx("lag", "--json").stdout)
    assert set(told["parts"]) == {"admission", "gateway", "clues", "receipts", "transfers"}
    assert told["parts"]["admission"]["records"] == 0
    assert "320100.market_regulator" in told["participants"]


def test_a_second_up_changes_nothing(running):
    before = status(running)
    again = running.ipx("up")
    assert (again.returncode, "already up" in again.stderr) == (0, True)
    assert status(running) == before


def test_each_killed_process_is_back_at_its_port_and_ready(running):
    before = status(running)["parts"]
    for name in PROCESSES:
        os.kill(before[name]["pid"], signal.SIGKILL)

    after = wait_until(
        lambda: seen if _all_new(seen := status(running), before) else None,
        BACK_WITHIN_S,
        lambda: status(running),
        every_s=1,  # each is a command, and takes from them what they need to come back
    )
    for name in PROCESSES:
        assert after["parts"][name]["restarts"] == 1
        assert after["parts"][name]["port"] == before[name]["port"]


def _all_new(seen: dict, before: dict) -> bool:
    return seen["ready"] and all(seen["parts"][name]["pid"] != before[name]["pid"] for name in PROCESSES)


def test_down_ends_the_processes_and_leaves_the_services_of_others(running):
    said = running.ipx("down", timeout_s=100)
    assert said.stdout == f"stopped: {', '.join(reversed(PROCESSES))}\n"
    state = read_state(running.state_dir / "state.json")
    assert state is not None
    assert all(part.pid is None for part in state.parts.values())
    assert run_ipx("topics", "list", environ=running.environ).returncode == 0
