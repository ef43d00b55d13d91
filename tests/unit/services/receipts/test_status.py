"""What the parties of an event see of its receipts."""

from __future__ import annotations

from dataclasses import replace

from services.kernel.instants import format_instant
from services.receipts.state import Answer, Copy, Entry, Missing, Receipt, Tracked, encode
from services.receipts.status import status_for
from tests.unit.services.receipts.scene import HANGZHOU, HANGZHOU_POLICE, NANJING, SUZHOU, T0


def answer(step: str, at: int, receipt: str = "r", **said) -> Answer:
    return Answer(HANGZHOU, 4, step, *[Receipt(at, receipt, at - 1, **said)] * 2)


def tracked(*answers: Answer, missing: tuple[Missing, ...] = ()) -> Tracked:
    return Tracked(
        event="e",
        log="t.clues/0",
        entry=Entry("cn.ipx.clue.ClueReported", NANJING, "CL-1", 7, T0, agreement="yrd@1"),
        copies=(Copy(HANGZHOU, 4, ("reporter",), 60, 600), Copy(HANGZHOU_POLICE, 0)),
        answers=answers,
        missing=missing,
    )


def seen(state: Tracked, by: str = NANJING):
    return status_for([encode(state)], by)


def test_the_source_sees_every_recipient_and_a_recipient_sees_itself():
    assert [r["recipient"] for r in seen(tracked())["recipients"]] == [HANGZHOU, HANGZHOU_POLICE]
    assert [r["recipient"] for r in seen(tracked(), HANGZHOU_POLICE)["recipients"]] == [HANGZHOU_POLICE]


def test_anybody_else_sees_nothing():
    assert seen(tracked(), SUZHOU) is None


def test_nothing_is_shown_before_the_entry_is_folded():
    assert status_for([encode(Tracked("e", "t.clues/0"))], NANJING) is None
    assert status_for([], NANJING) is None


def test_the_status_is_what_the_citys_system_said_last():
    steps = {
        (): "admitted",
        (answer("delivered", T0 + 1),): "delivered",
        (answer("delivered", T0 + 1), answer("rejected", T0 + 2)): "rejected",
        (answer("rejected", T0 + 2), answer("committed", T0 + 3)): "committed",
        (answer("rejected", T0 + 4), answer("committed", T0 + 3)): "rejected",
        (answer("not_committed", T0 + 4),): "admitted",
    }
    for answers, status in steps.items():
        assert seen(tracked(*answers))["recipients"][0]["status"] == status


def test_a_late_receipt_is_shown_as_late_beside_the_missing_step():
    state = tracked(answer("delivered", T0 + 61_500), missing=(Missing(HANGZHOU, "delivered", T0 + 60_000),))
    shown = seen(state)["recipients"][0]
    assert shown["steps"][0]["late_by_ms"] == 1_500
    assert shown["missing"] == [{"step": "delivered", "due": format_instant(T0 + 60_000)}]
    assert "late_by_ms" not in seen(tracked(answer("delivered", T0 + 60_000)))["recipients"][0]["steps"][0]


def test_a_rejection_shows_its_codes_and_the_last_of_several():
    first, last = (
        Receipt(T0 + 1, "r1", T0, code="incomplete", city_code="E12", reason="no place"),
        Receipt(T0 + 9, "r2", T0),
    )
    [step] = seen(tracked(Answer(HANGZHOU, 4, "rejected", first, last)))["recipients"][0]["steps"]
    assert (step["code"], step["city_code"], step["reason"], step["receipt"]) == ("incomplete", "E12", "no place", "r1")
    assert step["last"]["receipt"] == "r2"


def test_of_two_events_with_one_id_the_one_that_was_admitted_first_is_shown():
    mine = tracked()
    thief = replace(mine, log="t.clues/1", entry=replace(mine.entry, source=SUZHOU, admitted_at=T0 + 1))
    for states in ([mine, thief], [thief, mine]):
        assert status_for([encode(state) for state in states], NANJING)["source"] == NANJING
        assert status_for([encode(state) for state in states], SUZHOU) is None
