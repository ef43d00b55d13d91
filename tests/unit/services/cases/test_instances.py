"""Which trigger starts which clock of a rule, and what each of them sees."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.cases.clocks import verdicts
from services.cases.instances import SLOTS, instances_of, moments_for, most_of_a_rule, unruled
from services.cases.state import Case, Fact
from services.kernel.clock_moments import Moment
from tests.unit.services.cases.docket import NANJING, RULES, Docket, at, kind_of, shipped_rules, world

KIND = kind_of("A8")
START, STOP, FALL = "assistance_requested", "assistance_finished", "assistance_withdrawn"


def case_of(*said: tuple[str, int], scope: str | None = None) -> Case:
    facts = tuple(
        Fact(f"e{n}", NANJING, "m", when, when, (Moment("happened", word, when, f"e{n}"),), scope)
        for n, (word, when) in enumerate(said)
    )
    return Case("TR-1", kind="trial", opened_event="e0", facts=facts)


def seen(case: Case) -> list[tuple[int, int, list[int]]]:
    """Number, time of the trigger, times of what it sees."""
    found = instances_of(case, KIND, "A8", shipped_rules())
    return [(one.number, one.trigger.at_ms, [moment.at_ms for moment in one.moments]) for one in found]


def test_without_a_trigger_there_is_no_clock() -> None:
    assert seen(case_of((STOP, 5))) == []


def test_a_trigger_while_a_clock_runs_starts_no_other() -> None:
    assert seen(case_of((START, 10), (START, 20))) == [(1, 10, [10, 20])]


def test_the_next_trigger_after_a_stop_or_a_fall_starts_the_next_clock() -> None:
    case = case_of((START, 10), (STOP, 20), (START, 20), (START, 30), (FALL, 40), (START, 50))
    assert seen(case) == [(1, 10, [10, 20, 20]), (2, 30, [30, 40]), (3, 50, [50])]


def test_the_first_clock_sees_a_stop_before_its_trigger_and_the_next_ones_do_not() -> None:
    assert seen(case_of((STOP, 5), (START, 10), (START, 20))) == [(1, 10, [5, 10]), (2, 20, [20])]


def test_of_two_triggers_at_one_time_the_first_by_word_and_id_counts() -> None:
    case = case_of((START, 10), (START, 10))
    assert [one.trigger.id for one in instances_of(case, KIND, "A8", shipped_rules())] == ["e0"]


def test_a_moment_of_another_rule_s_scope_is_not_heard() -> None:
    assert moments_for(case_of((START, 10), scope="A9"), "A8", shipped_rules()) == ()
    assert len(moments_for(case_of((START, 10), scope="A8"), "A8", shipped_rules())) == 1


def test_a_moment_that_was_told_twice_is_one() -> None:
    case = case_of((START, 10))
    assert moments_for(replace(case, facts=case.facts * 2), "A8", shipped_rules()) == moments_for(
        case, "A8", shipped_rules()
    )


def test_a_trigger_before_any_version_of_the_rule_starts_nothing_and_is_named() -> None:
    rules = shipped_rules()
    from_day = at("2026-06-01T00:00") // 86_400_000 + 1
    later = replace(rules, rules=tuple(replace(rule, valid_from=from_day) for rule in rules.rules))
    case = case_of((START, at("2026-02-09T10:00")), (START, at("2026-06-02T10:00")))
    [one] = instances_of(case, KIND, "A8", later)
    assert (one.number, one.trigger.id, [moment.id for moment in one.moments]) == (1, "e1", ["e1"])
    [told] = unruled(case, KIND, later)
    assert (told.rule, told.moment) == ("A8", START)
    assert "2026-02-09" in told.zh
    assert "2026-02-09" in told.en
    assert unruled(case, KIND, rules) == ()


def test_after_a_stop_the_next_trigger_starts_a_clock_of_its_own() -> None:
    docket = Docket()
    docket.happens(START, "2026-02-09T10:00")
    docket.happens(STOP, "2026-02-25T10:00")
    [change] = docket.happens(START, "2026-03-02T10:00")
    assert (change.what, change.clock.key, change.clock.trigger) == ("started", "A8/2", "e-2")
    warned, expired = docket.wait("2027-01-01T00:00")
    place = RULES.index("A8") + len(RULES)
    assert (warned.ordinal, expired.ordinal) == (256 + 2 * place, 256 + 2 * place + 1)


def test_a_rule_that_was_not_in_force_starts_no_clock() -> None:
    rules = shipped_rules()
    from_day = at("2026-06-01T00:00") // 86_400_000
    later = replace(rules, rules=tuple(replace(rule, valid_from=from_day) for rule in rules.rules))
    docket = Docket(world(clock_rules=later))
    assert docket.happens(START, "2026-02-09T10:00") == []
    assert docket.stands(at("2026-02-09T10:00")) == {}


def test_a_case_keeps_the_version_of_its_trigger() -> None:
    rules = shipped_rules()
    change = at("2026-06-01T00:00") // 86_400_000 + 1
    [old] = rules.versions("A8")
    both = (replace(old, valid_until=change - 1), replace(old, valid_from=change, length=10))
    docket = Docket(world("A8", clock_rules=replace(rules, rules=both)))
    docket.happens(START, "2026-02-09T10:00")
    docket.happens(STOP, "2026-06-10T10:00")
    docket.happens(START, "2026-06-11T10:00")
    assert [(clock.key, clock.valid_from) for clock in docket.case.clocks] == [("A8/1", None), ("A8/2", change)]
    judged = verdicts(docket.case, docket.around, at("2026-02-09T10:00"))
    assert [one.rule_from for _, one, _ in judged] == [None, change]


def test_a_rule_has_as_many_clocks_as_there_is_room_for() -> None:
    case = case_of(*((word, 10 * turn + n) for turn in range(300) for n, word in enumerate((START, STOP))))
    assert len(seen(case)) == most_of_a_rule(KIND) == SLOTS
    assert most_of_a_rule(kind_of("A8", "A9", "A1")) == SLOTS // 3
    assert most_of_a_rule(kind_of()) == SLOTS


@given(st.lists(st.tuples(st.sampled_from((START, STOP, FALL)), st.integers(0, 12)), max_size=12), st.randoms())
def test_the_order_in_which_it_was_told_does_not_matter(said: list[tuple[str, int]], chance) -> None:
    case = case_of(*said)
    mixed = list(case.facts)
    chance.shuffle(mixed)
    assert seen(replace(case, facts=tuple(mixed))) == seen(case)


@given(st.lists(st.tuples(st.sampled_from((START, STOP, FALL)), st.integers(0, 12)), max_size=12), st.integers(0, 11))
def test_one_more_moment_never_takes_a_clock_away(said: list[tuple[str, int]], which: int) -> None:
    case = case_of(*said)
    fewer = replace(case, facts=tuple(fact for number, fact in enumerate(case.facts) if number != which))
    assert len(seen(fewer)) <= len(seen(case))
