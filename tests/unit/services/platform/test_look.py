"""How the platform is seen when nothing runs, when it runs, and when its supervisor is gone."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from services.kernel.errors import Transient
from services.platform import look as module
from services.platform.layout import Layout
from services.platform.look import look
from services.platform.parts import PARTS
from services.platform.processes import created_at
from services.platform.settings import PlatformSettings
from services.platform.state import Condition, PartState, PlatformState, write_state

ME = {"pid": os.getpid(), "created": created_at(os.getpid())}
GONE = {"pid": os.getpid(), "created": 1.0}


@pytest.fixture
def see(tmp_path, monkeypatch):
    """Looks at a state, with these parts not answering."""

    def at(state: PlatformState | None, **silent: str):
        def probe(name: str):
            def ask(_site):
                if name in silent:
                    raise Transient(silent[name])

            return ask

        monkeypatch.setattr(module, "PARTS", tuple(replace(part, probe=probe(part.name)) for part in PARTS))
        if state is not None:
            write_state(tmp_path / "state.json", state)
        return look(Layout(tmp_path), PlatformSettings.load({"IPX_STATE_DIR": str(tmp_path)}))

    return at


def running(part: PartState, *, supervisor=ME) -> PlatformState:
    return PlatformState(**supervisor, ports={"kafka": 1}, parts={"kafka": part}, bootstrap="done")


def test_where_nothing_ever_ran_it_is_down(see):
    assert (see(None).condition, see(None).ready) == ("down", False)


def test_a_part_that_runs_and_answers_is_ready(see):
    sight = see(running(PartState(Condition.READY, **ME)))
    assert (sight.condition, sight.ready) == ("up", True)
    assert (sight.parts[0].condition, sight.parts[0].error) == ("ready", None)


def test_a_part_that_runs_and_does_not_answer_is_unwell_with_its_reason(see):
    sight = see(running(PartState(Condition.READY, **ME)), kafka="no answer in time")
    assert (sight.condition, sight.ready) == ("up", False)
    assert (sight.parts[0].condition, sight.parts[0].error) == ("unwell", "no answer in time")


def test_a_part_that_is_being_restarted_says_how_it_ended(see):
    part = PartState(Condition.RESTARTING, restarts=3, error="ended with signal SIGKILL")
    (seen,) = see(running(part)).parts
    assert (seen.condition, seen.answers, seen.restarts, seen.error) == ("restarting", False, 3, part.error)


def test_after_the_supervisor_has_gone_with_its_parts_everything_is_stopped(see):
    sight = see(running(PartState(Condition.READY, **GONE), supervisor=GONE))
    assert (sight.condition, sight.supervisor_pid) == ("down", None)
    assert (sight.parts[0].condition, sight.parts[0].pid) == ("stopped", None)


def test_parts_that_outlived_their_supervisor_are_abandoned(see):
    sight = see(running(PartState(Condition.READY, **ME), supervisor=GONE))
    assert (sight.condition, sight.ready) == ("abandoned", False)
    assert (sight.parts[0].condition, sight.parts[0].answers) == ("ready", True)


def test_somebody_elses_service_is_asked_too(see):
    external = PartState(Condition.EXTERNAL)
    assert see(running(external)).ready
    sight = see(running(external), kafka="away")
    assert (sight.ready, sight.parts[0].condition, sight.parts[0].error) == (False, "external", "away")


def test_a_platform_that_is_not_done_is_starting(see):
    state = running(PartState(Condition.READY, **ME))
    assert see(replace(state, bootstrap="topics")).condition == "starting"
    assert see(running(PartState(Condition.STARTING, **ME))).condition == "starting"
    waiting = see(running(PartState(Condition.WAITING)))
    assert (waiting.condition, waiting.parts[0].condition) == ("starting", "waiting")
