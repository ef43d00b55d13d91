"""What both doors check of an event before it is handed to admission, and the record they hand over. Pure.

The doors refuse what is certain and cheap to see, so that a client learns of it in its reply; everything that needs the
log, a signature check or the agreements is admission's, which checks these things again as well.

Numbered steps: 1 the source is the one who sends · 2 nothing is said that only the exchange may say · 3 family and schema
known · 4 form of the statement and of the signature line · 5 body canonical, and what the statement commits to.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Protocol

from services.codec.envelope import MAX_HEADER_BYTES, Envelope, frame, open_content
from services.codec.released import ReleasedSchemas
from services.codec.schema import EventSchema
from services.codec.signature import parse_signature
from services.codec.statement import format_statement
from services.gateway.producing import Record
from services.gateway.waits import Awaited
from services.kernel.errors import Refused
from services.kernel.families import family_of
from services.runtime.topics import Topics

_NOT_THE_SOURCES = ("entry", "delivery", "outcome")


class Ids(Protocol):
    """Ids of released schemas in the registry."""

    def id_of(self, schema: EventSchema) -> int:
        """The id; ``Transient`` as long as it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """An event that is handed to admission: the record, and by what its outcome is recognised."""

    family: str
    record: Record
    awaited: Awaited


class Intake:
    """The checks, over the released schemas of one exchange."""

    def __init__(self, released: ReleasedSchemas, ids: Ids, topics: Topics) -> None:
        self._released = released
        self._ids = ids
        self._topics = topics

    def take(self, envelope: Envelope, sender: str, traceparent: str) -> Taken:
        """The record for an event that ``sender`` hands in; the trace is the event's own, or else ``traceparent``.

        Refuses ``forbidden``, ``bad-attribute``, ``unknown-schema``, ``unreleased-schema``, ``statement-mismatch``,
        ``bad-signature``, ``unknown-suite``, ``too-large``, ``too-many-items``, ``undecodable``, ``not-canonical``,
        ``bad-disclosure``.
        ``Transient`` while the registry has not told the id of the schema.
        """
        statement = envelope.statement
        # (1) the source is the one who sends
        if statement.source != sender:
            raise Refused(
                "forbidden",
                f"{sender} publishes for itself alone, the source is {statement.source[:80]}",
                field="source",
            )
        # (2) nothing is said that only the exchange may say
        for name in _NOT_THE_SOURCES:
            if getattr(envelope, name) is not None:
                raise Refused("bad-attribute", f"ipx{name} is the exchange's to write", field=f"ipx{name}")
        # (3) family and schema known
        family = family_of(statement.type)
        schema = self._released.with_digest(statement.schema)
        # (4) form of the statement and of the signature line
        text = format_statement(statement)
        parse_signature(envelope.signature)
        # (5) body canonical, and what the statement commits to
        open_content(schema, envelope)
        record = Record(
            self._topics.proposals(family),
            statement.subject.encode(),
            frame(self._ids.id_of(schema), envelope.body),
            _headers(envelope, traceparent),
        )
        digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
        return Taken(family, record, Awaited(statement.source, statement.id, digest))


def _headers(envelope: Envelope, traceparent: str) -> list[tuple[str, bytes]]:
    headers = (envelope if envelope.trace is not None else replace(envelope, trace=traceparent)).headers()
    if sum(len(data) for _, data in headers) > MAX_HEADER_BYTES:
        raise Refused("too-large", f"the attributes of an event may have {MAX_HEADER_BYTES} bytes")
    return headers
