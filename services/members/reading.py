"""One record of the members log, verified: what every reader of ``ipx.members`` does before it believes a record.

Implements design sections 3 and 4; the formats are those of ``services/ledger/FORMAT.md``. Pure.

Numbered steps: 1 entry read, and it is the next of this log · 2 entry and attributes agree · 3 schema known, body canonical ·
4 content commitment · 5 key of the source at that time · 6 signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from services.codec.content import content_digest, parse_disclosure
from services.codec.entry import Entry, parse_entry
from services.codec.envelope import Envelope
from services.codec.keys import PublicKey
from services.codec.schema import EventSchema
from services.codec.signature import RootCache, Signature, parse_signature, verify
from services.codec.statement import format_statement
from services.events import EVENT_TYPES, from_value
from services.events.member import ExchangeFounded, MemberEvent
from services.kernel.errors import Corrupt, Refused
from services.members.registry import Registry

SchemaOf = Callable[[str], EventSchema]
"""The released schema with that digest (``sha256:<hex>``); refuses one that is not known."""


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """A verified record: as it travelled, its entry, the typed event, the digest of its body."""

    envelope: Envelope
    entry: Entry
    event: MemberEvent
    body_digest: str


def body_digest(body: bytes) -> str:
    """``sha256:<hex>`` of a canonical body: what the signatories of a proposed agreement refer to."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def read_member(
    registry: Registry, envelope: Envelope, *, log: str, schema_of: SchemaOf, root: PublicKey, roots: RootCache
) -> MemberRecord:
    """The next record of the members log after ``registry``; ``Corrupt`` when anything about it is not as proved.

    ``log`` is its topic and partition (``ipx.members/0``). Does not judge again whether it was authorised.
    """
    try:
        return _read(registry, envelope, log, schema_of, root, roots)
    except Refused as error:
        raise Corrupt(f"{log} seq {registry.size}: {error.code}: {error.message}") from error


def _read(
    registry: Registry, envelope: Envelope, log: str, schema_of: SchemaOf, root: PublicKey, roots: RootCache
) -> MemberRecord:
    # (1) entry read, and it is the next of this log
    entry = parse_entry((envelope.entry or "").encode())
    if (entry.log, entry.seq, entry.members) != (log, registry.size, registry.size):
        raise Corrupt(f"{log}: expected seq {registry.size}, found {entry.log} seq {entry.seq} members {entry.members}")
    # (2) entry and attributes agree
    statement = envelope.statement
    if entry.statement != statement or entry.signature != envelope.signature:
        raise Corrupt(f"{log} seq {entry.seq}: the entry is of another statement than the attributes")
    # (3) schema known, body canonical
    schema = schema_of(statement.schema)
    value, parts = schema.decode_parts(envelope.body)
    if schema.name != statement.type or schema.name not in EVENT_TYPES:
        raise Corrupt(f"{log} seq {entry.seq}: {statement.type} with the schema of {schema.name}")
    # (4) content commitment
    digest = content_digest(schema, parts, parse_disclosure(schema, envelope.salts))
    if statement.content != f"sha256:{digest.hex()}":
        raise Corrupt(f"{log} seq {entry.seq}: the content is not what the source committed to")
    # (5) key of the source at that time
    event = cast("MemberEvent", from_value(schema.name, value))
    signature = parse_signature(envelope.signature)
    public = _public_key(registry, event, signature, statement.source, statement.time_ms, root)
    # (6) signature
    if not verify(format_statement(statement), signature, public, roots):
        raise Corrupt(f"{log} seq {entry.seq}: the signature does not verify")
    return MemberRecord(envelope, entry, event, body_digest(envelope.body))


def _public_key(
    registry: Registry, event: MemberEvent, signature: Signature, source: str, time_ms: int, root: PublicKey
) -> bytes:
    key_id = signature.key_id
    if isinstance(event, ExchangeFounded):
        if (key_id, event.public_key, source) != (root.key_id, root.data, root.participant):
            raise Corrupt(f"the exchange was founded with key {key_id}, the root key is {root.key_id}")
        return root.data
    return registry.signing_key(key_id, signature.suite, source, time_ms).public_key
