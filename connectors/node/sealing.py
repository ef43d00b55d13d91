"""Drafts and receipts become signed envelopes, ready for the outbox: one signature each, or one for a whole batch.

Salts are drawn and keys used here and nowhere else in the node. A batch of one is signed singly. The suite is that of the key: a signature with
SM2 takes about 3 ms, so that a batch under one is what keeps the node quick.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.kit.mapping import Drafted
from connectors.node import outbox
from connectors.node.receipts import Receipt
from services.codec.cloudevents import envelope_to_structured
from services.codec.content import new_disclosure
from services.codec.envelope import Draft, Envelope, prepare, seal, seal_batch
from services.codec.released import ReleasedSchemas
from services.codec.schema import EventSchema, Value
from services.codec.statement import format_statement
from services.events import from_value, to_value
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import Clock, Entropy, Signer

Item = tuple[EventSchema, Value, Draft]
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Happened:
    """A happening of the city, mapped and given its event id, before it is signed."""

    item: str
    event: str
    sealed: Item


class Sealer:
    """Signs for the participants whose keys the node holds."""

    def __init__(self, signers: Mapping[str, Signer], schemas: ReleasedSchemas, clock: Clock, entropy: Entropy) -> None:
        self._signers = signers
        self._schemas = schemas
        self._clock = clock
        self._entropy = entropy

    def prepare(self, participant: str, item: str, drafted: Drafted) -> Happened:
        """Gives a mapped happening its id, a UUIDv7 made now, and its trace; it must be stored with the cursor.

        Refuses ``bad-field`` a value that the schema does not encode, ``bad-attribute`` a line of the statement that it
        would not take: here, so that one bad happening does not stop the batch that it would be signed with.
        """
        schema = self._schemas.named(drafted.type)
        value = to_value(from_value(drafted.type, drafted.value))
        draft = Draft(
            id=uuid7(self._clock.now_ms(), self._entropy.draw(10)),
            source=participant,
            subject=drafted.subject,
            time=format_instant(drafted.time_ms),
            agreement=drafted.agreement,
            addressee=_in_order(drafted.addressee),
            cause=drafted.cause,
            trace=f"00-{self._entropy.draw(16).hex()}-{self._entropy.draw(8).hex()}-01",
        )
        prepare(schema, value, draft, new_disclosure(schema, self._entropy))
        return Happened(item, draft.id, (schema, value, draft))

    def seal_happenings(self, participant: str, connector: str, happened: Sequence[Happened]) -> list[outbox.Outgoing]:
        """The rows of the outbox for happenings of one pull, in order, resting on one signature."""
        envelopes = self._sealed(participant, [each.sealed for each in happened])
        return [
            self._row(envelope, outbox.EVENT, connector, each.item)
            for envelope, each in zip(envelopes, happened, strict=True)
        ]

    def store_receipts(self, db: sqlite3.Connection, receipts: list[Receipt]) -> None:
        """Signs receipts, those of each participant with one signature, and puts them into the outbox."""
        by_participant: dict[str, list[Receipt]] = {}
        for receipt in receipts:
            by_participant.setdefault(receipt.about.participant, []).append(receipt)
        for participant, own in by_participant.items():
            envelopes = self._sealed(participant, [self._receipt(each) for each in own])
            outbox.insert(db, [self._row(envelope, outbox.RECEIPT, None, None) for envelope in envelopes])

    def _receipt(self, receipt: Receipt) -> Item:
        about = receipt.about
        draft = Draft(
            id=receipt.id,
            source=about.participant,
            subject=about.subject,
            time=format_instant(receipt.time_ms),
            addressee=about.source,
            cause=about.event,
            trace=about.trace,
        )
        return self._schemas.named(receipt.event.TYPE), to_value(receipt.event), draft

    def _sealed(self, participant: str, items: list[Item]) -> list[Envelope]:
        signer = self._signers[participant]
        if len(items) == 1:
            return [seal(*items[0], signer, self._entropy)]
        return seal_batch(items, signer, self._entropy) if items else []

    def _row(self, envelope: Envelope, kind: str, connector: str | None, item: str | None) -> outbox.Outgoing:
        statement = envelope.statement
        return outbox.Outgoing(
            id=statement.id,
            participant=statement.source,
            kind=kind,
            type=statement.type,
            subject=statement.subject,
            cause=statement.cause,
            statement=f"sha256:{hashlib.sha256(format_statement(statement)).hexdigest()}",
            document=document_of(envelope),
            trace=envelope.trace,
            connector=connector,
            item=item,
            made_ms=self._clock.now_ms(),
        )


def document_of(envelope: Envelope) -> bytes:
    """The structured CloudEvent with the Avro body as it is (CloudEvents JSON format 1.0 section 3.1)."""
    return _encode(envelope_to_structured(envelope)).encode()


def _in_order(addressee: str) -> str:
    return addressee if addressee == "-" else ",".join(sorted(set(addressee.split(","))))
