"""What a run is told as: in both languages, with what did not come in the first place."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from services.demo.ends import Trail
from services.demo.play import Play
from services.demo.telling import cases_table, organs_table, outstanding, sentences, told_of
from tests.unit.services.demo.test_play import NANJING, NINGBO, expectation, result, scene

HOSTED = frozenset({NANJING, NINGBO})


def shown(table: object) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_a_case_whose_end_did_not_come_is_marked_and_one_whose_end_came_is_too(tmp_path: Path) -> None:
    it = scene(tmp_path)
    missing = told_of(it.play, it.trail, {})
    assert ([e.end for e in missing.missing], missing.came) == (["returned"], ())
    assert "✗" in shown(cases_table([missing]))
    it.admit(NANJING, NINGBO)
    it.tally.results["r"] = ("CL-320100-R1-case-a", result("returned", NINGBO, return_reason="duplicate"))
    came = told_of(it.play, it.trail, {})
    assert ([e.end for e in came.came], came.missing) == (["returned"], ())
    text = shown(cases_table([came]))
    assert "✓" in text
    assert "标题" in text
    assert "title" in text


def test_what_a_run_still_waits_for_is_named(tmp_path: Path) -> None:
    it = scene(tmp_path)
    event = it.admit(NANJING, NINGBO)
    lost = it.admit(NANJING, number="other", logged=False)
    lines = outstanding([it.play], it.trail, HOSTED)
    assert any("step not made: enter" in line for line in lines)
    assert any("not come: a returned (330200.market_regulator)" in line for line in lines)
    assert any(lost in line for line in lines)
    assert any(event in line and NINGBO in line for line in lines)


def test_a_run_at_rest_waits_for_nothing(tmp_path: Path) -> None:
    it = scene(tmp_path)
    done = Play(replace(it.play.scenario, steps=(), expectations=()), "R1", {})
    assert outstanding([done], Trail(it.tally), HOSTED) == ()


def test_what_is_read_off_a_screen_is_not_waited_for_in_the_log(tmp_path: Path) -> None:
    it = scene(tmp_path)
    ends = (expectation("shown", by=NANJING, text="x"), expectation("filed"), expectation("hidden", by=NANJING))
    play = Play(replace(it.play.scenario, expectations=ends), "R1", {})
    assert [e.end for e in play.awaited(it.trail)] == ["filed"]


def test_organs_are_told_what_they_sent_and_what_came(tmp_path: Path) -> None:
    it = scene(tmp_path)
    event = it.admit(NANJING, NINGBO)
    it.tally.delivered.add((event, NINGBO))
    it.tally.committed.add((event, NINGBO))
    text = shown(organs_table(it.tally, {NANJING: "南京 Nanjing", NINGBO: "宁波 Ningbo"}))
    assert "宁波 Ningbo" in text
    row = next(line for line in text.splitlines() if NINGBO in line)
    assert [cell.strip() for cell in row.split("│")[3:6]] == ["0", "1", "1"]


def test_copies_for_organs_without_a_node_are_said_to_wait(tmp_path: Path) -> None:
    it = scene(tmp_path)
    it.admit(NANJING, NINGBO)
    assert "1 copies wait in the inboxes of 1 organs" in " ".join(sentences(it.tally, frozenset({NANJING})))
    assert "wait in the inboxes" not in " ".join(sentences(it.tally, HOSTED))
