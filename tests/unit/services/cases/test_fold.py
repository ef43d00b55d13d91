"""The fold of a case: examples first, then whatever sequence hypothesis finds on any kind of the shipped table."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.cases.fold import Step, due_of, ripe, step
from services.cases.state import Case
from services.cases.state_json import decode, encode
from services.cases.steps import Around
from services.events.transfer import CalendarApplied, TransferMoved
from services.kernel.calendar import Calendar
from services.kernel.parties import is_exchange_part
from tests.unit.services.cases.sequences import Told, heard, logs, ticked, world
from tests.unit.services.cases.stage import (
    DAY,
    HOUR,
    MORNING,
    NANJING,
    NINGBO,
    NINGBO_POLICE,
    SUZHOU,
    SUZHOU_POLICE,
    Stage,
    around,
    assistance,
    clock_rules,
    members,
    referral,
    refused,
    tables,
)


def test_an_entry_that_comes_again_changes_nothing_and_says_nothing() -> None:
    stage = assistance()
    stage.move("accept", NINGBO, NANJING)
    for said in stage.log:
        assert step(stage.case, said, around()) == Step(stage.now)


def test_a_move_without_effect_is_not_answered_twice() -> None:
    stage = assistance()
    assert refused(stage.move("accept", NANJING, NINGBO)) == "not_yours_to_make"
    assert step(stage.case, stage.log[-1], around()) == Step(stage.now)


def test_a_term_is_warned_of_and_expires_once_when_nobody_answers() -> None:
    stage = assistance()
    clock = stage.now.clocks[0]
    told = [change for tick in stage.wait(clock.due_at + 30 * DAY) for change in tick.changes]
    assert [(change.what, change.time_ms) for change in told] == [
        ("warned", clock.warn_at),
        ("expired", clock.due_at + 1),
    ]
    assert all(change.cause == clock.since for change in told)
    assert [change.ordinal for change in told] == [256, 257]
    assert due_of(stage.now) is None


def test_ticks_that_were_due_are_told_before_the_entry_that_comes_after_them() -> None:
    late, prompt = assistance(), assistance()
    due = late.now.clocks[0].due_at
    prompt_told = [change for tick in prompt.wait(due + HOUR) for change in tick.changes]
    told = late.move("accept", NINGBO, NANJING, at=due + 2 * HOUR)
    prompt_told += prompt.move("accept", NINGBO, NANJING, at=due + 2 * HOUR).changes
    assert list(told.changes) == prompt_told
    assert late.case == prompt.case
    assert [change.what for change in told.changes] == ["warned", "expired"]


def test_a_change_is_told_to_the_parties_of_its_moment_and_to_whoever_leaves_by_it() -> None:
    stage = referral()
    due = stage.now.clocks[0].due_at
    told = stage.move("forward", NINGBO_POLICE, NINGBO, SUZHOU_POLICE, at=due + HOUR, happened_at=due + 1)
    assert [(change.what, change.clock.key, change.parties) for change in told.changes] == [
        ("warned", "C4/1", (NINGBO, NINGBO_POLICE)),
        ("expired", "C4/1", (NINGBO, NINGBO_POLICE)),
        ("stopped", "C4/1", (SUZHOU_POLICE, NINGBO, NINGBO_POLICE)),
        ("started", "C4/2", (SUZHOU_POLICE, NINGBO, NINGBO_POLICE)),
    ]


def test_an_entry_admitted_at_the_very_end_comes_before_the_tick() -> None:
    stage = assistance()
    due = stage.now.clocks[0].due_at
    told = stage.move("accept", NINGBO, NANJING, at=due + 1)
    assert [change.what for change in told.changes] == ["warned"]
    assert due_of(stage.now) == due + 1


def test_a_move_without_effect_lets_the_ticks_before_it_be_told_all_the_same() -> None:
    stage = assistance()
    due = stage.now.clocks[0].due_at
    told = stage.move("accept", SUZHOU, NANJING, at=due + DAY)
    assert refused(told) == "not_party"
    assert [change.what for change in told.changes] == ["warned", "expired"]
    assert told.case.clocks[0].told_state == "expired"


def without_2026() -> Around:
    years = tuple(year for year in members().calendar.years if year.year < 2026)
    return Around(tables(), clock_rules(), replace(members(), calendar=Calendar(years)))


def test_a_tick_before_a_new_calendar_is_told_by_the_old_one_whoever_comes_first() -> None:
    old = without_2026()
    new = replace(around(), before=old.registry)
    stage = assistance()
    opened = step(None, stage.log[0], old).case
    clock = opened.clocks[0]
    assert clock.provisional
    assert clock.due_at is not None
    at = clock.due_at + HOUR
    applied = replace(
        stage.log[0], seq=9, time_ms=at, admitted_ms=at, body=CalendarApplied(year=2026, calendar_event="e")
    )
    at_once = step(opened, applied, new)
    by_hand, told = opened, []
    while (due := due_of(by_hand)) is not None:
        tick = ripe(by_hand, due, old)
        by_hand, told = tick.case, [*told, *tick.changes]
    after = step(by_hand, applied, new)
    assert [*told, *after.changes] == list(at_once.changes)
    assert after.case == at_once.case
    assert [(change.what, change.why, change.verdict.provisional) for change in at_once.changes] == [
        ("warned", None, True),
        ("expired", None, True),
        ("moved", "calendar", False),
    ]


def test_a_calendar_changes_no_case_that_nobody_opened() -> None:
    stage = Stage()
    told = stage.say(CalendarApplied(year=2026, calendar_event="e"), "exchange.operator")
    assert told == Step(Case(stage.subject, last_seq=0))
    assert refused(stage.open("assistance", NANJING, NINGBO)) is None


def test_a_calendar_says_nothing_where_no_end_moved() -> None:
    stage = assistance()
    before = stage.now
    told = stage.say(CalendarApplied(year=2026, calendar_event="e"), "exchange.operator")
    assert (told.refused, told.changes) == (None, ())
    assert told.case == replace(before, last_seq=1)


def test_a_case_is_judged_by_the_members_of_its_last_event_with_effect() -> None:
    stage = assistance()
    more = replace(stage.log[0], seq=5, members=99, body=CalendarApplied(year=2026, calendar_event="e"))
    assert stage.hear(more).case.members == 99
    idle = replace(stage.log[0], seq=6, members=120)
    assert refused(stage.hear(idle)) == "opened_already"
    assert stage.now.members == 99


def test_a_rule_that_the_release_has_no_more_leaves_the_case_and_its_moves() -> None:
    stage = assistance()
    clocks = tuple(replace(clock, valid_from=1) for clock in stage.now.clocks)
    case = replace(stage.now, clocks=clocks)
    said = replace(
        stage.log[0],
        seq=1,
        source=NINGBO,
        addressees=(NANJING,),
        body=TransferMoved(
            kind="assistance", move="extend", happened_at=MORNING + 2 * HOUR, rule="A8", extension="late_notice"
        ),
    )
    assert refused(step(case, said, around())) == "clock_does_not_know"


def test_a_stored_clock_that_the_facts_do_not_give_is_closed_by_its_tick() -> None:
    stage = assistance()
    stray = replace(stage.now.clocks[0], number=2)
    case = replace(stage.now, clocks=(stray,))
    due = due_of(case)
    assert due is not None
    told = ripe(case, due, around())
    assert [(change.what, change.why, change.before.told_state) for change in told.changes] == [
        ("moved", "late_entry", "running")
    ]
    assert due_of(told.case) is None


@settings(max_examples=60, deadline=None)
@given(logs())
def test_the_same_entries_give_the_same_case_and_the_same_words(told: Told) -> None:
    case: Case | None = None
    for said, before in zip(told.log, told.steps, strict=True):
        again = heard(case, said)
        assert again == before
        case = again.case


@settings(max_examples=60, deadline=None)
@given(logs(), st.data())
def test_entries_that_come_again_change_nothing(told: Told, data: st.DataObject) -> None:
    case: Case | None = None
    for number, said in enumerate(told.log):
        case = heard(case, said).case
        again = told.log[data.draw(st.integers(0, number))]
        assert heard(case, again) == Step(case)
    assert case == told.case


@settings(max_examples=60, deadline=None)
@given(logs(), st.data())
def test_every_interleaving_of_ticks_and_entries_says_the_same(told: Told, data: st.DataObject) -> None:
    case, changes = told.steps[0].case, list(told.steps[0].changes)
    for said in told.log[1:]:
        while data.draw(st.booleans()) and (due := due_of(case)) is not None and due < said.admitted_ms:
            tick = ticked(case)
            assert tick is not None
            case, changes = tick.case, [*changes, *tick.changes]
        after = heard(case, said)
        case, changes = after.case, [*changes, *after.changes]
    assert case == told.case
    assert changes == [change for each in told.steps for change in each.changes]


@settings(max_examples=60, deadline=None)
@given(logs())
def test_nothing_leaves_a_terminal_state_but_a_move_that_names_it(told: Told) -> None:
    tables_ = world(told.log[0].members, told.log[0].members).tables
    for before, said, after in zip(told.steps, told.log[1:], told.steps[1:], strict=False):
        if not before.case.exists:
            continue
        kind = tables_.kinds[before.case.kind]
        had_effect = len(after.case.facts) > len(before.case.facts)
        assert had_effect == (after.refused is None and not isinstance(said.body, CalendarApplied))
        if had_effect and kind.state(before.case.state).terminal:
            move = kind.move(after.case.facts[-1].move)
            assert move is not None
            assert before.case.state in move.from_states
        if not had_effect:
            assert (after.case.state, after.case.parts) == (before.case.state, before.case.parts)


@settings(max_examples=60, deadline=None)
@given(logs())
def test_every_case_is_read_back_as_it_was_written(told: Told) -> None:
    for each in told.steps:
        assert decode(json.loads(json.dumps(encode(each.case)))) == each.case


@settings(max_examples=60, deadline=None)
@given(logs())
def test_what_is_said_is_told_once_and_is_whole(told: Told) -> None:
    seen: set[tuple[str, int]] = set()
    for each in told.steps:
        for change in each.changes:
            key = (change.cause, change.ordinal)
            assert key not in seen
            assert 0 <= change.ordinal < 1_024
            seen.add(key)
        if each.refused is not None:
            assert each.refused.article
            assert "{" not in each.refused.zh + each.refused.en
    assert not any(is_exchange_part(one) for one in told.case.informed)
