"""What one log record says that something else must bear out: its copies, its cause, the delivery that it is a receipt of. Pure.

A copy is foretold to the byte: the record, without what its delivery line leaves out (``services/ledger/FORMAT.md`` section 2.3), so that its print can be compared with
that of the copy that stands in the inbox.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from services.audit.facts import Facts
from services.audit.sources import Finding
from services.codec.content import commitment, parse_disclosure, withhold
from services.codec.entry import Entry, parse_entry
from services.codec.envelope import Envelope, envelope_from_record
from services.codec.released import ReleasedSchemas
from services.codec.schema import EventSchema, Value
from services.codec.statement import format_statement
from services.events import from_value
from services.events.receipt import Committed, Delivered, NotCommitted, Rejected, StepMissing
from services.kernel.errors import Refused
from services.kernel.ids import derived_id, is_event_id
from services.runtime.records import RawRecord, log_of

DERIVING: Final = ("exchange.clues", "exchange.receipts", "exchange.transfers")
"""Rooms: what they say has a cause, and an id that follows from it."""
_DELIVERY: Final = "ce_ipxdelivery"
_SALTS: Final = "ce_ipxsalts"
_ORDINALS: Final = 1_024
_FRAME: Final = 5
_OF_A_DELIVERY: Final = (Delivered, Committed, Rejected, NotCommitted, StepMissing)


def print_of(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> bytes:
    """SHA-256 over the value and the headers, whatever their order; the delivery number is left out, it is the copy's own."""
    digest = hashlib.sha256(b"-" if value is None else b"+%d:" % len(value))
    digest.update(value or b"")
    for name, data in sorted(header for header in headers if header[0] != _DELIVERY):
        digest.update(f"\n{name} {len(data)}:".encode() + data)
    return digest.digest()


class LogFacts:
    """Takes the records of the logs and appends what they say."""

    def __init__(self, facts: Facts, released: ReleasedSchemas) -> None:
        self._facts = facts
        self._released = released

    def take(self, record: RawRecord, data: bytes, *, is_later: bool = False) -> list[Finding]:
        """A record and its entry. ``is_later``: it came after the moment that is checked, and only bears out what came before."""
        log = log_of(record.topic, record.partition)
        try:
            entry = parse_entry(data)
            _, envelope = envelope_from_record(record.headers, record.value)
            schema = self._released.with_digest(entry.statement.schema)
            value, parts = schema.decode_parts(envelope.body)
            digests = commitment(schema, parts, parse_disclosure(schema, envelope.salts))[1]
            self._deliveries(record, entry, envelope, schema, parts, digests, is_later=is_later)
        except Refused as refused:
            sentence = f"{refused.code}: {refused.message}"
            return [Finding("bad-record", record.topic, record.partition, sentence, record.offset)]
        statement = entry.statement
        digest = f"sha256:{hashlib.sha256(format_statement(statement)).hexdigest()}"
        number = self._facts.number_of(log)
        self._facts.add("logged", (_uuid(statement.id), number, entry.seq, digest, record.offset, int(is_later)))
        self._receipt(record, entry, schema, value, number)
        return self._cause(record, entry, number)

    def _deliveries(
        self,
        record: RawRecord,
        entry: Entry,
        envelope: Envelope,
        schema: EventSchema,
        parts: list[bytes],
        digests: list[bytes],
        *,
        is_later: bool,
    ) -> None:
        log = self._facts.number_of(log_of(record.topic, record.partition))
        prints: dict[tuple[str, ...], bytes] = {}
        for delivery in entry.deliveries:
            known = prints.get(delivery.withheld)
            if known is None:
                known = prints[delivery.withheld] = _copy_print(
                    record, envelope, schema, parts, digests, delivery.withheld
                )
            recipient = self._facts.number_of(delivery.recipient)
            row = (recipient, log, delivery.number, known, entry.seq, record.offset, int(is_later))
            self._facts.add("delivered", row)

    def _receipt(self, record: RawRecord, entry: Entry, schema: EventSchema, value: Value, log: int) -> None:
        event = from_value(schema.name, value)
        if isinstance(event, _OF_A_DELIVERY):
            facts = self._facts
            place = (facts.number_of(event.recipient), facts.number_of(event.log), event.number)
            facts.add("receipted", (_uuid(event.event), *place, log, entry.seq, record.offset))

    def _cause(self, record: RawRecord, entry: Entry, log: int) -> list[Finding]:
        statement = entry.statement
        if statement.source not in DERIVING:
            return []
        place = (record.topic, record.partition)
        if statement.cause == "-":
            return [Finding("cause-missing", *place, "a derived event names no cause", record.offset, entry.seq)]
        self._facts.add("caused", (_uuid(statement.cause), log, entry.seq, record.offset))
        room = statement.source.partition(".")[2]
        if any(derived_id(room, statement.subject, statement.cause, n) == statement.id for n in range(_ORDINALS)):
            return []
        sentence = f"the id of a derived event follows from its cause {statement.cause}, this one does not"
        return [Finding("id-not-derived", *place, sentence, record.offset, entry.seq)]


def _copy_print(
    record: RawRecord,
    envelope: Envelope,
    schema: EventSchema,
    parts: list[bytes],
    digests: list[bytes],
    withheld: tuple[str, ...],
) -> bytes:
    if not withheld:
        return print_of(record.headers, record.value)
    body, salts = withhold(schema, parts, envelope.salts, digests, withheld)
    headers = [(name, salts.encode() if name == _SALTS else data) for name, data in record.headers]
    return print_of(headers, (record.value or b"")[:_FRAME] + body)


def _uuid(event_id: str) -> bytes:
    """The 16 bytes of an event id; of what is none, its letters: no id is equal to them."""
    return bytes.fromhex(event_id.replace("-", "")) if is_event_id(event_id) else event_id.encode()
