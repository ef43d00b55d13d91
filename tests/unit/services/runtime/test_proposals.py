"""A derived event is the same bytes at every replay, and verifies as any other event does."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest

from services.codec.envelope import envelope_from_record
from services.codec.keys import signer_from_seed
from services.codec.released import load_released
from services.codec.schema import compile_schema
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import format_statement
from services.events.receipt import StepMissing
from services.kernel.errors import Refused
from services.kernel.ids import derived_id, uuid8
from services.runtime.fold import Emission
from services.runtime.proposals import Proposer, id_of
from services.runtime.topics import Topics

RELEASED = load_released()
SIGNER = signer_from_seed("exchange.receipts", bytes(32))
PROPOSER = Proposer("receipts", Topics("t"), SIGNER, RELEASED.named, lambda schema: 42)
HANGZHOU = "330100.market_regulator"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CAUSE = uuid8("cause")
EVENT = StepMissing(
    event=CAUSE, recipient=HANGZHOU, log="t.clues/0", number=4, source=HANGZHOU, step="delivered", due_at=1, limit_s=1
)
EMISSION = Emission(EVENT, "CL-1", ("320100.market_regulator", HANGZHOU), CAUSE, 1, 1_790_000_000_000)


def test_the_same_emission_is_the_same_record():
    assert PROPOSER.propose(EMISSION) == PROPOSER.propose(EMISSION)


def test_the_record_is_a_signed_event_of_the_room_on_the_familys_in_topic():
    proposal = PROPOSER.propose(EMISSION, TRACE)
    assert (proposal.topic, proposal.key) == ("t.receipts.in", b"CL-1")
    schema_id, envelope = envelope_from_record([(n, v.encode()) for n, v in proposal.headers], proposal.value)
    statement = envelope.statement
    assert schema_id == 42
    assert (statement.source, statement.agreement, statement.cause) == ("exchange.receipts", "-", CAUSE)
    assert statement.addressee == f"320100.market_regulator,{HANGZHOU}"
    assert statement.time == "2026-09-21T14:13:20.000Z"
    assert statement.id == derived_id("receipts", EMISSION.subject, CAUSE, 1) == id_of("receipts", EMISSION)
    assert (envelope.salts, envelope.trace) == ("-", TRACE)
    assert RELEASED.named(StepMissing.TYPE).decode(envelope.body)["step"] == "delivered"
    signature = parse_signature(envelope.signature)
    assert verify(format_statement(statement), signature, SIGNER.public.data, RootCache())


def test_the_trace_is_no_part_of_what_is_signed():
    one, other = PROPOSER.propose(EMISSION), PROPOSER.propose(EMISSION, TRACE)
    assert dict(one.headers)["ce_ipxsignature"] == dict(other.headers)["ce_ipxsignature"]


def test_rooms_and_ordinals_are_told_apart_by_the_id():
    ids = {id_of(room, replace(EMISSION, ordinal=ordinal)) for room in ("receipts", "clues") for ordinal in (0, 1, 10)}
    assert len(ids) == 6


def test_one_cause_under_which_somebody_said_two_things_gives_each_subject_an_id_of_its_own():
    assert id_of("transfers", EMISSION) != id_of("transfers", replace(EMISSION, subject="TR-2"))


def test_nobody_to_tell_is_written_as_a_dash():
    proposal = PROPOSER.propose(replace(EMISSION, addressee=()))
    assert dict(proposal.headers)["ce_ipxaddressee"] == "-"


def test_a_derived_event_has_no_restricted_field():
    document = copy.deepcopy(RELEASED.named(StepMissing.TYPE).json)
    next(field for field in document["fields"] if field["name"] == "agreement")["ipx.disclosure"] = "restricted"
    schema = compile_schema(json.dumps(document))
    with pytest.raises(Refused) as refused:
        replace(PROPOSER, schema_named=lambda _: schema).propose(EMISSION)
    assert refused.value.code == "bad-disclosure"
