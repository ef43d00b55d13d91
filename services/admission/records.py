"""What one transaction writes, as records: entry to the log, redacted copies to inboxes, what is kept in the quarantine. Pure.

Formats: ``services/ledger/FORMAT.md`` sections 2.3 (redaction), 4.1 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from services.admission.sequence import Admitted, Unanswerable
from services.codec.content import format_disclosure, redact
from services.codec.envelope import Headers
from services.runtime.topics import Topics

Told = Callable[[Any, Any], None]
_TRACE = "ce_traceparent"
_KEPT = frozenset(
    f"ce_{name}"
    for name in (
        *("specversion", "datacontenttype", "id", "source", "type", "subject", "time", "dataschema"),
        *("ipxagreement", "ipxaddressee", "ipxcause", "ipxcontent", "ipxsignature", "ipxsalts", "traceparent"),
    )
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be produced; ``partition`` is always given, nothing is left to a partitioner.

    ``told`` is called with (error, message) when the broker has it.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    told: Told | None = None


def log_record(event: Admitted, topic: str, told: Told | None = None) -> Outgoing:
    """The event as it stands in its log: as it came, and the entry."""
    proposed = event.checked.proposed
    headers = _attributes(event)
    headers.append(("ce_ipxentry", event.entry))
    return Outgoing(topic, proposed.partition, proposed.key, proposed.value, headers, told)


def copies(event: Admitted, log: str, topics: Topics) -> Iterator[Outgoing]:
    """One copy for each recipient, without the fields that its delivery line leaves out."""
    checked = event.checked
    redacted: dict[tuple[str, ...], tuple[bytes | None, Headers]] = {}
    for delivery in event.deliveries:
        shared = redacted.get(delivery.withheld)
        if shared is None:
            shared = redacted[delivery.withheld] = _redacted(event, delivery.withheld)
        value, headers = shared
        numbered = ("ce_ipxdelivery", f"{delivery.recipient} {log} {delivery.number}".encode())
        yield Outgoing(topics.inbox(delivery.recipient), 0, checked.proposed.key, value, [*headers, numbered])


def quarantined(kept: Unanswerable, topics: Topics) -> Outgoing:
    """The record whole, with where it came from and why it went no further."""
    origin = kept.proposed
    said = [
        ("ipx_origin", f"{origin.topic}/{origin.partition}@{origin.offset}".encode()),
        ("ipx_code", kept.code.encode()),
        ("ipx_reason", kept.reason.encode()),
    ]
    return Outgoing(topics.quarantine, 0, origin.key, origin.value, [*said, *origin.headers])


def _attributes(event: Admitted) -> Headers:
    """The attributes as they came; headers that are none, and a trace that is not of its form, are left out."""
    checked = event.checked
    return [
        header
        for header in checked.proposed.headers
        if header[0] in _KEPT and (header[0] != _TRACE or checked.trace is not None)
    ]


def _redacted(event: Admitted, withheld: tuple[str, ...]) -> tuple[bytes | None, Headers]:
    checked = event.checked
    headers = _attributes(event)
    headers.append(("ce_ipxentry", event.entry))
    if not withheld:
        return checked.proposed.value, headers
    _, parts, disclosure = redact(checked.schema, checked.value, checked.parts, checked.disclosure, withheld)
    salts = format_disclosure(checked.schema, disclosure).encode()
    shown = [(name, salts if name == "ce_ipxsalts" else data) for name, data in headers]
    frame = (checked.proposed.value or b"")[:5]
    return frame + b"".join(parts), shown
