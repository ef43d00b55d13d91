"""Steps 1 to 3 of admission: from the bytes of a record to a statement that its content bears out. Pure but for schema ids.

(1) decode: frame, headers, attributes, canonical body · (2) schema known and released, of the type and family that is named ·
(3) statement rebuilt from headers and content, compared. Formats: ``services/ledger/FORMAT.md`` sections 1, 2 and 5.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

from services.admission.partitioning import partition_of
from services.admission.proposal import Checked, Proposed
from services.codec.content import commitment, parse_disclosure
from services.codec.envelope import Envelope, envelope_from_record
from services.codec.schema import EventSchema
from services.codec.statement import format_statement
from services.kernel.errors import Refused
from services.kernel.families import family_of
from services.runtime.faults import reach

_NOT_THE_SOURCES = ("entry", "delivery", "outcome")


class Schemas(Protocol):
    """Where released schemas are found by their id in the registry."""

    def with_id(self, schema_id: int) -> EventSchema:
        """Refuses ``unknown-schema`` and ``unreleased-schema``; ``Transient`` while an id cannot be asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """One ``.in`` topic: the family it takes, and into how many partitions its subjects fall."""

    family: str
    partitions: int


def check(proposed: Proposed, door: Door, schemas: Schemas) -> Checked:
    """The statement and the content of a record; refuses with the code of the step that fails.

    Does not say who signed it, nor whether the source may say it.
    """
    # (1) decode
    reach("admission.step1")
    schema_id, envelope = envelope_from_record(proposed.headers, proposed.value)
    # (2) schema known and released, of the type and family that is named
    reach("admission.step2")
    schema = schemas.with_id(schema_id)
    _is_of_type_and_family(schema, envelope, door)
    value, parts = schema.decode_parts(envelope.body)
    # (3) statement rebuilt from headers and content, compared
    reach("admission.step3")
    _says_only_what_a_source_may(envelope)
    statement = envelope.statement
    text = format_statement(statement)
    time_ms = statement.time_ms
    _lies_where_its_subject_does(proposed, statement.subject, door)
    disclosure = parse_disclosure(schema, envelope.salts)
    if disclosure.digests:
        raise Refused("bad-disclosure", "a source discloses every restricted field to the exchange", field="ipxsalts")
    content, digests = commitment(schema, parts, disclosure)
    if statement.content != f"sha256:{content.hex()}":
        found = f"sha256:{content.hex()}"
        raise Refused("statement-mismatch", f"the content is {found}, the statement says otherwise", field="ipxcontent")
    return Checked(
        proposed,
        schema,
        statement,
        text,
        hashlib.sha256(text).digest(),
        time_ms,
        envelope.signature,
        envelope.body,
        value,
        parts,
        envelope.salts,
        digests,
        envelope.trace,
    )


def _is_of_type_and_family(schema: EventSchema, envelope: Envelope, door: Door) -> None:
    statement = envelope.statement
    if statement.type != schema.name:
        raise Refused("statement-mismatch", f"the body is a {schema.name}, the type says otherwise", field="type")
    if statement.schema != schema.digest_text:
        raise Refused("statement-mismatch", f"the schema of the body is {schema.digest_text}", field="dataschema")
    if family_of(schema.name) != door.family:
        raise Refused("bad-attribute", f"{schema.name} is not of the family {door.family} of this topic", field="type")


def _says_only_what_a_source_may(envelope: Envelope) -> None:
    for name in _NOT_THE_SOURCES:
        if getattr(envelope, name) is not None:
            raise Refused("bad-attribute", f"ipx{name} is the exchange's to write", field=f"ipx{name}")


def _lies_where_its_subject_does(proposed: Proposed, subject: str, door: Door) -> None:
    key = subject.encode()
    if proposed.key != key:
        raise Refused("bad-attribute", "the key of the record is not its subject", field="subject")
    expected = partition_of(key, door.partitions)
    if proposed.partition != expected:
        raise Refused(
            "bad-attribute", f"the subject belongs into partition {expected}, not {proposed.partition}", field="subject"
        )
