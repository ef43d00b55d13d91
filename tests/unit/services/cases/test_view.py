"""What an officer reads of a case: the story, the clocks with their reasons, who must act next; and nothing for a stranger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.cases.clocks import verdicts
from services.cases.fold import Around, Said, step
from services.cases.laws import load_laws
from services.cases.lines import case_line, clock_line
from services.cases.state import Case
from services.cases.view import case_view, verdict_document
from services.cases.wording import CLOCK_STATES
from services.events.transfer import Document
from services.kernel.calendar import Calendar
from services.kernel.clock_rules import ClockRules
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_instant
from tests.unit.services.cases.stage import (
    DAY,
    HAISHU_POLICE,
    HOUR,
    MORNING,
    NANJING,
    NINGBO,
    NINGBO_POLICE,
    SUBJECT,
    SUZHOU,
    Stage,
    around,
    assistance,
    members,
    moving,
    opening,
    referral,
)

YEAR = 365 * DAY
_BACK = (NINGBO_POLICE, NINGBO)


def seen(case: Case, now_ms: int, participant: str | None = None) -> dict:
    document = case_view(case, around(), now_ms, participant)
    assert document is not None
    return document


def without_nothing(value: object) -> bool:
    """Whether no member anywhere in a document is null."""
    if isinstance(value, dict):
        return all(without_nothing(each) for each in value.values())
    return all(map(without_nothing, value)) if isinstance(value, list) else value is not None


def test_the_story_is_told_as_it_happened_though_a_step_was_entered_late() -> None:
    stage = assistance()
    opened = stage.at
    stage.move("note", NINGBO, NANJING, at=opened + 3 * DAY)
    stage.move("accept", NINGBO, NANJING, at=opened + 4 * DAY, happened_at=opened + DAY)
    story = seen(stage.now, opened + 5 * DAY)["story"]

    assert [step["move"] for step in story] == ["open", "accept", "note"]
    assert (story[0]["zh"], story[0]["en"]) == ("提出协助调查", "opened: assistance")
    assert story[0]["moments"][0]["moment"] == "assistance_requested"
    assert story[1]["happened_at"] == format_instant(opened + DAY)
    assert story[1]["admitted_at"] == format_instant(opened + 4 * DAY)
    assert story[1]["by"] == {"participant": NINGBO, "name_zh": f"{NINGBO}（测试）", "name_en": f"{NINGBO} (test)"}
    assert (story[1]["zh"], story[1]["en"]) == ("接受", "acceptance")


def test_an_open_clock_says_who_must_act_until_when_and_why() -> None:
    stage = assistance()
    document = seen(stage.now, stage.at + HOUR)

    [clock] = document["open_clocks"]
    assert (clock["clock"], clock["state"], clock["overdue"]) == ("A8/1", "running", False)
    assert [actor["participant"] for actor in clock["must_act"]] == [NINGBO]
    assert "15 个工作日" in clock["explanation"]["zh"]
    assert "15 working days" in clock["explanation"]["en"]
    assert clock["awaits_zh"] == "完成协助"
    [line] = document["next"]
    assert (line["participant"], line["clock"], line["due_at"]) == (NINGBO, "A8/1", clock["due_at"])
    assert document["ended_clocks"] == []
    assert without_nothing(document)


def test_what_starts_no_clock_since_its_rule_was_not_in_force_is_said() -> None:
    stage = assistance()
    now = around()
    later = tuple(replace(rule, valid_from=40_000) for rule in now.rules.rules)
    document = case_view(stage.now, replace(now, rules=replace(now.rules, rules=later)), stage.at + HOUR, None)
    assert document is not None
    [told] = document["no_clocks"]
    assert (told["rule"], told["moment"]) == ("A8", "assistance_requested")
    assert "未在施行" in told["zh"]
    assert "in force" in told["en"]
    assert seen(stage.now, stage.at + HOUR)["no_clocks"] == []


def incomplete_referral() -> tuple[Case, Around]:
    """By the tables that ship: the agency must complete the file within three days, and a day later the police accepts it."""
    laws = load_laws(SCHEMAS_DIR / "codes")
    shipped = Around(laws.tables, laws.rules, around().registry)
    told = (
        (opening("criminal_referral"), NINGBO, NINGBO_POLICE, MORNING),
        (moving("criminal_referral", "tell_incomplete", MORNING + HOUR, missing=("鉴定意见",)), *_BACK, MORNING + HOUR),
        (moving("criminal_referral", "accept", MORNING + DAY), *_BACK, MORNING + DAY),
    )
    case = None
    for seq, (body, source, to, at) in enumerate(told):
        said = Said(f"0198f6c0-0000-7000-8000-{seq:012d}", source, (to,), (to,), seq, at, at, 1, SUBJECT, body)
        case = step(case, said, shipped).case
    assert case is not None
    return case, shipped


def test_what_is_overdue_is_asked_for_before_what_is_due_next() -> None:
    case, shipped = incomplete_referral()
    running = case_view(case, shipped, MORNING + 2 * DAY, None)
    later = case_view(case, shipped, MORNING + 4 * DAY, None)
    assert running is not None
    assert later is not None

    asked = [(line["clock"], line["participant"]) for line in running["next"]]
    assert asked == [("C5/1", NINGBO), ("C6/1", NINGBO_POLICE)]
    assert [line["overdue"] for line in later["next"]] == [True, False]
    assert [clock["overdue"] for clock in later["open_clocks"]] == [True, False]
    assert "鉴定意见" not in str(later), "a case holds no content of its events"


def test_a_clock_that_was_met_is_among_the_ended_and_asks_nobody_for_anything() -> None:
    stage = assistance()
    stage.move(
        "finish", NINGBO, NANJING, at=stage.at + DAY, text="已完成", documents=(Document(name="笔录", kind="record"),)
    )
    document = seen(stage.now, stage.at + HOUR)

    assert document["closed"]
    assert document["next"] == document["open_clocks"] == []
    assert [(clock["clock"], clock["state"], clock["state_zh"]) for clock in document["ended_clocks"]] == [
        ("A8/1", "met", "按期完成")
    ]


def test_whoever_was_not_told_of_a_case_sees_nothing_of_it_and_whoever_was_sees_all() -> None:
    stage = assistance()
    assert case_view(stage.now, around(), stage.at, SUZHOU) is None
    assert case_view(Case("TR-none"), around(), stage.at, None) is None
    assert seen(stage.now, stage.at, NINGBO) == seen(stage.now, stage.at, NANJING) == seen(stage.now, stage.at)


def test_an_organ_that_was_replaced_still_sees_the_case_it_was_told_of() -> None:
    stage = referral()
    stage.move("forward", NINGBO_POLICE, NINGBO, HAISHU_POLICE)
    document = seen(stage.now, stage.at, NINGBO_POLICE)

    assert [part["participant"] for part in document["parts"]] == [NINGBO, HAISHU_POLICE]


def test_every_party_is_told_in_words_what_it_may_do_now() -> None:
    stage = assistance()
    moves = {party["participant"]: party["moves"] for party in seen(stage.now, stage.at)["possible"]}

    assert {"move": "accept", "zh": "接受", "en": "acceptance"} in moves[NINGBO]
    assert {"move": "extend", "zh": "延长期限", "en": "extension of a term"} in moves[NINGBO]
    assert [move["move"] for move in moves[NANJING]] == ["note", "withdraw"]


def test_an_extension_is_told_in_the_words_of_its_rule() -> None:
    stage = assistance()
    stage.move("extend", NINGBO, NANJING, rule="A8", extension="late_notice", length=5)
    told = seen(stage.now, stage.at)["story"][-1]

    assert (told["zh"], told["moments"][0]["zh"]) == ("延长期限", "届满前告知请求机关需要延期")


def test_the_verdict_document_is_what_the_clocks_say_and_who_must_act() -> None:
    stage = assistance()
    document = verdict_document(stage.now, around(), stage.at)

    [(clock, verdict, actors)] = verdicts(stage.now, around(), stage.at)
    assert document == {
        "case": stage.subject,
        "at": format_instant(stage.at),
        "clocks": [{"clock": clock.key, "actors": list(actors), **verdict.document()}],
    }
    assert document["clocks"][0]["ended_at"] is None, "the bytes that are compared leave nothing out"


def test_an_end_that_no_notice_has_settled_is_shown_as_provisional_and_is_no_breach() -> None:
    stage = assistance()
    unsettled = Around(around().tables, around().rules, replace(around().registry, calendar=Calendar(())))
    document = case_view(stage.now, unsettled, stage.at + YEAR, None)

    assert document is not None
    [clock] = document["open_clocks"]
    assert (clock["state"], clock["provisional"], clock["breach"], clock["overdue"]) == ("expired", True, False, True)


def test_a_rule_that_is_only_advisory_shows_its_end_and_asks_nobody_for_anything_after_it() -> None:
    stage = assistance()
    known = around().rules
    advisory = tuple(replace(rule, confidence="advisory") if rule.id == "A8" else rule for rule in known.rules)
    unsure = Around(around().tables, ClockRules(advisory, known.moments, known.grounds, known.no_clocks), members())
    document = case_view(stage.now, unsure, stage.at + YEAR, None)

    assert document is not None
    [clock] = document["open_clocks"]
    assert (clock["state"], clock["advisory"], clock["breach"], clock["overdue"]) == ("expired", True, False, False)
    assert document["next"] == []


def test_a_line_counts_what_was_told_and_what_has_passed_since() -> None:
    stage = assistance()
    before = case_line(stage.now, around(), stage.at)
    assert (before["running"], before["overdue"], before["participants"]) == (1, 0, [NANJING, NINGBO])
    assert case_line(stage.now, around(), stage.at + YEAR)["overdue"] == 1
    stage.wait(MORNING + YEAR)
    told = case_line(stage.now, around(), stage.at)
    assert (told["running"], told["overdue"]) == (0, 1)
    assert "due_at" not in told
    assert without_nothing(told)


@pytest.mark.parametrize(("advisory", "overdue"), [(False, True), (True, False)])
def test_a_clock_that_is_only_shown_is_never_overdue(advisory: bool, overdue: bool) -> None:
    stage = Stage()
    stage.open("assistance", NANJING, NINGBO)
    stage.wait(MORNING + YEAR)
    clock = replace(stage.now.clocks[0], advisory=advisory)
    line = clock_line(replace(stage.now, clocks=(clock,)), clock, around(), stage.at)

    assert line["overdue"] is overdue
    assert (line["state_zh"], line["must_act"][0]["participant"]) == ("期限届满", NINGBO)


def test_the_states_of_a_clock_are_in_the_words_of_the_code_table() -> None:
    rows = load_code_tables(SCHEMAS_DIR / "codes")["clock_states"].rows
    assert {row.code: (row.zh, row.en) for row in rows} == dict(CLOCK_STATES)
