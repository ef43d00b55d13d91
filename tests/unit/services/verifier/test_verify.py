"""The verifier: what holds is said to hold, step by step; what was touched anywhere is refused with its place, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from services.codec.entry import Delivery
from services.codec.evidence import Evidence, MemberEvidence, digest_of, format_evidence, in_order, parse_evidence
from services.codec.keys import sm2_signer
from services.codec.note import COSIGNATURE, Note, NoteKey, cosign_note, format_note, parse_note, sign_note
from services.codec.tlog_policy import Policy
from services.verifier.report import Report, Step
from services.verifier.verify import Options, verify
from tests.vectors.evidence.exchange import (
    CLUES,
    HANGZHOU,
    HANGZHOU_IP,
    NANJING,
    OPERATOR,
    SUZHOU,
    WITNESSES,
    Exchange,
    key_added,
    key_revoked,
    proposed,
    routes,
    signer,
    town,
)
from tests.vectors.evidence.make import ACCEPTED, REPORTED, accepted, made, reported

FILES = {name: data for name, data in made().items() if name.endswith(".json")}
SMALL = FILES["key-added.json"]


@cache
def standing_town() -> Exchange:
    exchange = town()
    exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.publish(REPORTED, reported(), NANJING, addressee=HANGZHOU, batch=True)
    exchange.sign()
    return exchange


@cache
def policy(quorum: str = "two") -> Policy:
    return standing_town().policy(quorum)


@cache
def options() -> Options:
    return Options(root=signer(OPERATOR).public, routes=routes())


def checked(evidence: Evidence | bytes, by: Policy | None = None, having: Options | None = None) -> Report:
    data = evidence if isinstance(evidence, bytes) else format_evidence(evidence)
    return verify(data, by or policy(), having or options())


def failure(
    evidence: Evidence | bytes, by: Policy | None = None, having: Options | None = None
) -> tuple[str, str | None, str | None]:
    bad = checked(evidence, by, having).first_bad
    assert bad is not None, "it was taken"
    return bad.title_en, bad.code, bad.place


def step(report: Report, title: str) -> Step:
    return next(one for one in report.steps if one.title_en == title)


@cache
def small() -> Evidence:
    return standing_town().evidence(standing_town().clues.envelopes[0], viewer=HANGZHOU).evidence


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


def kept(evidence: Evidence, keep: Callable[[MemberEvidence], bool]) -> Evidence:
    """The evidence with these records alone, and without the schemas that nobody names any more."""
    members = tuple(one for one in evidence.members if keep(one))
    entries = [evidence.entry, *(one.entry for one in members)]
    schemas = {
        digest: text for digest, text in evidence.schemas.items() if any(digest.encode() in entry for entry in entries)
    }
    return replace(evidence, members=members, schemas=schemas)


def without(evidence: Evidence, word: str) -> Evidence:
    return kept(evidence, lambda one: word.encode() not in one.entry)


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


def test_a_proof_of_the_wrong_length_is_refused() -> None:
    proof = small().proof
    for path in ((), (*proof.path, bytes(32))):
        other = replace(small(), proof=replace(proof, path=path))
        assert failure(other) == ("form of the file", "bad-proof", "event.proof")
    first, *rest = small().members
    for path in (first.path[:-1], (*first.path, bytes(32))):
        other = replace(small(), members=(replace(first, path=path), *rest))
        assert failure(other) == ("members log", "bad-proof", "members.records[0].path")


def test_a_proof_of_another_place_is_refused() -> None:
    assert failure(replace(small(), proof=replace(small().proof, index=1)))[:2] == ("entry", "bad-proof")


def with_note(evidence: Evidence, note: Note) -> Evidence:
    return replace(evidence, proof=replace(evidence.proof, note=in_order(note)))


def test_a_forged_checkpoint_is_refused() -> None:
    note = small().proof.note
    checkpoint = parse_checkpoint(note.text)
    key = signer(NANJING)
    text = format_checkpoint(Checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root, ("forged",)))
    forged = Note(text, (sign_note(text, checkpoint.origin, key.public.data, key.sign),))
    assert failure(with_note(small(), forged)) == ("checkpoint", "bad-signature", "event.proof")
    kept = Note(text, note.signatures)
    assert failure(with_note(small(), kept)) == ("checkpoint", "bad-signature", "event.proof")
    other = format_checkpoint(Checkpoint(checkpoint.origin, checkpoint.size, bytes(32)))
    assert failure(with_note(small(), Note(other, note.signatures)))[0] == "inclusion in the log"


def test_a_cosignature_by_a_key_outside_the_policy_is_refused() -> None:
    note = small().proof.note
    key = signer(HANGZHOU_IP)
    line = cosign_note(note.text, HANGZHOU_IP, key.public.data, key.sign, 1_790_000_100)
    found = failure(with_note(small(), note.add(line)))
    assert found == ("checkpoint", "bad-signature", "event.proof")


def test_a_cosignature_that_is_not_good_is_refused_though_others_suffice() -> None:
    note = small().proof.note
    last = note.signatures[-1]
    bad = replace(last, value=bytes((*last.value[:-1], last.value[-1] ^ 1)))
    found = failure(with_note(small(), replace(note, signatures=(*note.signatures[:-1], bad))))
    assert found == ("checkpoint", "bad-signature", "event.proof")


def test_too_few_witnesses_are_refused_and_none_is_said_when_none_is_asked_for() -> None:
    exchange = town()
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.sign(WITNESSES[:1])
    evidence = exchange.evidence(envelope).evidence
    assert failure(evidence) == ("witnesses", "not-witnessed", "event.proof")
    report = checked(evidence, policy("none"))
    assert report.holds
    assert {step(report, "witnesses").finding, step(report, "times").finding} == {"not-proved"}


def test_an_unwitnessed_checkpoint_of_the_members_log_is_refused() -> None:
    note = small().members_checkpoint
    few = replace(small(), members_checkpoint=replace(note, signatures=note.signatures[:2]))
    assert failure(few) == ("members log", "not-witnessed", "members.checkpoint")


def test_a_checkpoint_of_another_log_is_refused() -> None:
    assert failure(replace(small(), members_checkpoint=small().proof.note))[:2] == ("members log", "bad-checkpoint")
    members = standing_town().evidence(standing_town().members.envelopes[0]).evidence
    assert failure(replace(small(), proof=members.proof))[:2] == ("entry", "bad-evidence")


def test_a_log_that_the_policy_does_not_have_is_refused() -> None:
    known = policy()
    members_only = replace(known, logs={name: key for name, key in known.logs.items() if "members" in name})
    assert failure(small(), members_only)[1] == "unknown-log"


def test_witnesses_who_had_it_before_it_was_admitted_are_not_believed() -> None:
    exchange = town()
    envelope = exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)
    exchange.members.sign()
    exchange.clues.sign(at_s=1_790_000_000 - 3600)
    assert failure(exchange.evidence(envelope).evidence) == ("times", "time-in-future", "event.entry")


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
