"""What a dishonest exchange could hand out, all of it in its own signed logs: each is refused at the step that it breaks."""

from __future__ import annotations

from dataclasses import replace

from services.codec.entry import format_entry, parse_entry
from services.codec.evidence import Evidence, format_evidence
from services.codec.signature import sign
from services.codec.statement import format_statement
from services.events import to_value
from services.events.member import ExchangeFounded
from services.kernel.instants import format_instant
from services.verifier.verify import Options, verify
from tests.vectors.evidence.exchange import Exchange, Log, routes, town
from tests.vectors.evidence.make import ACCEPTED, REPORTED, accepted
from tests.vectors.evidence.members import HANGZHOU, NANJING, NOW_MS, OPERATOR, founded, key_added, registered, signer

FOUNDED = ExchangeFounded.TYPE
WHOLE = range(12)


def failure(exchange: Exchange, evidence: Evidence) -> tuple[str, str | None, str | None]:
    bad = verify(format_evidence(evidence), exchange.policy(), Options(routes=routes())).first_bad
    assert bad is not None, "it was taken"
    return bad.title_en, bad.code, bad.place


def taken(exchange: Exchange) -> None:
    exchange.publish(ACCEPTED, accepted(), HANGZHOU, addressee=NANJING)


def rewritten(log: Log, seq: int, old: str, new: str) -> None:
    envelope = log.envelopes[seq]
    entry = (envelope.entry or "").replace(old, new)
    assert entry != envelope.entry
    log.envelopes[seq] = replace(envelope, entry=entry)


def test_an_honest_exchange_is_taken_by_hand_too() -> None:
    exchange = town()
    taken(exchange)
    exchange.sign()
    evidence = exchange.by_hand(exchange.clues, 0, WHOLE)
    assert verify(format_evidence(evidence), exchange.policy(), Options(routes=routes())).first_bad is None


def test_a_members_checkpoint_that_is_older_than_the_entry_says_is_refused() -> None:
    exchange = town()
    exchange.members.sign()
    exchange.tell(key_added(HANGZHOU, 1))
    taken(exchange)
    exchange.clues.sign()
    found = failure(exchange, exchange.by_hand(exchange.clues, 0, WHOLE))
    assert found == ("members log", "bad-checkpoint", "members.checkpoint")


def test_the_members_checkpoint_of_a_founding_is_of_the_members_log_too() -> None:
    exchange = town()
    taken(exchange)
    exchange.sign()
    founding, other = exchange.by_hand(exchange.members, 0, ()), exchange.by_hand(exchange.clues, 0, WHOLE)
    found = failure(exchange, replace(founding, members_checkpoint=other.proof.note))
    assert found == ("members log", "bad-checkpoint", "members.checkpoint")


def test_a_record_from_after_the_entry_was_judged_is_refused() -> None:
    exchange = town()
    taken(exchange)
    exchange.tell(key_added(HANGZHOU, 1))
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.clues, 0, range(13)))
    assert found == ("members log", "bad-evidence", "members.records[12].entry")


def test_an_event_of_the_members_log_judged_by_another_size_is_refused() -> None:
    exchange = town()
    rewritten(exchange.members, 11, "members: 11", "members: 10")
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.members, 11, range(10)))
    assert found == ("entry", "bad-evidence", "event.entry")
    taken(exchange)
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.clues, 0, WHOLE))
    assert found == ("members log", "bad-evidence", "members.records[11].entry")


def test_a_statement_of_a_type_that_its_schema_is_not_is_refused() -> None:
    exchange = town()
    taken(exchange)
    envelope = exchange.clues.envelopes[0]
    old = parse_entry((envelope.entry or "").encode())
    said = format_statement(replace(envelope.statement, type=REPORTED))
    line = sign(said, signer(HANGZHOU))
    entry = format_entry(said, line, old.admitted, old.log, old.seq, old.members, old.deliveries)
    exchange.clues.envelopes[0] = replace(envelope, signature=line, entry=entry.decode())
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.clues, 0, WHOLE))
    assert found == ("schemas", "statement-mismatch", "event.entry")


def test_a_second_founding_is_none() -> None:
    exchange = town()
    value = to_value(replace(founded(), founded_at=NOW_MS + 1))
    exchange.admit(exchange.members, FOUNDED, value, signer(OPERATOR), subject="t", copies=())
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.members, 12, ()))
    assert found == ("founding of the exchange", "bad-evidence", "event.entry")


def test_an_excerpt_that_begins_with_a_second_founding_is_refused() -> None:
    exchange = town()
    other = signer(OPERATOR, 1)
    value = to_value(replace(founded(), key_id=other.key_id, public_key=other.public.data))
    exchange.admit(exchange.members, FOUNDED, value, other, subject="t", copies=())
    taken(exchange)
    rewritten(exchange.clues, 0, "members: 12", "members: 13")
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.clues, 0, (12,)))
    assert found == ("founding of the exchange", "bad-evidence", "members.records")


def test_the_founding_of_another_exchange_is_refused() -> None:
    exchange = Exchange()
    exchange.tell(replace(founded(), name="u"))
    exchange.tell(registered(NANJING))
    exchange.sign()
    for seq, records in ((0, ()), (1, (0,))):
        found = failure(exchange, exchange.by_hand(exchange.members, seq, records))
        assert found == ("founding of the exchange", "bad-evidence", "members.records[0]")


def test_a_founding_that_is_signed_by_another_key_than_it_names_is_refused() -> None:
    exchange = Exchange()
    exchange.admit(exchange.members, FOUNDED, to_value(founded()), signer(OPERATOR, 1), subject="t", copies=())
    exchange.sign()
    assert failure(exchange, exchange.by_hand(exchange.members, 0, ()))[:2] == ("key of the source", "bad-signature")
    value = to_value(registered(NANJING))
    exchange.admit(
        exchange.members, "cn.ipx.member.ParticipantRegistered", value, signer(OPERATOR), subject="t", copies=()
    )
    rewritten(exchange.members, 1, "members: 0", "members: 1")
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.members, 1, (0,)))
    assert found == ("members events", "bad-signature", "members.records[0]")


def test_a_record_that_its_source_might_not_say_is_refused() -> None:
    exchange = town()
    value = to_value(key_added(HANGZHOU, 1))
    exchange.admit(exchange.members, "cn.ipx.member.KeyAdded", value, signer(NANJING), subject="t", copies=())
    taken(exchange)
    rewritten(exchange.clues, 0, "members: 12", "members: 13")
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.clues, 0, range(13)))
    assert found == ("members events", "not-authorised", "members.records[12] source")


def test_a_record_with_the_signature_of_another_is_refused() -> None:
    for seq in (0, 6, 10):
        exchange = town()
        records = exchange.members.envelopes
        rewritten(exchange.members, seq, records[seq].signature, records[1].signature)
        if seq == 10:
            rewritten(exchange.members, seq, signer(OPERATOR).key_id, signer(NANJING).key_id)
        taken(exchange)
        exchange.sign()
        found = failure(exchange, exchange.by_hand(exchange.clues, 0, WHOLE))
        assert found == ("members events", "bad-signature", f"members.records[{seq}]")


def test_a_record_whose_content_is_not_what_was_signed_is_refused() -> None:
    exchange = town()
    taken(exchange)
    exchange.sign()
    evidence = exchange.by_hand(exchange.clues, 0, WHOLE)
    record = evidence.members[1]
    body = record.body.replace(b"prefecture", b"provincial")
    assert len(body) == len(record.body)
    changed = (evidence.members[0], replace(record, body=body), *evidence.members[2:])
    found = failure(exchange, replace(evidence, members=changed))
    assert found[:2] == ("members events", "statement-mismatch")
    assert (found[2] or "").startswith("members.records[1]")


def test_a_statement_that_is_later_than_its_admission_is_refused() -> None:
    exchange = town()
    exchange.said = 3_600_000
    taken(exchange)
    entry = parse_entry((exchange.clues.envelopes[0].entry or "").encode())
    rewritten(exchange.clues, 0, f"admitted: {entry.admitted}", f"admitted: {format_instant(NOW_MS + 1000)}")
    exchange.sign()
    found = failure(exchange, exchange.by_hand(exchange.clues, 0, WHOLE))
    assert found == ("times", "time-in-future", "event.entry")
