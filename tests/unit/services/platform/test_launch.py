"""What is said when a start fails."""

from __future__ import annotations

import pytest

from services.platform.launch import FAILED_STARTS, TAIL_LINES, explain, failed_part, is_up, last_lines, late_part, stop
from services.platform.layout import Layout
from services.platform.state import Condition, PartState, PlatformState


def state(**parts: PartState) -> PlatformState:
    return PlatformState(parts=parts)


def test_a_part_has_failed_when_it_ended_again_and_again_without_being_ready_once():
    assert failed_part(state(kafka=PartState(Condition.RESTARTING, restarts=FAILED_STARTS))) == "kafka"
    assert failed_part(state(kafka=PartState(Condition.RESTARTING, restarts=FAILED_STARTS - 1))) is None


def test_a_part_that_was_ready_is_restarted_without_limit():
    assert failed_part(state(kafka=PartState(Condition.RESTARTING, restarts=1000, was_ready=True))) is None


def test_a_step_of_the_preparation_can_fail_too():
    assert failed_part(PlatformState(bootstrap="schemas failed 4 times, last with exit code 1")) is None
    assert failed_part(PlatformState(bootstrap="schemas failed 5 times, last with exit code 1")) == "bootstrap"


def test_a_failed_preparation_is_explained_with_its_step(tmp_path):
    said = explain(Layout(tmp_path), "bootstrap", None, "schemas failed 5 times, last with exit code 1")
    assert said.startswith("bootstrap did not start: schemas failed 5 times, last with exit code 1\n")


def test_when_the_time_is_over_the_one_that_keeps_the_others_waiting_is_named():
    waiting, starting = PartState(Condition.WAITING), PartState(Condition.STARTING)
    assert late_part(PlatformState(parts={"kafka": starting, "admission": waiting})) == "kafka"
    assert late_part(PlatformState(parts={"admission": waiting}, bootstrap="members")) == "bootstrap"
    assert late_part(PlatformState(parts={"admission": waiting}, bootstrap="done")) == "admission"
    assert late_part(PlatformState(bootstrap="done")) == "supervisor"


def test_the_explanation_has_the_part_the_reason_the_end_of_its_log_and_advice(tmp_path):
    layout = Layout(tmp_path)
    layout.logs.mkdir()
    layout.log("kafka").write_text("".join(f"line {n}\n" for n in range(50)), "utf-8")
    said = explain(layout, "kafka", PartState(error="ended with exit code 1")).splitlines()
    assert said[0] == "kafka did not start: ended with exit code 1"
    assert said[1] == f"last lines of {layout.log('kafka')}:"
    assert said[2:-1] == [f"  line {n}" for n in range(50 - TAIL_LINES, 50)]
    assert said[-1].startswith("what to do: the broker needs")


@pytest.mark.parametrize("name", ["bootstrap", "supervisor"])
def test_what_is_no_part_is_explained_too(tmp_path, name):
    assert explain(Layout(tmp_path), name, None).splitlines() == [
        f"{name} did not start: it did not say why",
        f"last lines of {tmp_path / 'logs' / name}.log:",
        "what to do: read the log",
    ]


def test_the_end_of_a_log_is_told_whatever_bytes_are_in_it(tmp_path):
    (tmp_path / "log").write_bytes(b"x" * 1_000_000 + b"\nabc\xff\nend")
    assert last_lines(tmp_path / "log", 2) == ("abc�", "end")
    assert last_lines(tmp_path / "none", 2) == ()


def test_a_directory_where_nothing_ran_is_down_and_stopping_it_stops_nothing(tmp_path):
    layout = Layout(tmp_path / "none")
    assert not is_up(layout)
    assert stop(layout).parts == ()
    assert not layout.root.exists()
