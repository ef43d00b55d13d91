"""The verdict on a clock: every state, and that order, repetition and length cannot bend it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.calendar import Calendar
from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_instant, parse_instant
from services.kernel.term import end_of_day
from services.kernel.verdict import Verdict, verdict

CALENDAR = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
A1, A3, A9, A15, C3, C4, C6, D4, E7 = (
    RULES.versions(name)[0] for name in ("A1", "A3", "A9", "A15", "C3", "C4", "C6", "D4", "E7")
)


def at(text: str) -> int:
    return parse_instant(f"{text}:00.000Z") - 8 * 3_600_000


def happened(word: str, text: str) -> Moment:
    return Moment("happened", word, at(text))


def judged(rule: ClockRule, now: str, *moments: Moment, calendar: Calendar = CALENDAR) -> Verdict:
    return verdict(rule, moments, calendar, at(now))


RECEIVED = happened("clue_received", "2026-02-09T10:00")
LAST = "2026-03-06T23:59"
AFTER = "2026-03-07T00:00"


def test_a_clock_that_nothing_started_waits() -> None:
    found = judged(A1, AFTER, happened("clue_filed", "2026-02-10T10:00"))
    assert (found.state, found.due_at, found.breach) == ("not_started", None, False)
    assert found.explanation.zh
    assert found.explanation.en


def test_a_term_runs_to_the_last_millisecond_of_its_day() -> None:
    found = judged(A1, LAST, RECEIVED)
    assert (found.state, found.due_at, found.breach) == ("running", at(AFTER) - 1, False)
    assert found.warn_at == end_of_day(found.due_at // 86_400_000) - 3 * 86_400_000
    assert verdict(A1, [RECEIVED], CALENDAR, at(AFTER) - 1).state == "running"
    assert verdict(A1, [RECEIVED], CALENDAR, at(AFTER)).state == "expired"


def test_a_term_that_ran_out_is_a_breach() -> None:
    found = judged(A1, AFTER, RECEIVED)
    assert (found.state, found.breach, found.late_by_ms) == ("expired", True, None)


def test_an_act_in_time_meets_the_term_and_one_after_it_is_late() -> None:
    met = judged(A1, AFTER, RECEIVED, happened("clue_filed", LAST))
    late = judged(A1, AFTER, RECEIVED, happened("clue_not_filed", AFTER))
    assert (met.state, met.breach, met.ended_at) == ("met", False, at(LAST))
    assert (late.state, late.breach, late.late_by_ms) == ("late", True, 1)


def test_an_act_at_the_very_last_instant_is_in_time() -> None:
    for rule, begun, word in (
        (A1, RECEIVED, "clue_filed"),
        (C3, happened("referral_approved", "2026-03-02T10:20"), "referral_delivered"),
    ):
        due = judged(rule, LAST, begun).due_at
        assert due is not None
        assert verdict(rule, [begun, Moment("happened", word, due)], CALENDAR, due).state == "met"
        assert verdict(rule, [begun, Moment("happened", word, due + 1)], CALENDAR, due).state == "late"


def test_of_several_stops_the_first_counts() -> None:
    stops = [happened("clue_filed", "2026-03-09T10:00"), happened("clue_not_filed", "2026-03-05T10:00")]
    assert judged(A1, AFTER, RECEIVED, *stops).ended_at == at("2026-03-05T10:00")


def test_a_past_fact_that_is_entered_late_undoes_the_breach() -> None:
    before = judged(A1, "2026-04-01T00:00", RECEIVED)
    after = judged(A1, "2026-04-01T00:00", RECEIVED, happened("clue_filed", "2026-03-05T10:00"))
    assert (before.state, before.breach) == ("expired", True)
    assert (after.state, after.breach) == ("met", False)


def test_what_was_done_before_the_term_began_meets_it() -> None:
    found = judged(A1, AFTER, RECEIVED, happened("clue_filed", "2026-02-09T09:00"))  # a clock an hour behind
    assert (found.state, found.breach) == ("met", False)
    assert "在起算之前" in found.explanation.zh


def test_a_duty_that_falls_away_in_time_ends_and_later_does_not() -> None:
    assert judged(A1, AFTER, RECEIVED, happened("clue_returned", LAST)).state == "ended"
    assert judged(A1, AFTER, RECEIVED, happened("clue_returned", AFTER)).state == "expired"
    done = happened("clue_filed", "2026-03-09T10:00")
    assert judged(A1, AFTER, RECEIVED, happened("clue_returned", AFTER), done).state == "late"
    assert judged(A1, AFTER, RECEIVED, happened("clue_returned", LAST), done).state == "ended"


def test_a_term_that_stands_still_is_neither_late_nor_over() -> None:
    still = Moment("suspended", "testing", at("2026-03-04T10:00"))
    found = judged(A1, "2027-03-04T10:00", RECEIVED, still)
    assert (found.state, found.due_at, found.breach) == ("suspended", None, False)
    assert judged(A1, AFTER, RECEIVED, still, happened("clue_filed", "2026-09-01T10:00")).state == "met"
    assert judged(A1, AFTER, RECEIVED, still, happened("clue_returned", "2026-09-01T10:00")).state == "ended"


def test_a_right_that_lapses_is_no_breach() -> None:
    found = judged(A15, "2026-06-01T00:00", happened("penalty_notice_served", "2026-03-02T10:00"))
    assert (found.state, found.breach) == ("expired", False)


def test_a_duty_that_is_there_only_in_a_certain_case_is_missed_by_an_act_that_came_late_and_by_nothing_else() -> None:
    delivered = happened("referral_delivered", "2026-03-02T10:20")
    late = judged(C4, "2026-03-06T00:00", delivered, happened("referral_forwarded", "2026-03-05T10:20"))
    never = judged(C4, "2026-03-06T00:00", delivered)
    taken = judged(C4, "2026-03-06T00:00", delivered, happened("referral_accepted", "2026-03-02T11:20"))
    assert [(found.state, found.breach) for found in (late, never, taken)] == [
        ("late", True),
        ("expired", False),
        ("ended", False),
    ]


def test_a_duty_that_fell_away_before_the_term_began_is_another_one() -> None:
    forwarded, accepted = (
        happened("referral_forwarded", "2026-03-02T10:00"),
        happened("referral_accepted", "2026-03-03T10:00"),
    )
    assert judged(C6, "2026-03-04T00:00", accepted, forwarded).state == "running"
    again = happened("referral_forwarded", "2026-03-03T12:00")
    assert judged(C6, "2026-03-04T00:00", accepted, forwarded, again).ended_at == again.at_ms


def test_an_unverified_number_is_shown_and_never_a_breach() -> None:
    found = judged(D4, "2026-11-01T00:00", happened("opinion_received", "2026-03-02T10:00"))
    assert (found.state, found.advisory, found.breach) == ("expired", True, False)
    accepted = happened("referral_accepted", "2026-03-02T10:00")
    extended = Moment("extended", "complex", at("2026-03-04T10:00"))
    assert judged(C6, "2026-06-01T00:00", accepted).breach
    assert not judged(C6, "2026-06-01T00:00", accepted, extended).breach


def test_three_days_of_the_police_are_calendar_days_with_a_hint_of_the_other_reading() -> None:
    found = judged(C6, "2026-10-01T00:00", happened("referral_accepted", "2026-09-30T15:00"))
    assert (found.due_at, found.hint_at) == (at("2026-10-09T00:00") - 1, at("2026-10-11T00:00") - 1)
    assert "2026-10-10" in found.explanation.zh


def test_a_term_in_hours_has_a_stricter_alarm_that_decides_nothing() -> None:
    approved, delivered = (
        happened("referral_approved", "2026-03-02T10:20"),
        happened("referral_delivered", "2026-03-03T10:40"),
    )
    found = judged(C3, "2026-03-04T00:00", approved, delivered)
    assert (found.due_at, found.alarm_at) == (at("2026-03-03T11:00"), at("2026-03-03T10:20"))
    assert (found.state, found.breach) == ("met", False)


def test_an_end_past_the_last_notice_is_provisional_and_no_breach_yet() -> None:
    found = judged(A9, "2027-06-01T00:00", happened("case_filed", "2026-11-24T10:00"))
    assert (found.state, found.provisional, found.breach) == ("expired", True, False)
    assert "2027" in found.explanation.zh


def test_without_any_calendar_there_is_still_an_answer() -> None:
    found = judged(A1, AFTER, RECEIVED, calendar=Calendar(()))
    assert (found.due_at, found.provisional, found.breach) == (at("2026-03-03T00:00") - 1, True, False)


def test_a_leap_day_and_a_year_end_are_counted() -> None:
    leap = judged(E7, "2026-01-01T00:00", happened("performance_due", "2024-02-29T10:00"))
    assert leap.due_at == at("2026-03-01T00:00") - 1  # Saturday 2026-02-28 is worked, so nothing moves
    assert (
        judged(A3, "2026-01-01T00:00", happened("dispute_arisen", "2025-12-29T10:00")).due_at
        == at("2026-01-09T00:00") - 1
    )


def test_the_document_of_a_verdict_leaves_nothing_out() -> None:
    found = judged(A1, AFTER, RECEIVED)
    document = dict(found.document())
    assert document["due_at"] == format_instant(at(AFTER) - 1)
    assert document["explanation"] == {"zh": found.explanation.zh, "en": found.explanation.en}
    assert (document["source"], document["rule_valid_from"]) == ("市场监督管理行政处罚程序规定 18 [L2]", None)
    fields = {name if name != "rule_from" else "rule_valid_from" for name in Verdict.__dataclass_fields__}
    assert set(document) == fields


WHEN = st.integers(at("2025-11-01T00:00"), at("2026-06-30T00:00"))
IDS = st.sampled_from(["", "a", "b", "c"])


def _words(rule: ClockRule, kind: str) -> list[str]:
    words = {
        "happened": (*rule.trigger, *rule.stops, *rule.falls_away, *rule.restarts),
        "suspended": rule.exclusions,
        "resumed": rule.exclusions,
        "extended": rule.extensions,
    }[kind]
    return [word.id for word in words] + ["unheard"]


def _moments(rule: ClockRule) -> st.SearchStrategy[list[Moment]]:
    def told(kind: Any) -> st.SearchStrategy[Moment]:
        lengths = st.none() | st.integers(1, 40) if kind == "extended" else st.none()
        return st.builds(Moment, st.just(kind), st.sampled_from(_words(rule, kind)), WHEN, IDS, lengths)

    any_kind = st.sampled_from(["happened", "suspended", "resumed", "extended"]).flatmap(told)
    begun = st.builds(Moment, st.just("happened"), st.just(rule.trigger[0].id), WHEN)
    return st.tuples(begun, st.lists(any_kind, max_size=8)).map(lambda drawn: [drawn[0], *drawn[1]])


RULED = st.sampled_from(RULES.rules).flatmap(lambda rule: st.tuples(st.just(rule), _moments(rule)))


@given(RULED, WHEN, st.randoms(use_true_random=False))
def test_order_of_arrival_and_redelivery_change_no_byte(
    drawn: tuple[ClockRule, list[Moment]], now: int, order: Any
) -> None:
    rule, moments = drawn
    again = [*moments, *moments[::2]]
    order.shuffle(again)
    assert verdict(rule, again, CALENDAR, now).document() == verdict(rule, moments, CALENDAR, now).document()


@given(RULED, WHEN, st.integers(1, 40))
def test_a_longer_term_never_ends_earlier(drawn: tuple[ClockRule, list[Moment]], now: int, more: int) -> None:
    rule, moments = drawn
    # An extension "to" a total is one of the shorter term; a longer one that passes it has its own.
    extensions = tuple(replace(one, to=one.to + more) if one.to is not None else one for one in rule.extensions)
    longer = replace(rule, length=rule.length + more, extensions=extensions)
    short, long = verdict(rule, moments, CALENDAR, now), verdict(longer, moments, CALENDAR, now)
    if short.due_at is None:
        assert long.due_at is None
    else:
        assert long.due_at is None or long.due_at >= short.due_at
    if short.state == "met":
        assert long.state == "met"


@given(RULED, WHEN, WHEN)
def test_time_only_lets_a_running_term_run_out(drawn: tuple[ClockRule, list[Moment]], first: int, second: int) -> None:
    rule, moments = drawn
    early, late = (verdict(rule, moments, CALENDAR, now) for now in sorted((first, second)))
    assert early.state == late.state or (early.state, late.state) == ("running", "expired")
    assert early.due_at == late.due_at


@given(RULED, WHEN)
def test_a_breach_is_certain_settled_and_someones_duty(drawn: tuple[ClockRule, list[Moment]], now: int) -> None:
    rule, moments = drawn
    found = verdict(rule, moments, CALENDAR, now)
    assert found.explanation.zh.endswith("。")
    assert found.explanation.en.endswith(".")
    if found.breach:
        assert found.state in ("late", "expired")
        assert not found.advisory
        assert not found.provisional
        assert rule.effect == "overdue" or (rule.effect == "conditional" and found.state == "late")


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_rule_that_ships_gives_a_verdict_from_a_leap_day_and_a_year_end(rule: ClockRule) -> None:
    for start in ("2024-02-29T23:59", "2025-12-31T23:59"):
        found = judged(rule, "2026-01-01T00:00", happened(rule.trigger[0].id, start))
        assert found.due_at is not None
        assert found.due_at > at(start)
        assert found.warn_at is not None
        assert found.warn_at < found.due_at
