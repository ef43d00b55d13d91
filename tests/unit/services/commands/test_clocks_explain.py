"""``ipx clocks explain``: the vectors of domain 4.2, the hard days, and what has no answer, through the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.commands.clocks import command

NOTICE = """year = {year}
[[notice]]
title = "made up for tests"
number = "made up 1"
issued = {before}-11-20
confidence = "certain"
source = "made up for tests"
[[notice.holiday]]
zh = "元旦"
en = "New Year's Day"
first = {year}-01-01
last = {year}-01-04
working = []
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(command, ["explain", *words])


def ask(*words: str) -> dict[str, Any]:
    found = run(*words, "--json")
    assert found.exit_code == 0, found.output
    document: dict[str, Any] = json.loads(found.output)
    return document


def last_day(document: dict[str, Any]) -> str:
    """The last day in China: its last millisecond is what is due."""
    assert document["due_at"].endswith("T15:59:59.999Z")
    return str(document["due_at"][:10])


@pytest.mark.parametrize(
    ("rule", "begun", "expected"),
    [  # domain 4.2, computed there from the notice of 2026
        ("A1", "2026-02-09", "2026-03-06"),
        ("F6", "2026-02-09", "2026-03-27"),
        ("A1", "2026-09-21", "2026-10-19"),
        ("A3", "2026-09-18", "2026-09-29"),
        ("E1", "2026-09-03", "2026-10-08"),
    ],
)
def test_the_vectors_of_the_collected_facts_come_out(rule: str, begun: str, expected: str) -> None:
    assert last_day(ask(rule, "--from", begun)) == expected


def test_the_answer_has_what_the_issue_names_and_says_why_in_both_languages() -> None:
    found = ask("A1", "--from", "2026-02-09", "--at", "2026-02-10")
    assert (found["rule"], found["state"], found["provisional"]) == ("A1", "running", False)
    assert found["source"].startswith("市场监督管理行政处罚程序规定 18")
    assert "自 2026-02-09 次日起算 15 个工作日，跳过春节（2026-02-15 至 2026-02-23）" in found["explanation"]["zh"]
    assert "leaving out Spring Festival (2026-02-15 to 2026-02-23)" in found["explanation"]["en"]
    assert found["at"] == "2026-02-09T16:00:00.000Z"
    assert found["calendar_until"] >= 2026


def test_done_in_time_and_done_late_are_told_apart() -> None:
    met = ask("A1", "--from", "2026-02-09", "--to", "2026-03-06T23:59")
    late = ask("A1", "--from", "2026-02-09", "--stop", "2026-03-07T00:00")
    assert (met["state"], met["breach"]) == ("met", False)
    assert (late["state"], late["breach"], late["late_by_ms"]) == ("late", True, 1)


def test_a_stretch_that_does_not_count_moves_the_end_by_its_days() -> None:
    plain = ask("A9", "--from", "2026-02-09")
    longer = ask("A9", "--from", "2026-02-09", "--exclude", "2026-03-02..2026-03-12=testing")
    unnamed = ask("A9", "--from", "2026-02-09", "--exclude", "2026-03-02..2026-03-12")
    assert (last_day(plain), last_day(longer), last_day(unnamed)) == ("2026-05-11", "2026-05-20", "2026-05-20")
    assert "检测" in longer["explanation"]["zh"]
    assert "未写明" in unnamed["explanation"]["zh"]


def test_a_stretch_that_lasts_suspends_the_term_and_overlapping_ones_count_once() -> None:
    still = ask("A9", "--from", "2026-02-09", "--exclude", "2026-03-02..=testing")
    assert (still["state"], still["due_at"]) == ("suspended", None)
    two = ("--exclude", "2026-03-02..2026-03-09=testing", "--exclude", "2026-03-05..2026-03-12=hearing")
    assert last_day(ask("A9", "--from", "2026-02-09", *two)) == "2026-05-20"


def test_an_extension_counts_before_the_end_and_not_after_it() -> None:
    taken = ask("A9", "--from", "2026-02-09", "--extend", "head@2026-05-10")
    too_late = ask("A9", "--from", "2026-02-09", "--extend", "head@2026-05-12")
    assert (last_day(taken), last_day(too_late)) == ("2026-06-09", "2026-05-11")
    assert "届满之后" in too_late["explanation"]["zh"]


def test_a_stretch_on_a_ground_of_another_rule_has_no_effect_and_that_is_said() -> None:
    found = ask("C3", "--from", "2026-03-02T10:20", "--exclude", "2026-03-02T12:00..2026-03-03T12:00=testing")
    assert found["due_at"] == ask("C3", "--from", "2026-03-02T10:20")["due_at"] == "2026-03-03T03:00:00.000Z"
    assert "has no effect" in found["explanation"]["en"]


def test_a_term_of_hours_runs_from_the_next_hour_and_shows_the_stricter_reading() -> None:
    found = ask("C3", "--from", "2026-03-02T10:20")
    assert (found["due_at"], found["alarm_at"]) == ("2026-03-03T03:00:00.000Z", "2026-03-03T02:20:00.000Z")


def test_a_leap_day_is_a_day_and_months_end_on_the_last_of_a_shorter_one(tmp_path: Path) -> None:
    assert (
        last_day(ask("A8", "--from", "2024-02-26")) == "2024-03-18"
    )  # 15 working days: 02-27 is the first, 02-29 the third
    half_year = ask("E3", "--from", "2023-08-31")
    assert half_year["due_at"] is not None


def test_a_term_over_the_end_of_the_year_is_provisional_until_the_next_notice_is_there(tmp_path: Path) -> None:
    before = ask("A1", "--from", "2026-12-28")
    assert (before["provisional"], before["breach"]) == (True, False)
    assert "2027" in before["explanation"]["zh"]
    for year in (2026, 2027):
        (tmp_path / f"{year}.toml").write_text(NOTICE.format(year=year, before=year - 1), "utf-8")
    after = ask("A1", "--from", "2026-12-28", "--calendar", str(tmp_path))
    assert (after["provisional"], last_day(after)) == (False, "2027-01-20")
    assert last_day(before) == "2027-01-18"


def test_without_a_calendar_the_week_alone_counts_and_nothing_is_settled(tmp_path: Path) -> None:
    found = ask("A1", "--from", "2026-02-09", "--calendar", str(tmp_path))
    assert (last_day(found), found["provisional"], found["calendar_until"]) == ("2026-03-02", True, None)
    gone = run("A1", "--from", "2026-02-09", "--calendar", str(tmp_path / "gone"))
    assert gone.exit_code == 2
    assert "没有目录" in gone.output


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("Z9", "--from", "2026-02-09"), "unknown-rule"),
        (("B1", "--from", "2026-04-15"), "not-in-force"),
        (("A2", "--from", "2026-04-15"), "no-clock"),
        (("A1", "--from", "yesterday"), "bad-question"),
    ],
)
def test_what_has_no_answer_ends_with_2_and_a_reason(words: tuple[str, ...], code: str) -> None:
    told, document = run(*words), run(*words, "--json")
    assert (told.exit_code, document.exit_code) == (2, 2)
    assert code in told.output
    error = json.loads(document.output)["error"]
    assert error["code"] == code
    assert error["zh"] in told.output
    assert error["en"] in told.output


def test_a_name_that_is_nearly_right_is_answered_with_the_right_ones() -> None:
    assert "C3" in run("referral", "--from", "2026-02-09").output


def test_the_table_for_people_has_both_languages_and_a_day_that_ends_at_24() -> None:
    found = run("A1", "--from", "2026-12-28", "--at", "2026-12-29")
    assert found.exit_code == 0
    for piece in (
        "2027-01-18 24:00",
        "计算中，暂定 running, provisional",
        "起算 started",
        "收到线索的机关",
        "Provisional:",
    ):
        assert piece in found.output, piece
