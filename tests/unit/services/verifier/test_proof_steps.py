"""Proof, checkpoint, witnesses: what was touched is refused at its step."""

from __future__ import annotations

from dataclasses import replace

from services.codec.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint
from services.codec.note import Note, cosign_note, sign_note
from tests.unit.services.verifier.checking import (
    checked,
    failure,
    policy,
    small,
    standing_town,
    step,
    with_note,
)
from tests.vectors.evidence.exchange import (
    HANGZHOU,
    HANGZHOU_IP,
    NANJING,
    WITNESSES,
    signer,
    town,
)
from tests.vectors.evidence.make import ACCEPTED, accepted


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
