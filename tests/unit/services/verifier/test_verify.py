"""The verifier: what holds is said to hold, step by step; what was touched anywhere is refused with its place, never a traceback."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.entry import Delivery
from services.codec.evidence import digest_of, format_evidence, parse_evidence
from services.codec.keys import sm2_signer
from services.codec.note import COSIGNATURE, Note, NoteKey, cosign_note, format_note, parse_note
from services.verifier.verify import Options
from tests.unit.services.verifier.checking import (
    FILES,
    checked,
    failure,
    kept,
    small,
    standing_town,
    step,
    with_note,
    without,
)
from tests.vectors.evidence.exchange import CLUES, WITNESSES, Exchange, routes, town
from tests.vectors.evidence.make import ACCEPTED, accepted
from tests.vectors.evidence.members import (
    HANGZHOU,
    NANJING,
    SUZHOU,
    key_added,
    key_revoked,
    proposed,
    signer,
)


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_example_holds(name: str) -> None:
    report = checked(FILES[name])
    assert report.first_bad is None
    assert [one.number for one in report.steps] == list(range(1, 19))
    assert [one.title_en for one in report.steps if one.finding != "ok"] == ["limits of an excerpt", "time stamp"]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_no_run_of_bytes_can_be_replaced(name: str, draw: st.DataObject) -> None:
    data = FILES[name]
    at = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(at, min(len(data), at + 200)))
    other = data[:at] + draw.draw(st.binary(max_size=80)) + data[end:]
    assert (checked(other).first_bad is None) == (other == data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_a_report(data: bytes) -> None:
    report = checked(data)
    assert report.first_bad is not None
    assert report.first_bad.number == 1
    assert {one.finding for one in report.steps[1:]} == {"not-proved"}


def test_a_changed_field_is_refused() -> None:
    body = bytearray(small().body)
    body[1] ^= 2
    assert failure(replace(small(), body=bytes(body))) == ("commitment", "statement-mismatch", "event.body")


def test_a_value_shown_in_place_of_a_withheld_one_is_refused() -> None:
    full = standing_town().evidence(standing_town().clues.envelopes[0], disclosed=["all"]).evidence
    withheld = standing_town().evidence(standing_town().clues.envelopes[0]).evidence
    assert checked(full).holds
    assert checked(withheld).holds
    assert failure(replace(withheld, body=full.body))[:2] == ("commitment", "bad-disclosure")


def test_a_changed_salt_is_refused() -> None:
    assert "=s:" in small().disclosure
    name, _, salt = small().disclosure.partition("=s:")
    other = f"{name}=s:{'B' if salt[0] == 'A' else 'A'}{salt[1:]}"
    assert failure(replace(small(), disclosure=other)) == ("commitment", "statement-mismatch", "event.body")


def test_a_disclosure_in_another_order_is_refused() -> None:
    items = small().disclosure.split(",")
    assert len(items) == 2
    assert failure(replace(small(), disclosure=",".join(reversed(items))))[1] == "bad-disclosure"


def test_records_in_another_order_are_refused() -> None:
    first, second, *rest = small().members
    turned = replace(small(), members=(second, first, *rest))
    assert failure(turned) == ("members log", "bad-evidence", "members.records[1].entry")


def test_a_record_that_stands_twice_is_refused() -> None:
    first, *rest = small().members
    assert failure(replace(small(), members=(first, first, *rest)))[:2] == ("members log", "bad-evidence")


def test_another_schema_is_refused() -> None:
    statement = json.loads(format_evidence(small()))["event"]["entry"][9].removeprefix("schema: ")
    text = small().schemas[statement]
    other = text.replace(b'"restricted"', b'"open"', 1)
    schemas = {**small().schemas, digest_of(other): other}
    del schemas[statement]
    assert failure(replace(small(), schemas=schemas)) == ("schemas", "unknown-schema", "event.entry")


def test_a_schema_that_nobody_names_is_refused() -> None:
    other = b'{"name":"X","type":"record"}'
    schemas = {**small().schemas, digest_of(other): other}
    assert failure(replace(small(), schemas=schemas)) == ("schemas", "bad-evidence", "schemas")


def test_an_agreement_without_the_signature_of_a_signatory_is_refused() -> None:
    signatures = [one for one in small().members if b"AgreementSigned" in one.entry]
    left = kept(small(), lambda one: one is not signatures[0])
    assert failure(left) == ("agreement", "agreement-not-in-force", "event.entry agreement")


def test_an_agreement_that_is_not_there_is_refused() -> None:
    assert failure(without(without(small(), "AgreementSigned"), "AgreementProposed"))[:2] == (
        "agreement",
        "agreement-unknown",
    )


def test_another_agreement_than_the_one_that_was_signed_is_refused() -> None:
    def dishonest(exchange: Exchange) -> None:
        flows = (*proposed().flows, replace(proposed().flows[1], to_organ="ip_office"))
        exchange.tell(replace(proposed(), version=2, flows=flows))

    exchange = town(dishonest)
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING, agreement="delta@2", copies=())
    exchange.sign()
    assert failure(exchange.evidence(envelope).evidence)[:2] == ("agreement", "agreement-not-in-force")


def test_a_record_that_is_needed_cannot_be_left_out() -> None:
    for position, record in enumerate(small().members):
        left = kept(small(), lambda one, record=record: one is not record)  # type: ignore[misc]
        assert checked(left).first_bad is not None, position


def test_an_event_that_admission_delivered_to_a_stranger_is_refused() -> None:
    exchange = town()
    copies = (Delivery(NANJING, 0, ()), Delivery(SUZHOU, 0, ()))
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING, copies=copies)
    exchange.sign()
    assert failure(exchange.evidence(envelope).evidence) == ("flow and recipients", "not-authorised", "event.entry")


def test_a_field_shown_against_the_agreement_is_refused() -> None:
    exchange = town()
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING, copies=(Delivery(NANJING, 0, ()),))
    exchange.sign()
    assert failure(exchange.evidence(envelope).evidence)[:2] == ("flow and recipients", "not-authorised")


def test_an_event_signed_with_a_key_that_was_revoked_is_refused() -> None:
    exchange = town(lambda town: town.tell(key_revoked(HANGZHOU)))
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.sign()
    evidence = exchange.evidence(envelope).evidence
    assert failure(evidence)[:2] == ("key of the source", "key-revoked")
    assert checked(without(evidence, "KeyRevoked")).holds, "an excerpt without it holds: step 16 says so"


def test_an_event_signed_with_a_key_of_another_is_refused() -> None:
    exchange = town()
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.clues.envelopes.clear()
    stolen = signer(NANJING)
    other = replace(envelope, signature=envelope.signature)
    entry = (other.entry or "").replace(signer(HANGZHOU).key_id, stolen.key_id)
    exchange.clues.envelopes.append(replace(other, entry=entry))
    exchange.sign()
    assert failure(exchange.evidence(exchange.clues.envelopes[0]).evidence)[:2] == (
        "key of the source",
        "key-not-of-source",
    )


def test_a_signature_of_another_statement_is_refused() -> None:
    exchange = town()
    first = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    second = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    entry = (second.entry or "").replace(second.signature, first.signature)
    exchange.clues.envelopes[1] = replace(second, signature=first.signature, entry=entry)
    exchange.sign()
    found = failure(exchange.evidence(exchange.clues.envelopes[1]).evidence)
    assert found == ("signature of the source", "bad-signature", "event.entry")


def test_the_second_key_of_a_source_is_as_good_as_the_first() -> None:
    exchange = town(lambda town: town.tell(key_added(HANGZHOU, 1)))
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING, key=signer(HANGZHOU, 1))
    exchange.sign()
    evidence = exchange.evidence(envelope).evidence
    assert checked(evidence).holds
    added = [one for one in evidence.members if signer(HANGZHOU, 1).public.data in one.body]
    assert len(added) == 1
    left = kept(evidence, lambda one: one not in added)
    assert failure(left)[:2] == ("key of the source", "unknown-key")


@pytest.mark.parametrize("batch", [False, True])
def test_an_event_signed_with_sm2_holds(batch: bool) -> None:
    key = sm2_signer(HANGZHOU, bytes(range(1, 33)))
    added = replace(key_added(HANGZHOU), key_id=key.key_id, suite=key.suite, public_key=key.public.data)
    exchange = town(lambda town: town.tell(added))
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING, key=key, batch=batch)
    assert envelope.signature.startswith("sm2-sm3")
    exchange.sign()
    evidence = exchange.evidence(envelope).evidence
    assert checked(evidence).first_bad is None


def test_a_time_past_the_calendar_is_refused() -> None:
    note = small().proof.note
    lines = [cosign_note(note.text, name, signer(name).public.data, signer(name).sign, 1 << 62) for name in WITNESSES]
    late = Note(note.text, (note.signatures[0], *lines))
    assert failure(with_note(small(), late))[:2] == ("times", "bad-attribute")


def test_the_root_key_is_compared_when_it_is_given() -> None:
    other = Options(root=signer(NANJING).public, routes=routes())
    assert failure(small(), having=other) == ("founding of the exchange", "bad-signature", "members.records[0]")
    report = checked(small(), having=Options(routes=routes()))
    assert report.holds
    assert step(report, "founding of the exchange").finding == "not-proved"


def test_the_founding_cannot_be_left_out() -> None:
    assert failure(without(small(), "ExchangeFounded")) == (
        "founding of the exchange",
        "bad-evidence",
        "members.records",
    )


def test_a_file_of_another_event_under_the_same_policy_is_another_file() -> None:
    other = standing_town().evidence(standing_town().clues.envelopes[1], viewer=NANJING).evidence
    mixed = replace(small(), body=other.body)
    assert failure(mixed)[0] in ("body", "commitment")
    assert failure(replace(small(), entry=other.entry))[0] == "entry"


def test_what_a_stranger_wrote_reaches_no_terminal_as_control_characters() -> None:
    data = format_evidence(small()).replace(b'"disclosure"', '"\u009b31m"'.encode(), 1)
    report = checked(data)
    assert report.first_bad is not None
    assert all(text.isprintable() for one in report.steps for text in (one.zh, one.en, one.place or ""))


def test_a_note_key_of_another_kind_is_a_stranger() -> None:
    note = parse_note(format_note(small().proof.note))
    wrong = NoteKey(CLUES, COSIGNATURE, signer(NANJING).public.data)
    assert note.signed_by(wrong) is None
    assert parse_evidence(format_evidence(small())) == small()
