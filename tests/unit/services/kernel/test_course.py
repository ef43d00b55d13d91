"""The course of a clock: extensions before and after the end, suspensions, restarts, and what has no effect."""

from __future__ import annotations

from dataclasses import replace

from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule
from services.kernel.codes import day_of
from services.kernel.course import Course, course
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_day, parse_instant
from services.kernel.verdict import verdict

CALENDAR = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
A1, A8, A9, C6, E7 = (RULES.versions(name)[0] for name in ("A1", "A8", "A9", "C6", "E7"))


def at(text: str) -> int:
    return parse_instant(f"{text}:00.000Z") - 8 * 3_600_000


def happened(word: str, text: str) -> Moment:
    return Moment("happened", word, at(f"{text}T10:00"))


def extended(word: str, text: str, length: int | None = None, name: str = "") -> Moment:
    return Moment("extended", word, at(f"{text}T10:00"), name, length)


def still(ground: str, begin: str, until: str | None = None) -> list[Moment]:
    ends = [] if until is None else [Moment("resumed", ground, at(f"{until}T10:00"))]
    return [Moment("suspended", ground, at(f"{begin}T10:00")), *ends]


def run(rule: ClockRule, *moments: Moment) -> Course:
    found = course(rule, moments, CALENDAR)
    assert found is not None
    return found


def due(rule: ClockRule, *moments: Moment) -> str | None:
    end = run(rule, *moments).end
    return None if end is None else format_day(end.due_day)


RECEIVED = happened("clue_received", "2026-02-09")
FILED = happened("case_filed", "2026-03-02")


def test_nothing_that_started_it_is_no_course() -> None:
    assert course(A1, [happened("clue_filed", "2026-02-10")], CALENDAR) is None


def test_the_first_trigger_starts_the_clock() -> None:
    assert due(A1, happened("clue_received", "2026-03-10"), RECEIVED) == "2026-03-06"


def test_an_extension_lengthens_the_term_as_one() -> None:
    assert due(A1, RECEIVED, extended("head", "2026-03-06")) == "2026-03-27"


def test_an_extension_after_the_end_has_no_effect_and_is_named() -> None:
    found = run(A1, RECEIVED, extended("head", "2026-03-07"))
    assert found.end is not None
    assert format_day(found.end.due_day) == "2026-03-06"
    assert [(what.kind, what.reason) for what in found.unheeded] == [("extended", "too_late")]


def test_a_rule_may_let_an_extension_come_after_the_end() -> None:
    late = replace(A1, extensions=(replace(A1.extensions[0], granted="any_time"),))
    assert due(late, RECEIVED, extended("head", "2026-03-07")) == "2026-03-27"


def test_a_second_grant_of_a_single_extension_has_no_effect() -> None:
    found = run(A1, RECEIVED, extended("head", "2026-03-05", name="a"), extended("head", "2026-03-05", name="b"))
    assert found.length == 30
    assert [what.reason for what in found.unheeded] == ["used_up"]


def test_a_redelivered_grant_counts_once() -> None:
    rule = replace(A1, extensions=(replace(A1.extensions[0], times=None),))
    grant = extended("head", "2026-03-05", name="a")
    assert run(rule, RECEIVED, grant, grant).length == 30
    assert run(rule, RECEIVED, grant, replace(grant, at_ms=grant.at_ms + 5)).length == 30
    assert run(rule, RECEIVED, grant, replace(grant, id="b")).length == 45


def test_a_head_and_then_a_collective_decision_extend_a_case() -> None:
    head, collective = extended("head", "2026-05-20"), extended("collective", "2026-06-20", 20)
    assert due(A9, FILED) == "2026-06-01"  # 90 days end on Sunday 2026-05-31
    assert due(A9, FILED, head, collective) == "2026-07-20"
    unstated = run(A9, FILED, head, extended("collective", "2026-06-20"))
    assert [what.reason for what in unstated.unheeded] == ["unstated"]


def test_an_extension_to_a_total_adds_what_is_missing_and_makes_the_verdict_advisory() -> None:
    found = run(C6, happened("referral_accepted", "2026-03-02"), extended("complex", "2026-03-05"))
    assert found.end is not None
    assert format_day(found.end.due_day) == "2026-04-01"
    assert found.advisory
    assert not run(C6, happened("referral_accepted", "2026-03-02")).advisory


def test_a_notice_of_delay_before_the_end_leaves_no_end() -> None:
    asked = happened("assistance_requested", "2026-09-21")
    assert due(A8, asked, extended("late_notice", "2026-10-19")) is None
    assert due(A8, asked, extended("late_notice", "2026-10-20")) == "2026-10-19"
    assert due(A8, asked, extended("late_notice", "2026-10-19", 3)) == "2026-10-22"


def test_overlapping_suspensions_are_not_taken_twice() -> None:
    both = [*still("testing", "2026-03-02", "2026-03-12"), *still("appraisal", "2026-03-10", "2026-03-16")]
    alone = still("testing", "2026-03-02", "2026-03-16")
    assert due(A1, RECEIVED, *both) == due(A1, RECEIVED, *alone) == "2026-03-20"


def test_a_suspension_that_lasts_leaves_no_end_and_one_after_the_end_nothing() -> None:
    assert due(A1, RECEIVED, *still("testing", "2026-03-06")) is None
    found = run(A1, RECEIVED, *still("testing", "2026-03-07"))
    assert found.end is not None
    assert [(what.kind, what.word, what.reason) for what in found.unheeded] == [("suspended", "testing", "too_late")]


def test_an_extension_may_come_while_the_term_stands_still() -> None:
    moments = [*still("testing", "2026-03-04", "2026-03-20"), extended("head", "2026-03-10")]
    assert due(A1, RECEIVED, *moments) == "2026-04-15"


def test_a_ground_that_the_rule_does_not_know_is_not_excluded_and_is_named() -> None:
    found = run(A1, RECEIVED, *still("hearing", "2026-03-02", "2026-03-05"), extended("chief", "2026-03-01"))
    assert found.end is not None
    assert format_day(found.end.due_day) == "2026-03-06"
    assert {(what.kind, what.word, what.reason) for what in found.unheeded} == {
        ("suspended", "hearing", "unknown"),
        ("extended", "chief", "unknown"),
    }


def test_a_suspension_that_ended_before_the_term_began_is_nothing() -> None:
    found = run(A1, RECEIVED, *still("testing", "2026-01-05", "2026-01-09"))
    assert (found.still, found.unheeded) == ((), ())


def test_a_restart_before_the_end_lets_the_term_run_anew() -> None:
    performed = happened("performance_due", "2024-03-01")
    again = happened("limitation_interrupted", "2025-06-03")
    assert due(E7, performed) == "2026-03-02"  # 2026-03-01 is a Sunday
    assert due(E7, performed, again) == "2027-06-03"
    late = run(E7, performed, happened("limitation_interrupted", "2026-03-03"))
    assert [what.reason for what in late.unheeded] == ["too_late"]
    early = run(E7, performed, happened("limitation_interrupted", "2024-01-03"))
    assert (early.running_from, early.unheeded) == (performed, ())


def test_what_happens_after_the_stop_has_no_effect() -> None:
    done = happened("clue_filed", "2026-03-04")
    assert due(A1, RECEIVED, done, extended("head", "2026-03-05"), *still("testing", "2026-03-05")) == "2026-03-06"


def test_thousands_of_grants_and_standstills_have_an_answer_that_is_short() -> None:
    moments = [happened("case_filed", "2026-02-09")]
    moments += [replace(extended("collective", "2026-02-10", 1_000), id=f"e-{n}") for n in range(3_000)]
    for n in range(300):
        begin = at("2026-02-11T10:00") + n * 3 * 86_400_000
        moments += [
            Moment("suspended", "hearing", begin, f"s-{n}"),
            Moment("resumed", "hearing", begin + 86_400_000, f"r-{n}"),
            Moment("suspended", "made_up", begin, f"u-{n}"),
        ]
    told = verdict(A9, moments, CALENDAR, at("2027-01-01T10:00"))
    assert told.state == "running"
    assert format_day(day_of(told.due_at or 0)) == "9998-12-31"
    assert "此前另有 2992 次延长" in told.explanation.zh
    assert "after 292 earlier standstills" in told.explanation.en
    assert "292 more before have no effect" in told.explanation.en
    assert len(told.explanation.zh) + len(told.explanation.en) < 12_000
