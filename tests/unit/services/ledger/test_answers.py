"""How statements stand: an answer counts for its own statement alone, in whatever order the log is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.entry import Entry
from services.codec.statement import Statement
from services.events.receipt import CompletenessConfirmed, CompletenessDisputed, CompletenessStated, Delivered
from services.kernel.ids import uuid8
from services.ledger.answers import standings
from services.runtime.fold import Logged

HANGZHOU, LOG = "330100.market_regulator", "ipx.clues/3"
AT = "2026-11-25T00:00:00.000Z"
STATED = CompletenessStated(
    recipient=HANGZHOU, log=LOG, admitted_on=20_781, first_number=5, count=2, root="sha256:aa", senders=()
)
S1, S2 = uuid8("s", "1"), uuid8("s", "2")


def logged(event, event_id: str) -> Logged:
    statement = Statement(
        id=event_id,
        source="exchange.ledger",
        type=event.TYPE,
        subject="x",
        time=AT,
        agreement="-",
        addressee="-",
        cause="-",
        schema="sha256:" + "0" * 64,
        content="sha256:" + "1" * 64,
    )
    return Logged(Entry(statement, "ed25519:x", AT, "ipx.receipts/0", 0, 1, ()), {}, event, "ipx.receipts", 0, 0)


def confirmed(statement: str = S1, **changes) -> Logged:
    event = CompletenessConfirmed(
        event=statement, recipient=HANGZHOU, log=LOG, admitted_on=20_781, first_number=5, count=2, root="sha256:aa"
    )
    return logged(replace(event, **changes), uuid8("a", statement))


def disputed(statement: str = S1) -> Logged:
    event = CompletenessDisputed(
        event=statement, recipient=HANGZHOU, log=LOG, admitted_on=20_781, count=0, differs_at=5
    )
    return logged(event, uuid8("a", statement))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], "silent"),
        ([confirmed()], "confirmed"),
        ([disputed()], "disputed"),
        ([confirmed(count=3)], "disputed"),  # it says yes and has another number
        ([confirmed(log="ipx.clues/2")], "silent"),
        ([confirmed(S2)], "silent"),
    ],
)
def test_an_answer_counts_for_the_statement_that_it_is_of(answers, expected):
    [found] = standings([logged(STATED, S1), *answers])
    assert found.state == expected
    assert (found.answered_at == AT) == (expected != "silent")


@given(
    st.permutations([logged(STATED, S1), logged(replace(STATED, admitted_on=20_780), S2), confirmed(), disputed(S2)])
)
def test_the_order_of_the_log_does_not_matter(entries):
    assert [(each.id, each.state) for each in standings(entries)] == [(S2, "silent"), (S1, "confirmed")]
    assert [each.id for each in standings(entries, day=20_781)] == [S1]


def test_other_receipts_are_passed_over():
    other = Delivered(event=S1, recipient=HANGZHOU, log=LOG, number=1, delivered_at=0)
    assert standings([logged(other, S2)]) == ()
