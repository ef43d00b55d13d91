"""The state of a tracked event as JSON, and what is due in it."""

from __future__ import annotations

import json

from services.receipts.state import Answer, Copy, Entry, Missing, Receipt, Tracked, decode, encode

FIRST = Receipt(1_000, "r-1", 900, reference="R-1", attempts=2)
FULL = Tracked(
    event="e",
    log="t.clues/0",
    entry=Entry("cn.ipx.clue.ClueReported", "320100.market_regulator", "CL-1", 7, 500, agreement="yrd@1"),
    copies=(Copy("330100.market_regulator", 4, ("reporter",), 1, 2), Copy("330100.police", 0)),
    answers=(Answer("330100.market_regulator", 4, "committed", FIRST, FIRST),),
    missing=(Missing("330100.market_regulator", "delivered", 1_500),),
)


def test_a_state_survives_json():
    assert decode(json.loads(json.dumps(encode(FULL)))) == FULL


def test_a_state_without_its_entry_survives_json():
    early = Tracked("e", "t.clues/0", answers=FULL.answers)
    assert decode(json.loads(json.dumps(encode(early)))) == early
    assert encode(early)["entry"] is None


def test_what_is_none_is_left_out():
    assert "reason" not in encode(FULL)["answers"][0]["first"]
    assert "cause" not in encode(FULL)["entry"]


def test_due_are_the_steps_with_a_limit_that_are_neither_answered_in_time_nor_missing_already():
    assert FULL.due() == ()
    bare = Tracked("e", "t.clues/0", FULL.entry, FULL.copies)
    assert bare.due() == ((1_500, 0, "delivered"), (2_500, 0, "committed"))


def test_nothing_is_due_before_the_entry_is_known():
    assert Tracked("e", "t.clues/0", None, FULL.copies).due() == ()
