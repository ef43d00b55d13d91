"""The fold of the clues room: example tables first, then whatever order hypothesis finds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clues.state import TERMINAL, Clue, decode, encode
from services.clues.state import Stage as At
from services.codec.schema import EventSchema, compile_schema
from services.events import Event, to_value
from services.events.clue import ClueReported, ClueResultReturned, MoveHadNoEffect
from services.kernel.data import SCHEMAS_DIR
from tests.unit.services.clues.stage import (
    HANGZHOU,
    NANJING,
    NINGBO,
    NINGBO_POLICE,
    ORGANS,
    SHANGHAI,
    Stage,
    accepted,
    answers,
    filed,
    not_filed,
    only,
    report,
    returned,
    tables,
    verified,
)


def test_a_clue_goes_from_report_to_filing_and_its_result_returns_to_the_origin() -> None:
    stage = Stage()
    opened = stage.opened()
    assert stage.state.stage_of(NINGBO) is At.REPORTED
    assert stage.moves(NINGBO, accepted(), verified()).emissions == ()
    result = only(stage.say(filed("甬市监立案〔2026〕17号"), NINGBO, to=(NANJING,)), ClueResultReturned)
    assert result.addressee == (NANJING,)
    assert result.cause == stage.log[-1].id
    assert result.time_ms == stage.log[-1].admitted_ms
    assert result.subject == stage.subject
    assert result.event == ClueResultReturned(
        result="filed",
        origin=NANJING,
        handled_by=NINGBO,
        report_event=opened.id,
        result_event=stage.log[-1].id,
        reported_at=opened.admitted_ms,
        decided_at=stage.log[-1].admitted_ms,
        case_number="甬市监立案〔2026〕17号",
        filed_on=20781,
    )


def test_a_clue_that_is_not_filed_returns_its_ground_and_nothing_of_the_explanation() -> None:
    stage = Stage()
    stage.opened()
    result = only(stage.moves(NINGBO, accepted(), verified(), not_filed()), ClueResultReturned)
    assert (result.event.result, result.event.ground, result.event.case_number) == (
        "not_filed",
        "minor_corrected",
        None,
    )


@pytest.mark.parametrize("before", [(), (accepted(),)])
def test_a_returned_clue_goes_back_with_its_reason_before_or_after_acceptance(before: tuple[Event, ...]) -> None:
    stage = Stage()
    stage.opened()
    result = only(stage.moves(NINGBO, *before, returned()), ClueResultReturned)
    assert (result.event.result, result.event.return_reason) == ("returned", "not_competent_place")


def test_a_routed_clue_is_held_by_the_competent_organ_and_not_by_those_who_got_a_copy() -> None:
    stage = Stage()
    stage.say(report(place_division="330212"), NANJING, copies=(NINGBO, NINGBO_POLICE))
    assert [h.participant for h in stage.state.holdings] == [NINGBO]
    assert only(stage.say(accepted(), NINGBO_POLICE, to=(NANJING,)), MoveHadNoEffect).event.rule == "not_holder"


def test_a_routed_clue_whose_source_is_itself_competent_is_held_by_the_source() -> None:
    stage = Stage()
    stage.say(report(place_division="320106"), NANJING)
    assert stage.state.stage_of(NANJING) is At.REPORTED
    assert stage.moves(NANJING, accepted(), verified(), filed(), to=()).emissions == ()  # nobody else has to know
    assert stage.state.filed_by == NANJING


def test_a_clue_to_two_competent_organs_belongs_to_the_first_that_files() -> None:
    stage = Stage()
    stage.opened(to=(HANGZHOU, NINGBO))
    stage.moves(HANGZHOU, accepted(), verified())
    stage.moves(NINGBO, accepted(), verified(), filed())
    refused = only(stage.say(filed("杭市监立案〔2026〕1号"), HANGZHOU, to=(NANJING,)), MoveHadNoEffect)
    assert (refused.event.rule, refused.addressee) == ("first_to_file", (NANJING, HANGZHOU))
    assert "第十二条" in refused.event.article
    assert NINGBO in refused.event.explanation_zh
    assert NINGBO in refused.event.explanation_en
    assert stage.state.filed_by == NINGBO


def test_a_receiver_may_not_transfer_again() -> None:
    stage = Stage()
    first = stage.opened()
    again = stage.say(report(), NINGBO, to=(HANGZHOU,), cause=first.id)
    rules = {e.addressee: e.event.rule for e in answers(again, MoveHadNoEffect)}
    assert rules == {
        (NINGBO,): "no_retransfer",
        (HANGZHOU,): "no_retransfer",
    }  # the receiver of the copy learns that it has no effect
    assert stage.state.stage_of(HANGZHOU) is None
    assert stage.state.stage_of(NINGBO) is At.REPORTED
    insider = answers(again, MoveHadNoEffect)[0].event
    assert insider.possible == ("cn.ipx.clue.ClueAccepted", "cn.ipx.clue.ClueReturned")
    assert insider.possible_by == (NINGBO,)


def test_after_a_return_the_origin_may_address_it_anew_naming_the_old_report() -> None:
    stage = Stage()
    first = stage.opened()
    stage.moves(NINGBO, returned())
    assert stage.say(report(), NANJING, to=(HANGZHOU,), cause=first.id).emissions == ()
    stage.moves(HANGZHOU, accepted(), verified())
    result = only(stage.say(filed(), HANGZHOU, to=(NANJING,)), ClueResultReturned)
    assert result.event.report_event == stage.log[2].id
    assert result.event.handled_by == HANGZHOU


def test_the_same_organ_may_get_it_again_when_what_was_missing_is_supplied() -> None:
    stage = Stage()
    first = stage.opened()
    stage.moves(NINGBO, returned())
    stage.say(report(), NANJING, to=(NINGBO,), cause=first.id)
    assert stage.state.stage_of(NINGBO) is At.REPORTED


def test_addressing_it_anew_does_not_wake_an_organ_that_has_decided() -> None:
    stage = Stage()
    first = stage.opened(to=(HANGZHOU, NINGBO))
    stage.moves(HANGZHOU, returned())
    stage.moves(NINGBO, accepted(), verified(), not_filed())
    stage.say(report(), NANJING, to=(HANGZHOU, NINGBO), cause=first.id)
    assert (stage.state.stage_of(HANGZHOU), stage.state.stage_of(NINGBO)) == (At.REPORTED, At.NOT_FILED)


@pytest.mark.parametrize("cause", ["-", "0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52"])
def test_a_second_report_that_does_not_name_the_clue_has_no_effect(cause: str) -> None:
    stage = Stage()
    stage.opened()
    stage.moves(NINGBO, returned())
    refused = stage.say(report(), NANJING, to=(HANGZHOU,), cause=cause)
    assert {e.event.rule for e in answers(refused, MoveHadNoEffect)} == {"reported_already"}
    assert answers(refused, MoveHadNoEffect)[0].event.possible == ("cn.ipx.clue.ClueReported",)


def test_an_open_clue_is_not_reported_again_by_its_origin() -> None:
    stage = Stage()
    first = stage.opened()
    assert (
        only(stage.say(report(), NANJING, to=(NINGBO,), cause=first.id), MoveHadNoEffect).event.rule
        == "reported_already"
    )


def test_a_co_reporter_gets_the_result_too_with_its_own_report_named() -> None:
    stage = Stage()
    first = stage.opened()
    joined = stage.entry(report(), SHANGHAI, to=(NINGBO,), cause=first.id)
    assert stage.take(joined).emissions == ()
    folded = stage.moves(NINGBO, accepted(), verified(), filed())
    told = {e.addressee: e.event.report_event for e in answers(folded, ClueResultReturned)}
    assert told == {(NANJING,): first.id, (SHANGHAI,): joined.id}
    assert len({e.ordinal for e in folded.emissions}) == 2


def test_a_return_is_told_only_to_who_handed_it_there() -> None:
    stage = Stage()
    first = stage.opened(to=(NINGBO,))
    stage.say(report(), SHANGHAI, to=(HANGZHOU,), cause=first.id)
    assert [e.addressee for e in stage.moves(HANGZHOU, returned()).emissions] == [(SHANGHAI,)]


@pytest.mark.parametrize(
    ("moves", "attempt", "rule"),
    [
        ((), verified(), "wrong_order"),
        ((), filed(), "wrong_order"),
        ((accepted(),), filed(), "wrong_order"),
        ((accepted(),), not_filed(), "wrong_order"),
        ((accepted(),), accepted(), "wrong_order"),
        ((accepted(), verified()), verified(), "wrong_order"),
        ((accepted(), verified()), accepted(), "wrong_order"),
        ((accepted(), verified()), returned(), "wrong_order"),
        ((returned(),), returned(), "wrong_order"),
        ((returned(),), accepted(), "wrong_order"),
        ((accepted(), verified(), filed()), filed(), "clue_closed"),
        ((accepted(), verified(), filed()), returned(), "clue_closed"),
        ((accepted(), verified(), not_filed()), filed(), "clue_closed"),
    ],
)
def test_a_move_out_of_order_has_no_effect_and_says_what_is_possible(
    moves: tuple[Event, ...], attempt: Event, rule: str
) -> None:
    stage = Stage()
    stage.opened()
    if moves:
        stage.moves(NINGBO, *moves)
    before = stage.state
    refused = only(stage.say(attempt, NINGBO, to=(NANJING,)), MoveHadNoEffect)
    assert refused.event.rule == rule
    assert (refused.event.attempted, refused.event.attempted_by) == (attempt.TYPE, NINGBO)
    assert refused.event.attempted_event == stage.log[-1].id
    assert refused.event.state == before.stage_of(NINGBO)
    assert replace(stage.state, last_seq=before.last_seq) == before
    wanted = {
        At.REPORTED: ("cn.ipx.clue.ClueAccepted", "cn.ipx.clue.ClueReturned"),
        At.ACCEPTED: ("cn.ipx.clue.ClueReturned", "cn.ipx.clue.ClueVerified"),
        At.VERIFIED: ("cn.ipx.clue.ClueFiled", "cn.ipx.clue.ClueNotFiled"),
        At.RETURNED: ("cn.ipx.clue.ClueReported",),
        At.FILED: (),
        At.NOT_FILED: (),
    }
    assert refused.event.possible == wanted[before.stage_of(NINGBO)]


def test_who_does_not_hold_the_clue_cannot_move_it() -> None:
    stage = Stage()
    stage.opened()
    for mover in (NANJING, HANGZHOU):
        assert {e.event.rule for e in stage.say(accepted(), mover, to=(NANJING,)).emissions} >= {"not_holder"}
    assert stage.state.stage_of(NINGBO) is At.REPORTED


def test_a_stranger_to_a_clue_is_told_what_it_would_be_told_if_there_were_none() -> None:
    known, unknown = Stage(), Stage()
    known.opened()
    known.moves(NINGBO, accepted())
    unknown.seq = known.seq
    there = only(known.say(filed(), SHANGHAI), MoveHadNoEffect)
    nowhere = only(unknown.say(filed(), SHANGHAI), MoveHadNoEffect)
    assert there == nowhere
    assert (there.event.rule, there.event.possible_by) == ("unknown_clue", ())


def test_who_got_a_copy_of_a_strangers_move_is_told_the_real_reason() -> None:
    stage = Stage()
    stage.opened()
    told = {e.addressee: e.event for e in stage.say(filed(), SHANGHAI, to=(NANJING,)).emissions}
    assert told[(NANJING,)].rule == "not_holder"
    assert NINGBO in told[(NANJING,)].explanation_zh
    assert told[(SHANGHAI,)].rule == "unknown_clue"
    assert NINGBO not in repr(told[(SHANGHAI,)])


def test_the_rooms_own_words_coming_back_change_nothing() -> None:
    stage = Stage()
    stage.opened()
    result = stage.moves(NINGBO, returned()).emissions[0]
    before = stage.state
    assert stage.say(result.event, "exchange.clues", to=(NANJING,), cause=result.cause).emissions == ()
    assert replace(stage.state, last_seq=before.last_seq) == before


@cache
def schema_of(event_type: str) -> EventSchema:
    name = event_type.rsplit(".", 1)[-1]
    return compile_schema((SCHEMAS_DIR / "events" / "clue" / f"{name}.avsc").read_text("utf-8"))


MOVES = st.sampled_from([accepted(), returned(), verified(), filed(), not_filed()])
REPORTS = st.builds(
    report,
    subtype=st.sampled_from(["inspection", "public_report", "online_listing", "customs"]),
    right_type=st.sampled_from(["trademark", "patent", "copyright"]),
    place_division=st.sampled_from(["320106", "330212", "330110", "310115", "340104"]),
)
STEPS = st.lists(
    st.tuples(
        st.one_of(MOVES, MOVES, REPORTS),
        st.sampled_from(ORGANS),
        st.sets(st.sampled_from(ORGANS), max_size=3),
        st.integers(min_value=-1, max_value=8),
    ),
    max_size=14,
)


def play(steps, subject: str = "CL-320100-2026-000001") -> tuple[Stage, list]:  # type: ignore[no-untyped-def, type-arg]
    stage, said = Stage(subject=subject), []
    for event, source, to, back in steps:
        cause = stage.log[back].id if 0 <= back < len(stage.log) else "-"
        public = isinstance(event, ClueReported) and event.subtype == "public_report"
        entry = stage.entry(event, source, to=() if public else tuple(to - {source}), cause=cause)
        said.append(stage.take(entry))
    return stage, said


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_the_same_log_gives_the_same_state_and_the_same_words(steps) -> None:  # type: ignore[no-untyped-def]
    first, said = play(steps)
    again, said_again = play(steps)
    assert first.state == again.state
    assert said == said_again


@given(STEPS, st.data())
@settings(max_examples=150, deadline=None)
def test_a_redelivered_event_changes_nothing_and_says_nothing(steps, data) -> None:  # type: ignore[no-untyped-def]
    stage, said = play(steps)
    fresh = Stage(subject=stage.subject)
    for position, entry in enumerate(stage.log):
        assert fresh.take(entry) == said[position]
        for back in data.draw(st.lists(st.integers(0, position), max_size=2)):
            before = fresh.state
            assert fresh.take(stage.log[back]).emissions == ()
            assert fresh.state == before
    assert fresh.state == stage.state


@given(STEPS, STEPS, st.lists(st.booleans(), max_size=28))
@settings(max_examples=80, deadline=None)
def test_independent_clues_may_come_in_any_order(one, other, turns) -> None:  # type: ignore[no-untyped-def]
    alone = [play(one, "CL-A-1")[0], play(other, "CL-B-1")[0]]
    together = [Stage(subject="CL-A-1"), Stage(subject="CL-B-1")]
    waiting = [list(stage.log) for stage in alone]
    for turn in [*turns, *([True] * 28), *([False] * 28)]:
        if waiting[turn]:
            together[turn].take(waiting[turn].pop(0))
    assert [stage.state for stage in together] == [stage.state for stage in alone]


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_there_is_no_way_out_of_an_end(steps) -> None:  # type: ignore[no-untyped-def]
    stage = Stage()
    ended: dict[str, At] = {}
    for event, source, to, back in steps:
        cause = stage.log[back].id if 0 <= back < len(stage.log) else "-"
        stage.say(event, source, to=tuple(to - {source}), cause=cause)
        now = {h.participant: h.stage for h in stage.state.holdings}
        assert {who: now[who] for who in ended} == ended
        ended = {who: at for who, at in now.items() if at in TERMINAL}
        if stage.state.referred:
            assert stage.state.holdings == ()
        assert sum(at is At.FILED for at in now.values()) <= 1


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_everything_said_encodes_passes_its_code_tables_and_keeps_what_is_restricted(steps) -> None:  # type: ignore[no-untyped-def]
    _, said = play(steps)
    ids = set()
    for folded in said:
        for emission in folded.emissions:
            schema = schema_of(emission.event.TYPE)
            value = to_value(emission.event)
            assert schema.decode(schema.encode(value)) == value
            assert schema.restricted == ()
            assert "SECRET" not in repr(value)
            assert list(emission.addressee) == sorted(set(emission.addressee))
            assert 1 <= len(emission.addressee) <= 64
            for field in schema.json["fields"]:
                if "ipx.codes" in field and value[field["name"]] is not None:
                    assert tables()[field["ipx.codes"]].valid(value[field["name"]], 20781), value
            assert (emission.cause, emission.ordinal) not in ids
            ids.add((emission.cause, emission.ordinal))


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_the_state_keeps_nothing_restricted_and_survives_its_storage(steps) -> None:  # type: ignore[no-untyped-def]
    stage, _ = play(steps)
    state = stage.state or Clue()
    assert decode(encode(state)) == state
    assert "SECRET" not in repr(encode(state))
