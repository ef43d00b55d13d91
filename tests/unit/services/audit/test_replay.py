"""A replay in memory: the same logs give the same, and whatever was changed in logs or tables is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.audit.replay import Replay, ReplayReport
from services.audit.sources import entry_of
from services.codec.entry import parse_entry
from services.codec.envelope import envelope_from_record
from services.codec.statement import Statement
from services.kernel.errors import Refused
from services.kernel.instants import format_instant, parse_instant
from services.receipts.worker import ROOM as RECEIPTS
from services.runtime.planner import Position
from tests.unit.services.audit.lived import FakeLive, derived_by, emissions_of, live_of, lived, registry_of
from tests.unit.services.audit.vault import ADMITTED_MS, CLUES, Vault
from tests.unit.services.members import town

DERIVED = 4  # place of the derived event in the clues log


def replayed(made: Vault, live: FakeLive | None = None, until_ms: int | None = None) -> ReplayReport:
    return Replay(made, live, until_ms, lambda what, count: None).run()  # type: ignore[arg-type]


def codes(report: ReplayReport) -> list[str]:
    return [finding.code for finding in report.findings]


def with_statement(made: Vault, **changes: str) -> None:
    """The derived event says something else; entry and attributes agree."""
    record = made.logged[CLUES][DERIVED]
    _, envelope = envelope_from_record(record.headers, record.value)
    statement: Statement = replace(envelope.statement, **changes)
    made.change_envelope(CLUES, DERIVED, statement=statement)
    made.change_entry(CLUES, DERIVED, statement=statement)


def test_the_same_logs_give_the_same() -> None:
    made, live = lived()
    report = replayed(made, live)
    assert codes(report) == []
    assert (report.derived, report.pending) == (1, 0)
    assert report.folded == {"clues": 5, "receipts": len(made.logged["t.members/0"]) + 6, "transfers": 0}
    assert report.states == {"clues": 3, "receipts": len(live.held["receipts"])}


def test_an_archive_has_no_tables_to_compare_with() -> None:
    report = replayed(lived()[0])
    assert (codes(report), report.states, report.derived) == ([], {}, 1)


@pytest.mark.parametrize(
    ("changes", "line"),
    [({"addressee": town.HANGZHOU}, "addressee: "), ({"time": format_instant(town.NOW_MS + 3)}, "time: ")],
)
def test_a_derived_event_that_says_otherwise_is_named_by_the_line(changes: dict[str, str], line: str) -> None:
    made, _ = lived()
    with_statement(made, **changes)
    report = replayed(made)
    assert codes(report) == ["derived-differs"]
    assert line in report.findings[0].sentence
    assert (report.findings[0].topic, report.findings[0].offset, report.findings[0].seq) == ("t.clues", 8, 4)


def test_a_derived_event_with_another_body_is_named() -> None:
    made, _ = lived()
    _, envelope = envelope_from_record(made.logged[CLUES][DERIVED].headers, made.logged[CLUES][DERIVED].value)
    schema = town.released().with_digest(envelope.statement.schema)
    value = {**schema.decode(envelope.body), "explanation_en": "because"}
    made.change_envelope(CLUES, DERIVED, body=schema.encode(value))
    report = replayed(made)
    assert codes(report) == ["derived-differs"]
    assert "body" in report.findings[0].sentence


def test_a_derived_event_under_another_id_is_invented_and_the_right_one_missing() -> None:
    made, _ = lived()
    with_statement(made, id="01a20caa-b333-89b5-8821-17e581c13a14")
    assert codes(replayed(made)) == ["derived-invented", "derived-missing"]


def test_a_derived_event_that_is_not_in_the_log_is_missing_once_there_was_time_for_it() -> None:
    made, _ = lived()
    del made.logged[CLUES][DERIVED]
    report = replayed(made)
    assert codes(report) == ["derived-missing"]
    assert "cn.ipx.clue.MoveHadNoEffect" in report.findings[0].sentence
    made.horizon_ms = parse_instant(parse_entry(entry_of(made.logged[CLUES][-1])).admitted) + 10_000
    report = replayed(made)
    assert (codes(report), report.pending) == ([], 1)


def test_an_event_that_a_room_never_derived_is_invented() -> None:
    made, _ = lived()
    from services.clues.worker import room_of

    room = room_of(town.tables())
    emission = replace(emissions_of(made, room)[0], ordinal=99)
    made.append(CLUES, derived_by(made, room, emission), registry_of(made), {"330100.market_regulator": 9})
    assert codes(replayed(made)) == ["derived-invented"]


def test_a_state_that_was_changed_is_named_by_its_path() -> None:
    made, live = lived()
    live.held["clues"]["CL-0"] = {**live.held["clues"]["CL-0"], "referred": True}
    report = replayed(made, live)
    assert [(f.code, f.topic) for f in report.findings] == [("projection-differs", "clues.state")]
    assert report.findings[0].sentence == "CL-0: referred is true, the logs give false"


def test_a_state_that_is_gone_or_was_added_is_named() -> None:
    made, live = lived()
    live.held["clues"]["CL-00"] = live.held["clues"].pop("CL-0")
    assert codes(replayed(made, live)) == ["projection-missing", "projection-invented"]


def test_states_are_compared_where_the_live_room_stood() -> None:
    made, _ = lived()
    early = Vault({**made.logged, CLUES: made.logged[CLUES][:3]}, made.notes, made.kept_tiles)
    live = live_of(early)
    assert codes(replayed(made, live)) == []
    live.at["clues"]["t.clues", 0] = Position(2, 4, ADMITTED_MS)
    assert codes(replayed(made, live)) == ["projection-invented"]


def test_a_live_room_that_has_folded_more_than_there_is_is_named() -> None:
    made, live = lived()
    live.at["clues"]["t.clues", 0] = Position(9, 18, ADMITTED_MS)
    assert codes(replayed(made, live)) == ["position-ahead"]


def test_a_room_that_has_never_run_here_is_not_compared() -> None:
    made, live = lived()
    del live.at["clues"]
    assert "clues" not in replayed(made, live).states


def test_nothing_after_the_end_is_folded() -> None:
    made, _ = lived()
    until_ms = parse_instant(parse_entry(entry_of(made.logged[CLUES][1])).admitted)
    report = replayed(made, until_ms=until_ms)
    assert (report.folded["clues"], codes(report)) == (2, [])


def test_a_gap_ends_the_folding_of_that_log() -> None:
    made, _ = lived()
    del made.logged[CLUES][1]
    report = replayed(made)
    assert codes(report)[0] == "seq-gap"
    assert (report.findings[0].offset, report.findings[0].seq) == (4, 2)
    assert report.folded["clues"] == 1


def test_a_record_that_cannot_be_folded_is_named() -> None:
    made, _ = lived()
    made.put(CLUES, 2, b"no entry")
    assert codes(replayed(made))[0] == "not-foldable"


def test_a_replay_begins_at_the_founding() -> None:
    made, _ = lived()
    made.firsts[CLUES] = 1
    with pytest.raises(Refused) as refused:
        replayed(made)
    assert refused.value.code == "not-in-log"


def limited(now_after_ms: int) -> tuple[Vault, FakeLive]:
    """Copies that were to be delivered within a second, and were not."""
    made, live = lived(limit_s=1)
    made.horizon_ms = ADMITTED_MS + 10_000  # what the rooms say of it may still be on its way
    live.now_ms = ADMITTED_MS + now_after_ms
    return made, live


def ticked(state: dict[str, Any]) -> dict[str, Any]:
    tracked = RECEIPTS.decode(state)
    due_ms = RECEIPTS.due_of(tracked)
    assert due_ms is not None
    return RECEIPTS.encode(RECEIPTS.tick(tracked, due_ms, None).state)


def clue_key(live: FakeLive) -> str:
    return next(key for key, state in sorted(live.held["receipts"].items()) if state["copies"])


def test_a_tick_that_has_just_been_due_may_have_been_made_or_not() -> None:
    made, live = limited(10_000)
    assert codes(replayed(made, live)) == []
    key = clue_key(live)
    live.held["receipts"][key] = ticked(live.held["receipts"][key])
    assert live.held["receipts"][key]["missing"]
    assert codes(replayed(made, live)) == []


def test_a_step_that_is_missing_before_it_was_due_is_a_difference() -> None:
    made, live = limited(10_000)
    key = clue_key(live)
    state = ticked(live.held["receipts"][key])
    live.held["receipts"][key] = {**state, "missing": [{**state["missing"][0], "due_at": 1}]}
    assert codes(replayed(made, live)) == ["projection-differs"]


def test_a_tick_that_is_overdue_by_the_logs_must_have_been_made() -> None:
    made, live = limited(3_600_000)
    for log in live.at["receipts"]:
        live.at["receipts"][log] = replace(live.at["receipts"][log], admitted_ms=ADMITTED_MS + 60_000)
    found = codes(replayed(made, live))
    assert found
    assert set(found) == {"projection-differs"}
