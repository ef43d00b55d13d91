"""Records of a log are believed only when entry, attributes and body are of one piece."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.codec.entry import Delivery, format_entry
from services.codec.envelope import Draft, Envelope, frame, seal
from services.codec.keys import signer_from_seed
from services.codec.released import load_released
from services.codec.statement import format_statement
from services.events import to_value
from services.events.receipt import Committed, Delivered
from services.kernel.errors import Corrupt
from services.kernel.ids import uuid8
from services.kernel.ports import CountedEntropy
from services.runtime.records import RawRecord, log_of, place_of, read_logged

RELEASED = load_released()
HANGZHOU = "330100.market_regulator"
EVENT = Delivered(event=uuid8("e"), recipient=HANGZHOU, log="t.clues/0", number=4, delivered_at=1_000)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SIGNER = signer_from_seed(HANGZHOU, bytes(32))


def sealed(event=EVENT, name="a") -> Envelope:
    draft = Draft(uuid8(name), HANGZHOU, "CL-1", "2026-11-24T06:11:37.123Z", trace=TRACE)
    return seal(RELEASED.named(event.TYPE), to_value(event), draft, SIGNER, CountedEntropy())


def entry_of(envelope: Envelope, *, log: str = "t.receipts/3", seq: int = 7) -> str:
    deliveries = (Delivery("320100.market_regulator", 2),)
    statement = format_statement(envelope.statement)
    return format_entry(statement, envelope.signature, "2026-11-24T06:11:37.456Z", log, seq, 5, deliveries).decode()


def raw(envelope: Envelope, *, partition: int = 3) -> RawRecord:
    return RawRecord("t.receipts", partition, 90, envelope.headers(), frame(1, envelope.body))


def test_a_record_of_the_log_gives_entry_value_and_typed_event():
    envelope = sealed()
    logged = read_logged(raw(replace(envelope, entry=entry_of(envelope))), RELEASED.with_digest)
    assert logged.event == EVENT
    assert logged.value == to_value(EVENT)
    assert (logged.seq, logged.partition, logged.offset, logged.trace) == (7, 3, 90, TRACE)
    assert (logged.id, logged.type) == (envelope.statement.id, Delivered.TYPE)
    assert logged.entry.delivery_to("320100.market_regulator").number == 2


def broken():
    envelope = sealed()
    other = sealed(name="b")
    committed = sealed(Committed(event=uuid8("e"), recipient=HANGZHOU, log="t.clues/0", number=4, committed_at=1))
    entry = entry_of(envelope)
    yield "no entry", raw(envelope)
    yield "entry of another statement", raw(replace(envelope, entry=entry_of(other)))
    yield "another signature", raw(replace(envelope, signature=other.signature, entry=entry))
    moved = replace(envelope, statement=replace(envelope.statement, subject="CL-2"))
    yield "attributes of another subject", raw(replace(moved, entry=entry))
    misnamed = replace(envelope, statement=replace(envelope.statement, type=Committed.TYPE))
    yield "type and schema disagree", raw(replace(misnamed, entry=entry_of(misnamed)))
    yield "another partition", raw(replace(envelope, entry=entry), partition=2)
    yield "body cut", raw(replace(envelope, body=envelope.body[:-1], entry=entry))
    yield "body of another type", raw(replace(envelope, body=committed.body + b"\x00", entry=entry))
    yield "no value", replace(raw(replace(envelope, entry=entry)), value=None)
    unknown = replace(envelope.statement, schema="sha256:" + "0" * 64)
    strange = replace(envelope, statement=unknown)
    yield "unknown schema", raw(replace(strange, entry=entry_of(strange)))


@pytest.mark.parametrize(("what", "record"), list(broken()), ids=[name for name, _ in broken()])
def test_what_admission_would_not_write_is_corrupt_and_the_place_is_named(what, record):
    with pytest.raises(Corrupt, match=r"t\.receipts/\d offset 90"):
        read_logged(record, RELEASED.with_digest)


def test_a_log_partition_is_named_as_in_entries():
    assert log_of("t.receipts", 3) == "t.receipts/3"
    envelope = sealed()
    logged = read_logged(raw(replace(envelope, entry=entry_of(envelope))), RELEASED.with_digest)
    assert place_of(logged.entry) == ("t.receipts", 3)
