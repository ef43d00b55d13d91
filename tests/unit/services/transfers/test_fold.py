"""The transfers room around the fold of a case: keys, the members that count, ticks, and that an entry folded again says nothing."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.cases.state import Case, Clock
from services.cases.state_json import decode, encode
from services.codec.schema import EventSchema, compile_schema
from services.events import to_value
from services.events.notice import ClockExpired, ClockMoved, ClockStarted, ClockWarned
from services.events.transfer import CalendarApplied, MoveHadNoEffect, TransferMoved
from services.kernel.codes import CodeTables, load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings
from services.transfers.fold import key_of
from services.transfers.worker import ROOM, room_at
from tests.unit.services.cases.docket import at
from tests.unit.services.cases.stage import DAY, HOUR, MORNING, NANJING, NINGBO, SUZHOU
from tests.unit.services.transfers.room_stage import LATER, ORGANS, SUBJECT, Stage, moved, opened, types

DUE = at("2026-03-07T00:00") - 1


def test_what_the_room_says_itself_touches_no_case() -> None:
    stage = Stage()
    stage.open()
    answer = stage.say(moved("accept", MORNING), NANJING, NINGBO).emissions[0].event
    assert isinstance(answer, MoveHadNoEffect)
    back = stage.entry(answer, "exchange.transfers", (NANJING,))
    assert key_of(back) == ()
    assert ROOM.fold(stage.state, back, stage.world).state is stage.state
    assert key_of(stage.log[0]) == (SUBJECT,)
    assert key_of(stage.entry(CalendarApplied(year=2026, calendar_event="x"), "exchange.operator")) == (SUBJECT,)


def test_an_opening_starts_its_clock_and_tells_both_parties() -> None:
    [started] = Stage().open().emissions
    assert isinstance(started.event, ClockStarted)
    assert (started.addressee, started.subject, started.ordinal) == ((NANJING, NINGBO), SUBJECT, 0)
    assert (started.event.clock, started.event.kind, started.event.actors) == ("A8/1", "assistance_request", (NINGBO,))
    assert (started.event.verdict.due_at, started.event.verdict.provisional) == (DUE, False)
    assert started.event.trigger_event == started.cause


def test_its_ticks_warn_and_tell_the_end_each_once() -> None:
    stage = Stage()
    stage.open()
    assert stage.state is not None
    assert ROOM.due_of(stage.state) == at("2026-03-04T00:00") - 1
    warned, expired = stage.wait(MORNING + 400 * DAY)
    assert (type(warned.event), type(expired.event)) == (ClockWarned, ClockExpired)
    assert (warned.cause, expired.cause) == (stage.log[0].id, stage.log[0].id)
    assert (warned.ordinal, expired.ordinal, expired.time_ms) == (256, 257, DUE + 1)
    assert isinstance(expired.event, ClockExpired)
    assert expired.event.awaited == ("assistance_finished",)
    assert expired.event.consequence_zh
    assert ROOM.due_of(stage.state) is None


def test_an_entry_tells_first_what_was_due_before_it() -> None:
    stage = Stage()
    stage.open()
    done = moved("finish", DUE + DAY, text="已取证")
    folded = stage.say(done, NINGBO, NANJING, at=DUE + 2 * DAY)
    assert types(folded.emissions) == ["ClockWarned", "ClockExpired", "ClockStopped"]


def test_a_tick_counts_by_the_members_that_the_case_was_last_judged_by() -> None:
    stage = Stage()
    stage.open(size=LATER - 1)
    stage.world.asked.clear()
    stage.wait(MORNING + 400 * DAY)
    assert set(stage.world.asked) == {LATER - 1}


def test_an_entry_after_a_new_calendar_moves_what_rested_on_the_old_one() -> None:
    stage = Stage()
    [started] = stage.open(size=LATER - 1).emissions
    assert isinstance(started.event, ClockStarted)
    assert started.event.verdict.provisional
    applied = CalendarApplied(year=2026, calendar_event=started.cause)
    [change] = stage.say(applied, "exchange.operator", size=LATER).emissions
    assert isinstance(change.event, ClockMoved)
    assert (change.event.why, change.event.verdict.due_at, change.event.verdict.provisional) == ("calendar", DUE, False)
    assert change.event.was_due_at == started.event.verdict.due_at


def test_the_shipped_room_is_the_one_over_the_shipped_tables() -> None:
    room = room_at(SCHEMAS_DIR / "codes")
    assert (room.name, room.families, room.participant, room.ticks) == (
        "transfers",
        ("transfers",),
        "exchange.transfers",
        True,
    )
    assert room.fold.args == ROOM.fold.args  # type: ignore[attr-defined]


MOVES = st.one_of(
    st.builds(opened, kind=st.sampled_from(["assistance_request", "city_to_city"])),
    st.builds(
        moved,
        st.sampled_from(["accept", "finish", "withdraw", "supplement", "nonsense", "suspend"]),
        st.integers(-10, 200).map(lambda hours: MORNING + hours * HOUR),
        text=st.sampled_from([None, "说明"]),
        ground=st.sampled_from([None, "testing"]),
    ),
    st.just(moved("extend", MORNING + HOUR, rule="A8", extension="late_notice", length=5)),
)
STEPS = st.lists(
    st.tuples(MOVES, st.sampled_from(ORGANS), st.sets(st.sampled_from(ORGANS), max_size=3), st.integers(0, 12 * 24)),
    max_size=8,
)


def play(steps: Any, until_ms: int | None = None) -> Stage:
    stage, now = Stage(), MORNING
    stage.open()
    for event, source, to, hours in steps:
        now += hours * HOUR
        stage.say(event, source, *sorted(to - {source}), at=now)
    stage.wait(now + 400 * DAY if until_ms is None else until_ms)
    return stage


@cache
def tables() -> CodeTables:
    return load_code_tables(SCHEMAS_DIR / "codes")


@cache
def schema_of(event_type: str) -> EventSchema:
    family, name = event_type.split(".")[-2:]
    return compile_schema((SCHEMAS_DIR / "events" / family / f"{name}.avsc").read_text("utf-8"))


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_everything_said_encodes_and_passes_its_code_tables(steps: Any) -> None:
    seen = set()
    for emission in play(steps).said:
        schema, value = schema_of(emission.event.TYPE), to_value(emission.event)
        assert schema.decode(schema.encode(value)) == value
        assert schema.restricted == ()
        assert "SECRET" not in repr(value)
        assert emission.addressee
        assert list(emission.addressee) == sorted(set(emission.addressee))
        for part in schema.json["fields"]:
            known = value[part["name"]]
            if "ipx.codes" in part and isinstance(known, str) and known != "nonsense":
                assert tables()[part["ipx.codes"]].valid(known, 20_500), value
        assert (emission.cause, emission.ordinal) not in seen
        seen.add((emission.cause, emission.ordinal))


@given(STEPS, st.data())
@settings(max_examples=60, deadline=None)
def test_a_redelivered_entry_changes_nothing_and_says_nothing(steps: Any, data: st.DataObject) -> None:
    stage = play(steps)
    state = stage.state
    logged = data.draw(st.sampled_from(stage.log))
    folded = stage.take(logged)
    assert (folded.state, folded.emissions) == (state, ())


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_the_same_log_gives_the_same_words_and_a_state_that_survives_its_storage(steps: Any) -> None:
    one, other = play(steps), play(steps)
    assert (one.state, one.said) == (other.state, other.said)
    assert one.state is not None
    assert decode(encode(one.state)) == one.state
    assert "SECRET" not in repr(encode(one.state))


def test_a_party_s_copy_reaches_it_and_a_third_organ_learns_nothing() -> None:
    stage = Stage()
    stage.open()
    finish = TransferMoved(kind="assistance_request", move="finish", happened_at=MORNING + HOUR, text="x")
    folded = stage.say(finish, NINGBO, NANJING, copies=(SUZHOU,))
    assert {emission.addressee for emission in folded.emissions} == {(NANJING, NINGBO)}


@pytest.mark.parametrize("what", ["kind", "rule"])
def test_a_stored_case_of_what_this_release_does_not_know_stops_the_room_by_name(what: str) -> None:
    kind, rule = ("made_up", "A8") if what == "kind" else ("assistance_request", "made_up")
    clock = Clock(rule, None, 1, "e-1", "e-1", "running")
    stored = encode(Case("TR-1", kind=kind, opened_event="e-1", clocks=(clock,)))
    with pytest.raises(BadSettings, match=r"TR-1.*made_up"):
        ROOM.decode(stored)
