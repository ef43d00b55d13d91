"""Each step of verification has its own refusal, and nothing of a copy can be changed without one."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

import pytest

from connectors.node.verify import MembersBehind, Unverified, Verified, VerifiedOutcomes, Verifier
from services.codec.cloudevents import envelope_from_structured, envelope_to_structured
from services.codec.content import new_disclosure
from services.codec.envelope import Draft, Envelope, prepare, seal
from services.codec.signature import sign
from services.codec.statement import format_statement
from services.events import to_value
from services.events.clue import ClueReported
from services.events.member import KeyRevoked
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy, Signer
from tests.unit.connectors.small_exchange import (
    AGREEMENT,
    HANGZHOU,
    NANJING,
    RELEASED,
    SEEN,
    SUZHOU,
    SmallExchange,
    gm_signer_of,
    signer_of,
)

SCHEMA = RELEASED.named(ClueReported.TYPE)
VALUE = to_value(
    ClueReported(
        subtype="online_listing",
        right_type="trademark",
        title="题",
        facts="事实",
        place_division="330106",
        discovered_at=1,
        reporter="举报人",
        reporter_phone="13800000000",
        reporter_id_number="320106199003071234",
    )
)
IDS = [f"01923c00-0000-7000-8000-{n:012d}" for n in range(10)]


def report(
    exchange: SmallExchange, event: str = IDS[0], source: str = NANJING, signer: Signer | None = None
) -> Envelope:
    draft = Draft(
        event, source, "CL-1", format_instant(exchange.clock.now_ms()), agreement=AGREEMENT, addressee=HANGZHOU
    )
    return seal(SCHEMA, VALUE, draft, signer or signer_of(source), CountedEntropy(1 << 20))


def made() -> tuple[SmallExchange, Envelope]:
    """An exchange, and the copy of a clue that waits in the inbox of Hangzhou."""
    exchange = SmallExchange()
    assert exchange.propose(envelope_to_structured(report(exchange))) == "admitted"
    return exchange, envelope_from_structured(exchange.inboxes[HANGZHOU][0])


def verifier(exchange: SmallExchange, participant: str = HANGZHOU) -> Verifier:
    def registry_at(size: int) -> object:
        if size > exchange.history.size:
            raise MembersBehind(size)
        return exchange.history.latest if size < 0 else exchange.history.at(size)

    return Verifier(participant, RELEASED.with_digest, registry_at)


def test_a_genuine_copy_is_verified_with_what_it_shows_and_what_it_withholds() -> None:
    exchange, copy = made()
    found = verifier(exchange).verify(copy)
    assert isinstance(found, Verified)
    assert found.value["reporter"] == "举报人"
    assert found.value["reporter_id_number"] is None
    assert set(found.withheld) == set(SCHEMA.restricted) - set(SEEN)
    assert (found.numbered.owner, found.numbered.number) == (HANGZHOU, 0)


def test_a_copy_that_was_signed_with_sm2_is_verified_once_its_key_is_in_the_members_log() -> None:
    exchange = SmallExchange()
    before = exchange.history.size
    exchange.add_key(gm_signer_of(NANJING))
    sealed = report(exchange, signer=gm_signer_of(NANJING))
    assert exchange.propose(envelope_to_structured(sealed)) == "admitted"
    copy = envelope_from_structured(exchange.inboxes[HANGZHOU][0])
    assert copy.signature.startswith("sm2-sm3:")
    assert isinstance(verifier(exchange).verify(copy), Verified)
    other = report(exchange, IDS[1], signer=gm_signer_of(NANJING)).signature
    forged = replace(copy, signature=other, entry=(copy.entry or "").replace(copy.signature, other))
    found = verifier(exchange).verify(forged)
    assert isinstance(found, Unverified)
    assert (found.step, found.code) == (4, "bad-signature")
    early = replace(copy, entry=(copy.entry or "").replace(f"members: {before + 1}", f"members: {before}"))
    found = verifier(exchange).verify(early)
    assert isinstance(found, Unverified)
    assert (found.step, found.code) == (3, "unknown-key")


def change(**lines: str) -> Callable[[Envelope], Envelope]:
    return lambda copy: replace(copy, statement=replace(copy.statement, **lines))


def entry(old: str, new: str) -> Callable[[Envelope], Envelope]:
    return lambda copy: replace(copy, entry=(copy.entry or "").replace(old, new))


def other_body(copy: Envelope) -> Envelope:
    value = {**SCHEMA.decode(copy.body), "title": "别的题"}
    return replace(copy, body=SCHEMA.encode(value))


def swapped_field(copy: Envelope) -> Envelope:
    value = {**SCHEMA.decode(copy.body), "reporter": "另一个人"}
    return replace(copy, body=SCHEMA.encode(value))


def guessed_field(copy: Envelope) -> Envelope:
    """The withheld identity number put back, with a salt that somebody guessed."""
    value = {**SCHEMA.decode(copy.body), "reporter_id_number": "320106199003071234"}
    items = dict(item.split("=", 1) for item in copy.salts.split(","))
    items["reporter_id_number"] = f"s:{base64.b64encode(bytes(16)).decode()}"
    salts = ",".join(f"{name}={text}" for name, text in items.items())
    return replace(copy, body=SCHEMA.encode(value), salts=salts)


def signed_by(participant: str, **lines: str) -> Callable[[Envelope], Envelope]:
    def apply(copy: Envelope) -> Envelope:
        statement = replace(copy.statement, **lines)
        line = sign(format_statement(statement), signer_of(participant))
        text = (copy.entry or "").partition("signature: ")
        tail = text[2].partition("\n")[2]
        made = format_statement(statement).decode() + f"signature: {line}\n{tail}"
        return replace(copy, statement=statement, signature=line, entry=made)

    return apply


@pytest.mark.parametrize(
    ("tamper", "step", "code"),
    [
        (change(id="not-an-id"), 1, "bad-attribute"),
        (change(subject="a b"), 1, "bad-attribute"),
        (lambda copy: replace(copy, entry=None), 1, "bad-entry"),
        (lambda copy: replace(copy, entry=(copy.entry or "") + "x"), 1, "bad-entry"),
        (lambda copy: replace(copy, delivery=None), 1, "bad-attribute"),
        (lambda copy: replace(copy, delivery="x"), 1, "bad-attribute"),
        (change(schema="sha256:" + "0" * 64), 2, "unreleased-schema"),
        (change(type="cn.ipx.clue.ClueAccepted"), 2, "statement-mismatch"),
        (lambda copy: replace(copy, body=copy.body + b"\x00"), 2, "not-canonical"),
        (lambda copy: replace(copy, body=copy.body[:-1]), 2, "undecodable"),
        (lambda copy: replace(copy, signature="ed25519:x"), 3, "bad-signature"),
        (lambda copy: replace(copy, signature=copy.signature.replace("ed25519", "rot13")), 3, "unknown-suite"),
        (lambda copy: replace(copy, signature=copy.signature.replace("ed25519", "sm2-sm3")), 3, "bad-signature"),
        (signed_by("320900.market_regulator"), 3, "unknown-key"),
        (signed_by(SUZHOU), 3, "key-not-of-source"),
        (signed_by(NANJING, time="2020-01-01T00:00:00.000Z"), 3, "key-not-yet-valid"),
        (change(subject="CL-2"), 4, "bad-signature"),
        (change(addressee=SUZHOU), 4, "bad-signature"),
        (change(cause=IDS[5]), 4, "bad-signature"),
        (other_body, 5, "statement-mismatch"),
        (swapped_field, 5, "statement-mismatch"),
        (guessed_field, 5, "statement-mismatch"),
        (lambda copy: replace(copy, salts="-"), 5, "bad-disclosure"),
        (lambda copy: replace(copy, salts=copy.salts.replace("=s:", "=d:")), 5, "bad-disclosure"),
        (entry("subject: CL-1", "subject: CL-2"), 6, "bad-entry"),
        (entry("admitted: 2026", "admitted: 1999"), None, ""),
        (lambda copy: replace(copy, delivery=(copy.delivery or "").replace(HANGZHOU, SUZHOU)), 7, "bad-entry"),
        (lambda copy: replace(copy, delivery=(copy.delivery or "")[:-1] + "1"), 7, "bad-entry"),
        (lambda copy: replace(copy, delivery=(copy.delivery or "").replace("/", "/9")), 7, "bad-entry"),
        (entry(f"deliver: {HANGZHOU}", f"deliver: {SUZHOU}"), 7, "bad-entry"),
        (entry(",-suspect_phone", ""), 7, "bad-disclosure"),
    ],
)
def test_each_step_refuses_what_it_is_there_for(
    tamper: Callable[[Envelope], Envelope], step: int | None, code: str
) -> None:
    exchange, copy = made()
    found = verifier(exchange).verify(tamper(copy))
    if step is None:
        assert isinstance(found, Verified)  # when it was admitted is the log's word, proved by the ledger
        return
    assert isinstance(found, Unverified)
    assert (found.step, found.code) == (step, code)


def test_no_sentence_of_a_refusal_repeats_a_field() -> None:
    exchange, copy = made()
    for tamper in (other_body, swapped_field, guessed_field):
        found = verifier(exchange).verify(tamper(copy))
        assert isinstance(found, Unverified)
        assert "320106199003071234" not in found.reason
        assert "另一个人" not in found.reason


def test_a_copy_for_another_is_not_mine() -> None:
    exchange, copy = made()
    found = verifier(exchange, SUZHOU).verify(copy)
    assert isinstance(found, Unverified)
    assert found.step == 7


def test_an_entry_that_rests_on_more_members_than_were_read_waits_for_them() -> None:
    exchange, copy = made()
    later = entry(f"members: {exchange.history.size}", f"members: {exchange.history.size + 1}")(copy)
    with pytest.raises(MembersBehind) as behind:
        verifier(exchange).verify(later)
    assert behind.value.size == exchange.history.size + 1


def test_a_key_revoked_after_admission_does_not_undo_what_it_signed_before() -> None:
    exchange, copy = made()
    exchange.say(
        KeyRevoked(
            participant=NANJING,
            key_id=signer_of(NANJING).key_id,
            revoked_at=exchange.clock.now_ms() + 1,
            reason="rotation",
        )
    )
    assert isinstance(verifier(exchange).verify(copy), Verified)


def test_outcomes_are_believed_of_admission_alone() -> None:
    exchange, _ = made()
    told = envelope_from_structured(exchange.inboxes[NANJING][0])
    found = verifier(exchange, NANJING).verify_outcomes(told)
    assert isinstance(found, VerifiedOutcomes)
    assert found.value["outcomes"][0]["event"] == IDS[0]
    not_mine = verifier(exchange, SUZHOU).verify_outcomes(told)
    assert isinstance(not_mine, Unverified)
    assert not_mine.step == 7
    schema = RELEASED.named(told.statement.type)
    text, forged = prepare(
        schema,
        schema.decode(told.body),
        Draft(IDS[3], SUZHOU, "x", told.statement.time),
        new_disclosure(schema, CountedEntropy()),
    )
    forged = replace(forged, signature=sign(text, signer_of(SUZHOU)), outcome=told.outcome)
    found_forged = verifier(exchange, NANJING).verify_outcomes(forged)
    assert isinstance(found_forged, Unverified)
    assert (found_forged.step, found_forged.code) == (6, "not-authorised")


def test_outcomes_of_another_partition_are_refused() -> None:
    exchange, _ = made()
    told = envelope_from_structured(exchange.inboxes[NANJING][0])
    moved = replace(told, outcome=(told.outcome or "").replace("clues.in", "receipts.in"))
    found = verifier(exchange, NANJING).verify_outcomes(moved)
    assert isinstance(found, Unverified)
    assert found.step == 7
