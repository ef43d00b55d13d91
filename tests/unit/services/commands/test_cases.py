"""``ipx cases`` and ``ipx clocks list`` over a desk made by hand: what is asked, what is shown, what is said wrongly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.cases.laws import Laws
from services.cases.lines import case_line, clock_line
from services.cases.state import Case
from services.cases.view import case_view
from services.commands import cases_list, cases_show, clocks_list
from services.commands.case_options import format_mark, parse_mark
from services.commands.clock_question import shown_time
from services.kernel.errors import Refused
from services.kernel.ports import SettableClock
from services.transfers.listing import CaseQuery, ClockQuery, Place
from tests.unit.services.cases.stage import DAY, HAISHU, MORNING, NANJING, NINGBO, Stage, around, assistance

YEAR = 365 * DAY


@dataclass
class Latest:
    latest: Any


@dataclass
class HandDesk:
    """Answers from one case, and remembers what it was asked."""

    held: Case
    asked: list[CaseQuery | ClockQuery] = field(default_factory=list)
    laws: Laws = field(default_factory=lambda: Laws(around().tables, around().rules))

    def history(self) -> Latest:
        return Latest(around().registry)

    def cases(self, asked: CaseQuery, now_ms: int) -> list[dict[str, Any]]:
        self.asked.append(asked)
        return [case_line(self.held, around(), now_ms)]

    def clocks(self, asked: ClockQuery, now_ms: int) -> tuple[list[dict[str, Any]], Place | None]:
        self.asked.append(asked)
        clock = self.held.clocks[0]
        return [clock_line(self.held, clock, around(), now_ms)], (clock.due_at or 0, self.held.subject, clock.key)

    def case(self, subject: str, now_ms: int, participant: str | None) -> dict[str, Any] | None:
        assert participant is None
        return case_view(self.held, around(), now_ms, None) if subject == self.held.subject else None


def expired() -> Stage:
    stage = assistance()
    stage.wait(MORNING + YEAR)
    return stage


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> HandDesk:
    made = HandDesk(expired().now)

    @contextmanager
    def opened() -> Iterator[tuple[HandDesk, SettableClock]]:
        yield made, SettableClock(MORNING + YEAR)

    for module in (cases_list, cases_show, clocks_list):
        monkeypatch.setattr(module, "opened_desk", opened)
    return made


def run(module: Any, *words: str) -> Result:
    return CliRunner().invoke(module.command, words)


def test_the_list_of_cases_is_a_table_in_both_languages(desk: HandDesk) -> None:
    shown = run(cases_list)
    assert shown.exit_code == 0, shown.output
    for word in ("案件 case", desk.held.subject, "协助调查", "assistance", "已请求", "requested"):
        assert word in shown.output


def test_the_options_of_the_list_become_the_query(desk: HandDesk) -> None:
    words = ("--overdue", "--provisional", "--city", "330203", "--kind", "assistance", "--state", "requested")
    shown = run(cases_list, *words, "--due-before", "2026-02-09", "--limit", "1", "--after", "TR-0", "--json")
    assert shown.exit_code == 0, shown.output

    [asked] = desk.asked
    assert asked == CaseQuery(
        playing=tuple(sorted((HAISHU, "330203.court", "330203.police"))),
        kind="assistance",
        state="requested",
        overdue=True,
        provisional=True,
        due_before=1_770_566_400_000,  # the first instant of the day in China
        after="TR-0",
        limit=1,
    )
    document = json.loads(shown.output)
    assert document["after"] == desk.held.subject
    assert [line["overdue"] for line in document["cases"]] == [1]


def test_the_last_page_names_no_next_one(desk: HandDesk) -> None:
    assert "after" not in json.loads(run(cases_list, "--json").output)
    assert "after" not in json.loads(run(clocks_list, "--json").output)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (cases_list, ("--kind", "gift")),
        (cases_list, ("--city", "440100")),
        (cases_list, ("--participant", "440100.police")),
        (cases_list, ("--due-before", "tomorrow")),
        (cases_list, ("--limit", "0")),
        (clocks_list, ("--rule", "Z99")),
        (clocks_list, ("--after", "x")),
        (clocks_list, ("--overdue", "--due-before", "2026-02-09")),
        (cases_show, ("TR-1", "--at", "soon")),
    ],
)
def test_what_nobody_knows_is_a_usage_error_and_asks_nothing(
    desk: HandDesk, module: Any, words: tuple[str, ...]
) -> None:
    found = run(module, *words)
    assert found.exit_code == 2
    assert "Error" in found.output
    assert desk.asked == []


def test_one_organ_of_a_city_is_that_organ_and_one_of_another_is_nobody(desk: HandDesk) -> None:
    run(cases_list, "--city", "330200", "--participant", NINGBO, "--json")
    run(cases_list, "--city", "330200", "--participant", NANJING, "--json")
    assert [asked.playing for asked in desk.asked if isinstance(asked, CaseQuery)] == [(NINGBO,), ()]


def test_clocks_are_listed_with_who_must_act_and_a_mark_for_the_next_page(desk: HandDesk) -> None:
    found = json.loads(
        run(clocks_list, "--overdue", "--rule", "A8", "--city", "330200", "--limit", "1", "--json").output
    )
    [clock] = found["clocks"]
    assert (clock["clock"], clock["overdue"], clock["must_act"][0]["participant"]) == ("A8/1", True, NINGBO)
    asked = desk.asked[0]
    assert isinstance(asked, ClockQuery)
    assert (asked.overdue, asked.rule) == (True, "A8")
    assert NINGBO in (asked.acting or ())

    run(clocks_list, "--after", found["after"])
    again = desk.asked[1]
    assert isinstance(again, ClockQuery)
    assert again.after == (desk.held.clocks[0].due_at, desk.held.subject, "A8/1")
    assert "完成协助调查" in run(clocks_list).output


def test_a_case_is_shown_with_its_story_its_clocks_and_who_must_act(desk: HandDesk) -> None:
    shown = run(cases_show, desk.held.subject)
    assert shown.exit_code == 0, shown.output
    for word in (
        "下一步",
        "逾期 overdue",
        "15 个工作日",
        "15 working days",
        "提出协助调查",
        f"{NINGBO}（测试）",
        "现在可以",
    ):
        assert word in shown.output


def test_a_case_is_judged_at_the_time_asked_for(desk: HandDesk) -> None:
    now = json.loads(run(cases_show, desk.held.subject, "--json").output)
    then = json.loads(run(cases_show, desk.held.subject, "--at", "2026-02-10T10:00", "--json").output)
    assert (now["open_clocks"][0]["state"], then["open_clocks"][0]["state"]) == ("expired", "running")
    assert then["at"] == "2026-02-10T02:00:00.000Z"


def test_a_case_that_is_not_there_is_refused_by_code(desk: HandDesk) -> None:
    found = run(cases_show, "TR-none")
    assert isinstance(found.exception, Refused)
    assert found.exception.code == "not-found"


def test_a_mark_is_read_back_as_the_place_it_was_made_for() -> None:
    place = (1_770_566_400_000, "TR-320100-2026-000001", "C5-tell/2")
    assert parse_mark(format_mark(place)) == place


def test_an_end_of_a_day_is_shown_as_24_00_of_that_day_in_china() -> None:
    assert shown_time("2026-03-06T15:59:59.999Z") == "2026-03-06 24:00"
    assert shown_time("2026-03-06T02:00:00.000Z") == "2026-03-06 10:00"
    assert shown_time(None) == "-"
