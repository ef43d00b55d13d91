"""Admission on the real Kafka and registry: what goes in, what comes out, and how each refusal is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.broker.admission_checks import verify_copy, verify_logs
from tests.broker.admission_rig import AGREEMENT, HANGZHOU, HANGZHOU_IP, Rig, founded, ids_of


@pytest.fixture(scope="module")
def rig(make_exchange: Callable[[], Any]) -> Iterator[Rig]:
    with make_exchange() as exchange, founded(exchange) as made:
        made.start().wait_ready()
        yield made


def test_a_clue_is_logged_delivered_redacted_and_answered(rig: Rig) -> None:
    envelope = rig.clue(1)
    outcome = rig.outcome_of(envelope)
    assert outcome["outcome"] == "admitted"
    logged = next(
        record
        for records in verify_logs(rig).values()
        for record in records
        if record.entry.statement.id == envelope.statement.id
    )
    assert (outcome["log"], outcome["seq"]) == (logged.entry.log, logged.entry.seq)
    assert verify_copy(rig, logged)["reporter_phone"] == "13900000000"
    shown = {}
    for recipient in (HANGZHOU, HANGZHOU_IP):
        copy = next(r for r in rig.inbox(recipient) if r.envelope.statement.id == envelope.statement.id)
        assert copy.headers["ce_ipxentry"] == logged.headers["ce_ipxentry"]
        shown[recipient] = verify_copy(rig, copy)
    assert (shown[HANGZHOU]["reporter"], shown[HANGZHOU]["reporter_phone"]) == ("张某", None)
    assert (shown[HANGZHOU_IP]["reporter"], shown[HANGZHOU_IP]["reporter_phone"]) == (None, None)
    assert logged.entry.statement.agreement == AGREEMENT


def test_a_batch_under_one_signature_is_admitted_whole(rig: Rig) -> None:
    before = len(rig.outcomes())
    batch = rig.clues(300, start=1000, batch=True)
    rig.propose(batch)
    outcomes = rig.wait_outcomes(before + 300)[before:]
    assert {outcome["outcome"] for outcome in outcomes} == {"admitted"}
    assert set(ids_of(verify_logs(rig))) >= {envelope.statement.id for envelope in batch}


def test_the_same_again_is_answered_with_the_first_outcome(rig: Rig) -> None:
    envelope = rig.clue(2)
    first = rig.outcome_of(envelope)
    again = rig.outcome_of(envelope)
    assert again == {**first, "outcome": "duplicate"}
    assert ids_of(verify_logs(rig)).count(envelope.statement.id) == 1


def test_the_same_id_with_another_statement_is_a_conflict(rig: Rig) -> None:
    envelope = rig.clue(3)
    rig.outcome_of(envelope)
    other = rig.clue(3, id=envelope.statement.id, value_title="另一内容")
    outcome = rig.outcome_of(other)
    assert (outcome["outcome"], outcome["code"], outcome["field"]) == ("conflict", "conflict", "id")
    assert ids_of(verify_logs(rig)).count(envelope.statement.id) == 1
