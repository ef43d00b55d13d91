"""What is asked of a clock, read from words: times of China, rules with their days of force, and what may have been meant."""

from __future__ import annotations

import pytest

from services.commands.clock_question import Question, Unanswerable, case_of, read_time, rule_for
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_moments import Moment
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_instant

RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
MIDNIGHT = parse_instant("2026-02-08T16:00:00.000Z")  # 2026-02-09 in China


def why(question: Question) -> Unanswerable:
    with pytest.raises(Unanswerable) as refused:
        case_of(question, RULES)
    return refused.value


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-09",
        "2026-02-09T00:00",
        "2026-02-09T00:00:00.000",
        "2026-02-08T16:00:00.000Z",
        "2026-02-09T01:00+09:00",
    ],
)
def test_a_time_is_one_of_china_unless_it_says_otherwise(text: str) -> None:
    assert read_time(text) == MIDNIGHT


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "today",
            "2026-2-9",
            "20260209",
            "2026-W07-1",
            "2026-02-30",
            "2025-02-29",
            "2026-02-09T25:00",
            "２026-02-09",
        ),
        *("0001-01-01", "1969-12-31", "9999-12-31T23:59", "9999-12-31T23:59-23:59"),
    ],
)
def test_any_other_form_and_a_day_that_no_calendar_has_or_that_is_too_far_is_refused(text: str) -> None:
    with pytest.raises(Unanswerable) as refused:
        read_time(text)
    assert refused.value.code == "bad-question"


def test_a_rule_is_the_one_in_force_on_the_day_of_its_trigger() -> None:
    last = read_time("2026-04-14T23:59")
    assert rule_for(RULES, "B1", last).id == "B1"
    with pytest.raises(Unanswerable) as refused:
        rule_for(RULES, "B1", last + 60_000)
    assert refused.value.code == "not-in-force"
    assert "2026-04-14" in refused.value.zh
    assert "Order 121" in refused.value.en


@pytest.mark.parametrize("name", ["B1", "B2", "B3", "B4", "B6"])
def test_every_rule_on_complaints_ended_with_the_measures_that_it_stands_in(name: str) -> None:
    assert why(Question(name, "2026-04-15")).code == "not-in-force"


def test_a_row_that_sets_no_term_says_why() -> None:
    found = why(Question("B5", "2026-02-09"))
    assert (found.code, found.near) == ("no-clock", ())
    assert "没有期限" in found.zh


@pytest.mark.parametrize(
    ("asked", "expected"), [("a1", "A1"), ("A01", "A1"), ("c5", "C5-tell"), ("referral", "C3"), ("移送同级", "C3")]
)
def test_an_unknown_rule_comes_with_the_near_ones(asked: str, expected: str) -> None:
    found = why(Question(asked, "2026-02-09"))
    assert found.code == "unknown-rule"
    assert expected in {name for name, _, _ in found.near}


def test_nothing_near_is_no_list() -> None:
    assert why(Question("", "2026-02-09")).near == ()
    assert why(Question("zzzzzz", "2026-02-09")).near == ()


def test_what_happened_is_told_in_the_words_of_the_rule() -> None:
    rule, moments = case_of(
        Question("A9", "2026-02-09", "2026-05-01", ("2026-03-02..2026-03-12=testing",), ("collective=30@2026-04-01",)),
        RULES,
    )
    assert rule == RULES.versions("A9")[0]
    assert {(one.kind, one.word, one.at_ms, one.length) for one in moments} == {
        ("happened", "case_filed", MIDNIGHT, None),
        ("happened", "case_decided", read_time("2026-05-01"), None),
        ("suspended", "testing", read_time("2026-03-02"), None),
        ("resumed", "testing", read_time("2026-03-12"), None),
        ("extended", "collective", read_time("2026-04-01"), 30),
    }


def test_a_word_of_the_rule_may_be_named_where_it_has_several() -> None:
    rule, moments = case_of(Question("A1", "2026-02-09", "2026-02-10=clue_not_filed"), RULES)
    assert moments[1] == Moment("happened", "clue_not_filed", read_time("2026-02-10"), "--to")
    assert rule.id == "A1"


def test_two_grants_at_one_time_are_two() -> None:
    _, moments = case_of(Question("A9", "2026-02-09", extended=("head@2026-04-01", "head@2026-04-01")), RULES)
    assert len(set(moments)) == 3


def test_a_stretch_on_no_stated_ground_is_one_that_the_rule_knows_and_names_none() -> None:
    rule, moments = case_of(Question("A9", "2026-02-09", excluded=("2026-03-02..",)), RULES)
    (stretch,) = (one for one in moments if one.kind == "suspended")
    assert stretch.word in rule.ids["exclusions"]
    assert stretch.word not in RULES.grounds


def test_without_a_ground_in_the_rule_a_stretch_is_left_to_the_verdict() -> None:
    rule, moments = case_of(Question("C3", "2026-03-02T10:20", excluded=("2026-03-02..2026-03-03",)), RULES)
    assert rule == RULES.versions("C3")[0]
    assert {one.kind for one in moments} == {"happened", "suspended", "resumed"}


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (Question("A1", "soon"), "--from"),
        (Question("A1", "2026-02-09=case_filed"), "clue_received"),
        (Question("A1", "2026-02-09", "2026-02-10=case_filed"), "clue_filed"),
        (Question("A9", "2026-02-09", excluded=("2026-03-02",)), "--exclude"),
        (Question("A9", "2026-02-09", excluded=("2026-03-12..2026-03-02",)), "--exclude"),
        (Question("A9", "2026-02-09", excluded=("2026-03-02..2026-03-12=lunch",)), "testing"),
        (Question("A9", "2026-02-09", extended=("head",)), "--extend"),
        (Question("A9", "2026-02-09", extended=("head=x@2026-03-01",)), "--extend"),
        (Question("A9", "2026-02-09", extended=("mayor@2026-03-01",)), "collective"),
        (Question("A9", "2026-02-09", extended=("collective=9999@2026-03-01",)), "1000"),
        (Question("C3", "2026-02-09", extended=("head@2026-03-01",)), "C3"),
        (Question("A1", "1969-12-31"), "-"),
    ],
)
def test_what_cannot_be_read_is_named(question: Question, says: str) -> None:
    found = why(question)
    assert found.code == "bad-question"
    assert says in found.en or "2026-02-09" in found.en  # a time that cannot be read says how one is written
    assert found.zh
