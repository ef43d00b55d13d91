"""What the Kafka door makes of a record of an outbox topic. Pure.

The owner of the topic is who sends: the broker lets nobody else write there. So a record whose source is another, or of
which that cannot be said, goes no further and is kept in the quarantine; whatever is the owner's own goes to admission,
also what is wrong with it, because admission answers with a signed refusal and this door cannot sign.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.codec.envelope import MAX_HEADER_BYTES, Headers, envelope_from_record
from services.gateway.intake import Intake
from services.gateway.producing import Record
from services.kernel.errors import Refused
from services.kernel.families import family_of
from services.runtime.topics import Topics

MAX_VALUE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A record of an outbox topic, and whose it is."""

    owner: str
    origin: str
    """``<topic>/<partition>@<offset>``."""
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What is written for it; ``refused`` is why it was kept in the quarantine, None when it went to admission."""

    record: Record
    refused: Refused | None = None


def forward(sent: Sent, intake: Intake, topics: Topics, traceparent: str) -> Forwarded:
    """The record for admission, or for the quarantine. ``Transient`` while the registry has not told a schema id."""
    try:
        attributes = _attributes(sent)
        if attributes.get("ce_source") != sent.owner:
            raise Refused("forbidden", f"{sent.owner} publishes for itself alone", field="source")
        family = family_of(attributes.get("ce_type", ""))
    except Refused as refused:
        return Forwarded(_quarantined(sent, refused, topics), refused)
    try:
        _, envelope = envelope_from_record(sent.headers, sent.value)
        return Forwarded(intake.take(envelope, sent.owner, traceparent).record)
    except Refused:
        own = [(name, data) for name, data in sent.headers if name.startswith("ce_")]
        key = attributes.get("ce_subject", "").encode()
        return Forwarded(Record(topics.proposals(family), key, sent.value or b"", own))


def _attributes(sent: Sent) -> dict[str, str]:
    """The ``ce_`` headers. Refuses what would let admission see another source than this door sees: a header twice."""
    found: dict[str, str] = {}
    size = len(sent.value or b"")
    if size > MAX_VALUE_BYTES or sum(len(data or b"") for _, data in sent.headers) > MAX_HEADER_BYTES:
        raise Refused("too-large", f"the record has {size} bytes and more headers than are taken")
    for name, data in sent.headers:
        if name.startswith("ce_"):
            if name in found or not isinstance(data, bytes):
                raise Refused("undecodable", f"header {name[:40]} stands twice or is empty")
            try:
                found[name] = data.decode()
            except UnicodeDecodeError as error:
                raise Refused("undecodable", f"header {name[:40]} is not UTF-8") from error
    return found


def _quarantined(sent: Sent, refused: Refused, topics: Topics) -> Record:
    said = [
        ("ipx_origin", sent.origin.encode()),
        ("ipx_code", refused.code.encode()),
        ("ipx_reason", refused.message.encode()),
    ]
    return Record(topics.quarantine, sent.key or b"", sent.value or b"", [*said, *sent.headers])
