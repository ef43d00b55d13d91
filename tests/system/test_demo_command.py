"""``ipx demo`` as a user runs it: the tables in words, one JSON object on the last line, and a second run beside the first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.platform import launch
from services.platform.layout import Layout
from tests.system.conftest import DemoRun, run_demo

KEYS = [
    "published",
    "admitted",
    "refused",
    "delivered",
    "committed",
    "rejected_by_city",
    "returned_results",
    "gaps",
    "repeats",
    "seconds",
]


REFERRAL = ("--scenario", "referral")


def numbers(run: DemoRun) -> dict[str, float]:
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def second_run(first_run: DemoRun) -> DemoRun:
    """The same again, on what the first left."""
    return run_demo(
        first_run.state_dir, first_run.environ, "--scenario", "battery", "--scenario", "non-member", *REFERRAL
    )


def test_the_first_run_ends_well(first_run: DemoRun) -> None:
    assert first_run.code == 0, first_run.stderr[-6000:]
    assert "did not come" not in first_run.stderr


def test_the_last_line_is_one_json_object_with_exactly_these_keys(first_run: DemoRun) -> None:
    told = numbers(first_run)
    assert list(told) == KEYS
    assert len(first_run.stdout.splitlines()) == 1
    assert (told["gaps"], told["repeats"]) == (0, 0)
    assert told["published"] == told["admitted"] + told["refused"]
    assert told["delivered"] == told["committed"] + told["rejected_by_city"]
    assert told["published"] > 254
    assert (told["refused"], told["rejected_by_city"]) == (1, 1)
    assert told["seconds"] > 0


def test_the_table_says_in_both_languages_how_each_case_ended(first_run: DemoRun) -> None:
    words = "".join(first_run.stderr.split())
    for said in ("苏州立案", "Suzhoufiled", "一个签名", "onesignature"):
        assert said in words
    assert "✗" not in words
    assert "0gaps,0repeats" in words


def test_a_second_run_plays_new_clues_beside_the_first(second_run: DemoRun) -> None:
    assert second_run.code == 0, second_run.stderr[-6000:]
    told = numbers(second_run)
    assert list(told) == KEYS
    assert (told["refused"], told["gaps"], told["repeats"]) == (1, 0, 0)
    assert 5 < told["published"] < 50


def test_a_case_that_is_handed_over_is_told_with_its_clocks(second_run: DemoRun) -> None:
    words = "".join(second_run.stderr.split())
    for said in ("三门县局移送案件", "期限C12/1：计算中", "C6/1:metintime,due", "331022.market_regulator"):
        assert said in words


def test_an_exchange_that_was_up_before_is_left_up(second_run: DemoRun) -> None:
    assert second_run.was_up_before
    assert launch.is_up(Layout(second_run.state_dir))


def test_a_case_that_there_is_not_is_answered_with_those_that_there_are(first_run: DemoRun) -> None:
    wrong = run_demo(first_run.state_dir, first_run.environ, "--scenario", "nowhere")
    assert wrong.code == 1
    assert "handover" in wrong.stderr
    assert wrong.stdout == ""


def test_an_end_that_does_not_come_is_named_and_the_exit_code_is_1(first_run: DemoRun, second_run: DemoRun) -> None:
    late = run_demo(first_run.state_dir, first_run.environ, "--scenario", "battery", "--within", "0.5")
    assert late.code == 1
    assert "ipx: did not come: battery" in late.stderr
    assert list(numbers(late)) == KEYS


def test_the_logs_of_every_process_are_in_one_directory(first_run: DemoRun) -> None:
    names = {path.stem for path in Path(first_run.state_dir / "logs").glob("*.log")}
    assert names >= {"admission", "gateway", "clues", "receipts", "relay", "node-nanjing", "system-customs-2300"}
