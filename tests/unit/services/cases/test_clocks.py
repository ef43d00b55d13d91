"""The clocks of a case: what is told of each when, by whom it is caused, and that neither order nor ticks can bend it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cases.clocks import ORDINALS, due_of, recomputed, ripened, verdicts
from services.cases.instances import SLOTS
from services.cases.steps import FIRST_TICK_ORDINAL
from services.kernel.clock_moments import Moment
from tests.unit.services.cases.docket import RULES, SUZHOU, Docket, at, shipped_rules, spoken, world
from tests.unit.services.cases.docket_entries import HOUR, Told, entries, played

BEGUN = "2026-02-09T10:00"  # + 15 working days = 2026-03-06
DUE = at("2026-03-07T00:00") - 1
WARN = at("2026-03-04T00:00") - 1


def begun() -> Docket:
    docket = Docket()
    assert spoken(docket.happens("assistance_requested", BEGUN)) == [("started", "A8/1")]
    return docket


def test_a_clock_is_told_once_when_its_trigger_comes() -> None:
    [change] = begun().told
    clock = change.clock
    assert (clock.key, clock.trigger, clock.since, clock.told_state) == ("A8/1", "e-0", "e-0", "running")
    assert (clock.due_at, clock.warn_at, clock.warned, change.before) == (DUE, WARN, False, None)
    assert (change.cause, change.ordinal, change.time_ms) == ("e-0", 0, at(BEGUN))
    assert change.actors == (SUZHOU,)


def test_it_warns_then_expires_each_once_a_millisecond_past_the_end() -> None:
    docket = begun()
    assert due_of(docket.case) == WARN
    assert spoken(docket.wait(WARN - 1)) == []
    [warned] = docket.wait(DUE)
    [expired] = docket.wait(at("2026-12-01T00:00"))
    place = RULES.index("A8")
    assert (warned.what, warned.cause, warned.ordinal, warned.time_ms) == ("warned", "e-0", 256 + 2 * place, WARN)
    assert (expired.what, expired.cause, expired.ordinal) == ("expired", "e-0", 256 + 2 * place + 1)
    assert (expired.time_ms, expired.verdict.state, expired.verdict.breach) == (DUE + 1, "expired", True)
    assert due_of(docket.case) is None
    assert ripened(docket.case, DUE + 1, docket.around) == (docket.case.clocks, ())


def test_a_tick_that_is_late_tells_the_end_and_not_the_warning() -> None:
    docket = begun()
    assert spoken(docket.tick(DUE + 1)) == [("expired", "A8/1")]
    assert due_of(docket.case) is None


def test_a_stop_in_time_ends_it_and_nothing_comes_after() -> None:
    docket = begun()
    [change] = docket.happens("assistance_finished", "2026-02-25T10:00")
    assert (change.what, change.verdict.state, change.before and change.before.told_state) == (
        "stopped",
        "met",
        "running",
    )
    assert docket.wait(at("2027-01-01T00:00")) == []


def test_a_stop_after_the_end_is_told_as_late_after_the_expiry() -> None:
    docket = begun()
    told = docket.happens("assistance_finished", "2026-03-09T10:00")
    assert spoken(told) == [("warned", "A8/1"), ("expired", "A8/1"), ("stopped", "A8/1")]
    assert (told[-1].verdict.state, told[-1].before and told[-1].before.told_state) == ("late", "expired")


def test_a_duty_that_falls_away_is_told_as_stopped() -> None:
    docket = begun()
    [change] = docket.happens("assistance_withdrawn", "2026-02-11T10:00")
    assert (change.what, change.verdict.state) == ("stopped", "ended")


def test_a_stop_entered_late_makes_an_expired_clock_met() -> None:
    docket = begun()
    docket.wait("2026-03-08T00:00")
    [change] = docket.happens("assistance_finished", "2026-03-01T10:00", admitted="2026-03-20T10:00")
    assert (change.what, change.verdict.state) == ("stopped", "met")
    assert change.before is not None
    assert change.before.told_state == "expired"


def test_an_earlier_stop_entered_late_is_told_again_and_a_later_one_is_not() -> None:
    docket = begun()
    docket.happens("assistance_finished", "2026-02-25T10:00")
    assert docket.happens("assistance_finished", "2026-02-26T10:00") == []
    [change] = docket.happens("assistance_finished", "2026-02-11T10:00", admitted="2026-03-02T10:00")
    assert (change.what, change.verdict.ended_at) == ("stopped", at("2026-02-11T10:00"))


def test_an_extension_moves_the_end_and_the_warning_is_for_the_new_one() -> None:
    docket = Docket()
    docket.happens("clue_received", BEGUN)
    docket.wait(DUE - 1)
    [change] = docket.happens("head", "2026-03-05T10:00", kind="extended")
    assert (change.what, change.why, change.before and change.before.due_at) == ("moved", "extension", DUE)
    assert (change.clock.since, change.clock.warned) == ("e-1", False)
    later = docket.wait("2027-01-01T00:00")
    assert [(c.what, c.cause) for c in later] == [("warned", "e-1"), ("expired", "e-1")]


def test_an_extension_is_heard_by_its_own_rule_alone() -> None:
    docket = Docket()
    docket.happens("clue_received", BEGUN)
    docket.happens("case_filed", "2026-02-10T10:00")
    moment = Moment("extended", "head", at("2026-02-11T10:00"), "e-x")
    told = docket.hear("e-x", at("2026-02-11T10:00"), moment, scope="A9")
    assert spoken(told) == [("moved", "A9/1")]


def test_a_suspension_takes_the_end_away_and_a_resumption_gives_another() -> None:
    docket = Docket()
    docket.happens("clue_received", BEGUN)
    [still] = docket.happens("testing", "2026-02-11T10:00", kind="suspended")
    assert (still.what, still.grounds, still.clock.due_at) == ("suspended", ("testing",), None)
    assert due_of(docket.case) is None
    [again] = docket.happens("testing", "2026-02-25T10:00", kind="resumed")
    assert (again.what, again.clock.told_state) == ("resumed", "running")
    assert again.clock.due_at is not None
    assert again.clock.due_at > DUE


def test_a_second_ground_of_what_stands_still_is_not_told() -> None:
    docket = Docket()
    docket.happens("clue_received", BEGUN)
    docket.happens("testing", "2026-02-11T10:00", kind="suspended")
    assert docket.happens("inspection", "2026-02-12T10:00", kind="suspended") == []


def test_a_ground_that_the_rule_does_not_know_is_not_told() -> None:
    docket = begun()
    assert docket.happens("testing", "2026-02-11T10:00", kind="suspended") == []


def test_a_restart_moves_the_end() -> None:
    docket = Docket()
    docket.happens("performance_due", BEGUN)
    [change] = docket.happens("limitation_interrupted", "2026-06-01T10:00")
    assert (change.what, change.why) == ("moved", "restart")


def test_a_trigger_entered_late_with_its_end_behind_it_is_told_with_its_end() -> None:
    docket = Docket()
    told = docket.happens("assistance_requested", BEGUN, admitted="2026-05-06T10:00")
    assert spoken(told) == [("started", "A8/1"), ("expired", "A8/1")]
    assert [change.ordinal for change in told] == [0, 1]
    assert {change.time_ms for change in told} == {at("2026-05-06T10:00")}
    assert docket.wait("2027-01-01T00:00") == []


def test_a_trigger_entered_past_its_warning_is_told_with_its_warning() -> None:
    docket = Docket()
    told = docket.happens("assistance_requested", BEGUN, admitted="2026-03-05T10:00")
    assert spoken(told) == [("started", "A8/1"), ("warned", "A8/1")]
    assert spoken(docket.wait("2027-01-01T00:00")) == [("expired", "A8/1")]


def test_a_trigger_entered_late_moves_the_start() -> None:
    docket = begun()
    [change] = docket.happens("assistance_requested", "2026-02-05T10:00", admitted="2026-02-11T10:00")
    assert (change.what, change.why, change.clock.trigger) == ("moved", "late_entry", "e-1")


def test_a_trigger_entered_late_moves_the_clocks_after_its_own_too() -> None:
    docket = Docket()
    docket.happens("assistance_finished", "2026-02-02T10:00")
    now, first, second = at("2026-02-10T10:00"), at("2026-02-04T10:00"), at("2026-02-09T10:00")
    both = (
        Moment("happened", "assistance_requested", first, "e"),
        Moment("happened", "assistance_requested", second, "e"),
    )
    docket.hear("e", now, *both)
    late = Moment("happened", "assistance_requested", at("2026-02-02T09:00"), "e-late")
    told = docket.hear("e-late", now, late)
    assert spoken(told) == [("stopped", "A8/1"), ("moved", "A8/2")]
    assert [clock.due_at for clock in docket.case.clocks] == [
        judged.due_at for _, judged, _ in verdicts(docket.case, docket.around, now)
    ]


def test_a_fact_that_no_rule_hears_judges_nothing() -> None:
    docket = begun()
    before = docket.case.clocks
    assert docket.happens("goods_handed_over", "2026-02-11T10:00") == []
    assert docket.case.clocks is not before
    assert docket.case.clocks == before


def test_a_trigger_entered_late_under_another_version_takes_a_clock_away_and_says_so() -> None:
    rules = shipped_rules()
    change = at("2026-06-01T00:00") // 86_400_000 + 1
    [old] = rules.versions("A8")
    never = replace(old, valid_until=change - 1, stops=(rules.moments["goods_handed_over"],), falls_away=())
    both = replace(rules, rules=(never, replace(old, valid_from=change)))
    docket = Docket(world("A8", clock_rules=both))
    docket.happens("assistance_requested", "2026-06-11T10:00")
    docket.happens("assistance_finished", "2026-06-12T10:00")
    docket.happens("assistance_requested", "2026-06-15T10:00")
    told = docket.happens("assistance_requested", BEGUN, admitted="2026-06-16T10:00")
    assert [(change.what, change.clock.key, change.verdict.state) for change in told] == [
        ("moved", "A8/1", "expired"),
        ("expired", "A8/1", "expired"),
        ("moved", "A8/2", "not_started"),
    ]
    assert [clock.key for clock in docket.case.clocks] == ["A8/1"]


def test_without_any_calendar_every_end_is_provisional_and_no_breach() -> None:
    docket = Docket(world(until=1990))
    docket.happens("assistance_requested", BEGUN)
    [clock] = docket.case.clocks
    assert clock.provisional
    assert [c.verdict.breach for c in docket.wait("2027-01-01T00:00")] == [False, False]


def test_a_calendar_that_comes_moves_what_rests_on_it_and_settles_the_rest() -> None:
    docket = Docket(world(until=2025))
    docket.happens("assistance_requested", BEGUN)
    [before] = docket.case.clocks
    [change] = docket.calendar_comes(2026, at("2026-02-10T10:00"))
    assert (change.what, change.why, change.cause) == ("moved", "calendar", "e-calendar")
    assert (before.provisional, change.clock.provisional, change.clock.due_at) == (True, False, DUE)
    assert before.due_at != DUE
    assert docket.calendar_comes(2026, at("2026-02-11T10:00"), "e-again") == []


def test_a_calendar_makes_a_clock_that_was_met_late() -> None:
    docket = Docket(world(until=2025))
    docket.happens(
        "dispute_arisen", "2026-01-03T10:00"
    )  # 7 working days; the week knows no worked Sunday of 2026-01-04
    docket.happens("dispute_settled", "2026-01-13T10:00")
    assert docket.stands(at("2026-01-13T10:00")) == {"A3/1": "met"}
    [change] = docket.calendar_comes(2026, at("2026-02-11T10:00"))
    assert (change.what, change.cause, change.verdict.state) == ("stopped", "e-calendar", "late")
    assert (change.before and change.before.told_state, change.clock.due_at) == ("met", at("2026-01-13T00:00") - 1)
    assert (change.clock.provisional, change.verdict.breach) == (False, True)


def test_verdicts_are_in_the_order_of_the_rules_of_the_kind() -> None:
    docket = Docket(world("E7", "A8", "A1"))
    for word in ("clue_received", "assistance_requested", "performance_due"):
        docket.happens(word, BEGUN)
    judged = verdicts(docket.case, docket.around, at(BEGUN))
    assert [clock.key for clock, _, _ in judged] == ["E7/1", "A8/1", "A1/1"]
    assert [clock for clock, _, _ in judged] == list(docket.case.clocks)


def test_a_case_that_was_never_opened_has_no_clock() -> None:
    assert verdicts(replace(Docket().case, opened_event=""), world(), 0) == ()


@pytest.mark.parametrize("rules", [RULES, ("A8",), tuple(rule.id for rule in shipped_rules().rules)])
def test_no_ordinal_of_a_tick_meets_another_or_leaves_its_room(rules: tuple[str, ...]) -> None:
    """Clocks of every rule, so many after one another that the room is full, all of them changed by one event."""
    docket = Docket(world(*rules))
    start = at("2023-02-09T10:00")
    words = sorted({word for rule in rules for word in shipped_rules().versions(rule)[0].ids["trigger"]})
    ends = sorted({word for rule in rules for word in shipped_rules().versions(rule)[0].ids["stops"]} - set(words))
    moments = []
    for turn in range(200):
        moments += [Moment("happened", word, start + turn * 2_000_000, "e") for word in words]
        moments += [Moment("happened", word, start + turn * 2_000_000 + 1_000_000, "e") for word in ends]
    told = docket.hear("e", at("2026-05-01T00:00"), *moments)
    told += docket.wait("2035-01-01T00:00")
    assert len(docket.case.clocks) <= SLOTS
    assert max(change.ordinal for change in told) < ORDINALS
    assert len({(change.cause, change.ordinal) for change in told}) == len(told)
    most = max(1, SLOTS // len(rules))
    assert FIRST_TICK_ORDINAL + 2 * len(rules) * most <= ORDINALS


# --- whatever comes, in whatever order ---


@settings(max_examples=150, deadline=None)
@given(entries(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_verdict(told: Told, chance: random.Random) -> None:
    end = told[-1][1]
    mixed = list(told)
    chance.shuffle(mixed)
    straight, other = played(told), Docket()
    for event, _, moments in mixed:
        other.hear(event, end, *moments)
    one = [judged for _, judged, _ in verdicts(straight.case, straight.around, end + HOUR)]
    assert one == [judged for _, judged, _ in verdicts(other.case, other.around, end + HOUR)]


@settings(max_examples=150, deadline=None)
@given(entries(), st.data())
def test_ticks_between_entries_change_no_word(told: Told, data: st.DataObject) -> None:
    lazy, eager = played(told), Docket()
    for event, admitted, moments in told:
        eager.wait(data.draw(st.integers(admitted - 40 * 24 * HOUR, admitted - 1)))
        eager.hear(event, admitted, *moments)
    end = told[-1][1] + 900 * 24 * HOUR
    lazy.wait(end)
    eager.wait(end)
    assert eager.told == lazy.told
    assert eager.case == lazy.case


@settings(max_examples=150, deadline=None)
@given(entries())
def test_what_was_told_is_how_the_clocks_stand(told: Told) -> None:
    docket = Docket()
    for event, admitted, moments in told:
        docket.hear(event, admitted, *moments)
        for clock, judged, _ in verdicts(docket.case, docket.around, admitted):
            assert clock in docket.case.clocks
            said = (clock.due_at, clock.warn_at, clock.provisional, clock.advisory, clock.valid_from)
            assert said == (judged.due_at, judged.warn_at, judged.provisional, judged.advisory, judged.rule_from)
            if clock.due_at is None or clock.due_at + 1 != admitted:
                assert clock.told_state == judged.state
        assert len(docket.case.clocks) == len(verdicts(docket.case, docket.around, admitted))
        due = due_of(docket.case)
        assert due is None or due >= admitted
    docket.wait(told[-1][1] + 3000 * 24 * HOUR)
    assert len({(change.cause, change.ordinal) for change in docket.told}) == len(docket.told)
    assert all(0 <= change.ordinal < ORDINALS for change in docket.told)


@settings(max_examples=80, deadline=None)
@given(entries(), st.integers(0, 8))
def test_a_fact_that_comes_again_says_nothing(told: Told, which: int) -> None:
    docket = played(told)
    _, _, moments = told[which % len(told)]
    case, now = docket.case, told[-1][1]
    again = replace(case, facts=(*case.facts, case.facts[which % len(told)]))
    clocks, changes = recomputed(case, again, moments, "e-again", docket.around, now)
    assert (clocks, changes) == (case.clocks, ())
