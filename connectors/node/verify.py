"""What the node proves of a copy from its inbox before it hands anything on. Pure.

Formats: ``services/ledger/FORMAT.md``. Numbered: 1 form of envelope and entry · 2 schema released, body canonical · 3 key of the source,
valid at the statement's time by the members log of the size that the entry names · 4 signature · 5 content commitment, with what is
disclosed · 6 entry agrees with statement and signature · 7 the entry's line for me names exactly the fields that I do not
see. Then, with what the node remembers (``numbering.py``): 8 the number is the next · 9 the id is not known with another
statement. 10 only then the connector has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from services.codec.content import content_digest, parse_disclosure
from services.codec.entry import Entry, parse_entry
from services.codec.envelope import Envelope
from services.codec.numbering import Numbered, parse_numbering
from services.codec.schema import EventSchema
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import Statement, format_statement
from services.events.receipt import OutcomesRecorded
from services.kernel.errors import Refused, Transient
from services.members.registry import Registry

ADMISSION: Final = "exchange.admission"
LATEST: Final = -1
"""Instead of a size of the members log: all that has been read of it."""
SchemaOf = Callable[[str], EventSchema]
RegistryAt = Callable[[int], Registry]


class MembersBehind(Transient):
    """The entry was judged by more of the members log than the node has read: read on, then verify again."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the entry rests on {size} events of the members log")
        self.size = size


@dataclass(frozen=True, slots=True)
class Unverified:
    """A copy that did not verify: which step, the code, and a sentence without a field's value."""

    step: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Verified:
    """A copy of an event of a log, proved up to step 7."""

    envelope: Envelope
    entry: Entry
    numbered: Numbered
    withheld: tuple[str, ...]
    value: dict[str, Any]
    digest: bytes

    @property
    def statement(self) -> Statement:
        """What the source signed."""
        return self.envelope.statement


@dataclass(frozen=True, slots=True)
class VerifiedOutcomes:
    """An outcome record of admission, proved: numbers are those of the ``.in`` partition, the time is when it admitted."""

    numbered: Numbered
    value: dict[str, Any]
    time_ms: int


class Verifier:
    """Verifies copies for one participant. Remembers batch roots, so one per participant and not shared between threads."""

    def __init__(self, participant: str, schema_of: SchemaOf, registry_at: RegistryAt) -> None:
        self._participant = participant
        self._schema_of = schema_of
        self._registry_at = registry_at
        self._roots = RootCache()

    def verify(self, envelope: Envelope) -> Verified | Unverified:
        """The proved copy, or the step that failed. ``MembersBehind`` when more of the members log is needed."""
        at = [1]
        try:
            return self._copy(envelope, at)
        except Refused as error:
            return Unverified(at[0], error.code, error.message)

    def verify_outcomes(self, envelope: Envelope) -> VerifiedOutcomes | Unverified:
        """The proved outcome record: admission's own signed envelope, in no log, numbered for me."""
        at = [1]
        try:
            return self._outcomes(envelope, at)
        except Refused as error:
            return Unverified(at[0], error.code, error.message)

    def _copy(self, envelope: Envelope, at: list[int]) -> Verified:
        # (1) form of envelope and entry
        text = format_statement(envelope.statement)
        entry = parse_entry((envelope.entry or "").encode())
        numbered = parse_numbering(envelope.delivery or "")
        # (2) .. (5)
        value, withheld = self._content(envelope, text, self._registry_at(entry.members), at)
        # (6) entry agrees with statement and signature
        at[0] = 6
        if entry.statement != envelope.statement or entry.signature != envelope.signature:
            raise Refused("bad-entry", "the entry is of another statement or signature")
        # (7) the entry's line for me
        at[0] = 7
        line = entry.delivery_to(self._participant)
        if numbered.owner != self._participant or line is None or entry.log != numbered.log:
            raise Refused("bad-entry", f"the entry has no delivery to {self._participant} in {numbered.log}")
        if line.number != numbered.number:
            raise Refused("bad-entry", f"the entry numbers this copy {line.number}, the copy says {numbered.number}")
        if set(line.withheld) != set(withheld):
            raise Refused("bad-disclosure", "the copy withholds other fields than the entry says")
        return Verified(envelope, entry, numbered, withheld, value, hashlib.sha256(text).digest())

    def _outcomes(self, envelope: Envelope, at: list[int]) -> VerifiedOutcomes:
        text = format_statement(envelope.statement)
        numbered = parse_numbering(envelope.outcome or "")
        value, _withheld = self._content(envelope, text, self._registry_at(LATEST), at)
        at[0] = 6
        if envelope.statement.source != ADMISSION or envelope.statement.type != OutcomesRecorded.TYPE:
            raise Refused("not-authorised", f"outcomes are told by {ADMISSION} alone")
        at[0] = 7
        if numbered.owner != self._participant or value["log"] != numbered.log:
            raise Refused("bad-entry", f"the outcomes are not those of {self._participant} in {numbered.log}")
        return VerifiedOutcomes(numbered, value, envelope.statement.time_ms)

    def _content(
        self, envelope: Envelope, text: bytes, registry: Registry, at: list[int]
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        statement = envelope.statement
        # (2) schema released, body canonical
        at[0] = 2
        schema = self._schema_of(statement.schema)
        if schema.name != statement.type:
            raise Refused("statement-mismatch", f"type {statement.type} with the schema of {schema.name}")
        value, parts = schema.decode_parts(envelope.body)
        # (3) key of the source, valid at the statement's time
        at[0] = 3
        signature = parse_signature(envelope.signature)
        key = registry.signing_key(signature.key_id, signature.suite, statement.source, statement.time_ms)
        # (4) signature
        at[0] = 4
        if not verify(text, signature, key.public_key, self._roots):
            raise Refused("bad-signature", "the signature does not verify")
        # (5) content commitment, with what is disclosed
        at[0] = 5
        disclosure = parse_disclosure(schema, envelope.salts)
        if statement.content != f"sha256:{content_digest(schema, parts, disclosure).hex()}":
            raise Refused("statement-mismatch", "the content is not what the source committed to")
        return value, tuple(name for name in schema.restricted if name in disclosure.digests)
