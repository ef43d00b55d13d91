"""What one transaction writes, as records: entry to the log, redacted copies to inboxes, what is kept in the quarantine. Pure.

Formats: ``services/ledger/FORMAT.md`` sections 2.3 (redaction), 4.1 and 5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from services.admission.proposal import Checked
from services.admission.sequence import Admitted, Unanswerable
from services.codec.content import withhold
from services.codec.envelope import Headers
from services.runtime.topics import Topics

Told = Callable[[Any, Any], None]
_TRACE = "ce_traceparent"
_SALTS = "ce_ipxsalts"
_KEPT = frozenset(
    f"ce_{name}"
    for name in (
        *("specversion", "datacontenttype", "id", "source", "type", "subject", "time", "dataschema"),
        *("ipxagreement", "ipxaddressee", "ipxcause", "ipxcontent", "ipxsignature", "ipxsalts", "traceparent"),
    )
)


class Outgoing(NamedTuple):
    """A record to be produced; ``partition`` is always given, nothing is left to a partitioner.

    ``told`` is called with (error, message) when the broker has it.
    """

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    told: Told | None = None


def written(event: Admitted, log_topic: str, log: str, topics: Topics, told: Told | None = None) -> list[Outgoing]:
    """The event as it stands in its log, first, then one copy for each recipient without what its delivery line leaves out."""
    checked = event.checked
    proposed = checked.proposed
    headers = _attributes(checked)
    headers.append(("ce_ipxentry", event.entry))
    records = [Outgoing(log_topic, proposed.partition, proposed.key, proposed.value, headers, told)]
    redacted: dict[tuple[str, ...], tuple[bytes | None, Headers]] = {}
    for delivery in event.deliveries:
        shared = redacted.get(delivery.withheld)
        if shared is None:
            shared = redacted[delivery.withheld] = _redacted(checked, headers, delivery.withheld)
        value, shown = shared
        numbered = ("ce_ipxdelivery", f"{delivery.recipient} {log} {delivery.number}".encode())
        records.append(Outgoing(topics.inbox(delivery.recipient), 0, proposed.key, value, [*shown, numbered]))
    return records


def quarantined(kept: Unanswerable, topics: Topics) -> Outgoing:
    """The record whole, with where it came from and why it went no further."""
    origin = kept.proposed
    said = [
        ("ipx_origin", f"{origin.topic}/{origin.partition}@{origin.offset}".encode()),
        ("ipx_code", kept.code.encode()),
        ("ipx_reason", kept.reason.encode()),
    ]
    return Outgoing(topics.quarantine, 0, origin.key, origin.value, [*said, *origin.headers])


def _attributes(checked: Checked) -> Headers:
    """The attributes as they came; headers that are none, and a trace that is not of its form, are left out."""
    found = [header for header in checked.proposed.headers if header[0] in _KEPT]
    return found if checked.trace is not None else [header for header in found if header[0] != _TRACE]


def _redacted(checked: Checked, headers: Headers, withheld: tuple[str, ...]) -> tuple[bytes | None, Headers]:
    if not withheld:
        return checked.proposed.value, headers
    body, line = withhold(checked.schema, checked.parts, checked.salts, checked.digests, withheld)
    salts = line.encode()
    shown = [header if header[0] != _SALTS else (_SALTS, salts) for header in headers]
    return (checked.proposed.value or b"")[:5] + body, shown
