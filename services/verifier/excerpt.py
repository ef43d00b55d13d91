"""The excerpt of the members log in an evidence file: each record proved to be in the log, then folded as every reader of it does.

Implements ``services/ledger/FORMAT.md`` section 6.6. What an excerpt cannot prove, that nothing between its records was left out, needs the
whole members log. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from services.codec.checkpoint import Checkpoint
from services.codec.entry import Entry, parse_entry
from services.codec.envelope import Envelope, open_content
from services.codec.evidence import MemberEvidence
from services.codec.keys import PublicKey
from services.codec.merkle import leaf_hash, root_from_path
from services.codec.schema import EventSchema
from services.codec.signature import SINGLE, RootCache, parse_signature, verify
from services.codec.statement import format_statement
from services.events import EVENT_TYPES, from_value
from services.events.member import ExchangeFounded, MemberEvent
from services.kernel.errors import Refused
from services.kernel.instants import parse_instant
from services.members.authorise import deliveries
from services.members.fixed_rules import ED25519_KEY_BYTES
from services.members.jurisdiction import Routes
from services.members.reading import body_digest
from services.members.recipients import Recipient
from services.members.registry import EMPTY, Registry, apply
from services.verifier.fields import has_its_types

_FOREIGN = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What typed code raises on a value whose schema has the name of ours and other fields: a log can hold one if its operator is dishonest."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A record that stands in the members log, with its entry read."""

    place: str
    record: MemberEvidence
    entry: Entry


def place_records(
    records: tuple[MemberEvidence, ...], log: str, size: int, checkpoint: Checkpoint
) -> tuple[Placed, ...]:
    """The records, each proved to stand in the log below ``size``, in ascending order, none twice.

    Refuses ``bad-entry``, ``bad-evidence`` and ``bad-proof``, naming the record.
    """
    placed = []
    least = 0
    for position, record in enumerate(records):
        place = f"members.records[{position}]"
        with within(f"{place}.entry"):
            entry = parse_entry(record.entry)
        if entry.log != log or entry.members != entry.seq:
            raise Refused("bad-evidence", f"the entry is not one of {log}", field=f"{place}.entry")
        if not least <= entry.seq < size:
            sentence = f"seq {entry.seq}: records stand in ascending order, below {size}"
            raise Refused("bad-evidence", sentence, field=f"{place}.entry")
        root = root_from_path(leaf_hash(record.entry), entry.seq, checkpoint.size, record.path)
        if root != checkpoint.root:
            sentence = f"the path does not lead from entry {entry.seq} to the root of the members checkpoint"
            raise Refused("bad-proof", sentence, field=f"{place}.path")
        least = entry.seq + 1
        placed.append(Placed(place, record, entry))
    return tuple(placed)


def fold_records(placed: tuple[Placed, ...], schemas: Mapping[str, EventSchema], exchange: str) -> Registry:
    """The registry by these records: each says what its source committed to, signed by a key that was valid, and may say it.

    Refuses with the code of what is wrong, naming the record. ``size`` of the registry counts the records, not the log.
    """
    registry = EMPTY
    roots = RootCache()
    for one in placed:
        with within(one.place), typed(one.entry.statement.type):
            registry = _folded(registry, one, schemas, roots)
            if registry.founded is None or registry.founded.name != exchange:
                raise Refused("bad-evidence", f"the log is of exchange {exchange}, the founding is not")
    return registry


def _folded(registry: Registry, one: Placed, schemas: Mapping[str, EventSchema], roots: RootCache) -> Registry:
    entry, statement = one.entry, one.entry.statement
    if (registry.founded is None) != (entry.seq == 0):
        raise Refused("bad-evidence", "the first record is the founding of the exchange, and no other")
    schema = schemas[statement.schema]
    content = open_content(schema, Envelope(statement, entry.signature, one.record.disclosure, one.record.body))
    event = member_event(schema, content.value)
    signature = parse_signature(entry.signature)
    if isinstance(event, ExchangeFounded):
        key = founding_key(event)
        if signature.key_id != key.key_id:
            raise Refused("bad-signature", "the founding is not signed with the key that it names")
        public_key = key.data
    else:
        found = registry.signing_key(signature.key_id, signature.suite, statement.source, statement.time_ms)
        public_key = found.public_key
    if not verify(format_statement(statement), signature, public_key, roots):
        raise Refused("bad-signature", f"the signature of {statement.type} by {statement.source} does not verify")
    if recipients_of(registry, schema, entry, content.value, ()):
        raise Refused("bad-evidence", "an event of the members log goes to no inbox")
    return apply(registry, event, source=statement.source, body_digest=body_digest(one.record.body))


def founding_key(event: ExchangeFounded) -> PublicKey:
    """The root key that a founding names; refuses ``bad-field`` what is no Ed25519 key, before anything is checked with it."""
    if event.suite != SINGLE or len(event.public_key) != ED25519_KEY_BYTES:
        raise Refused("bad-field", f"the root key of an exchange is of suite {SINGLE}, of {ED25519_KEY_BYTES} bytes")
    return PublicKey(event.operator, event.public_key)


def member_event(schema: EventSchema, value: dict[str, Any]) -> MemberEvent:
    """The typed event; refuses ``bad-schema`` one that is not of the members log."""
    if schema.name not in EVENT_TYPES or not schema.name.startswith("cn.ipx.member."):
        raise Refused("bad-schema", f"{schema.name[:80]} is not an event of the members log")
    with typed(schema.name):
        event = cast("MemberEvent", from_value(schema.name, value))
    if not has_its_types(event):
        raise Refused("bad-schema", f"the schema of {schema.name} has fields of other types than are known here")
    return event


def recipients_of(
    registry: Registry, schema: EventSchema, entry: Entry, value: dict[str, Any], routes: Routes
) -> tuple[Recipient, ...]:
    """Who gets a copy, as admission decided it; refuses what it refuses."""
    with typed(schema.name):
        return deliveries(
            registry,
            schema,
            entry.statement,
            value,
            time_ms=entry.statement.time_ms,
            admitted_ms=parse_instant(entry.admitted),
            routes=routes,
        )


@contextmanager
def within(place: str) -> Iterator[None]:
    """Names the place in the file that a refusal is about."""
    try:
        yield
    except Refused as refused:
        where = place if refused.field is None else f"{place} {refused.field}"
        raise Refused(refused.code, refused.message, field=where) from refused


@contextmanager
def typed(name: str) -> Iterator[None]:
    """Turns what typed code raises on fields of another form into the refusal ``bad-schema``."""
    try:
        yield
    except _FOREIGN as error:
        raise Refused("bad-schema", f"the schema of {name[:80]} has other fields than are known here") from error
