"""The envelope: one event as it travels, the same over Kafka and HTTP (CloudEvents 1.0, Kafka binary mode).

Value: Confluent wire format (magic byte 0, schema id in 4 bytes, canonical Avro). Attributes: ``ce_*`` headers; those
named ``ipx…`` are extensions of ours. ``services/ledger/FORMAT.md`` section 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter

from services.codec.content import Disclosure, content_digest, format_disclosure, new_disclosure, parse_disclosure
from services.codec.schema import EventSchema, Value
from services.codec.signature import sign, sign_batch
from services.codec.statement import Statement, format_statement
from services.kernel.errors import Refused
from services.kernel.ports import Entropy, Signer

MAX_HEADER_BYTES = 65_536
ATTRIBUTE_OF = {
    "id": "id",
    "source": "source",
    "type": "type",
    "subject": "subject",
    "time": "time",
    "ipxagreement": "agreement",
    "ipxaddressee": "addressee",
    "ipxcause": "cause",
    "dataschema": "schema",
    "ipxcontent": "content",
}
SPECVERSION = "1.0"
AVRO = "application/avro"
_FIXED_TEXT = (("ce_specversion", SPECVERSION), ("ce_datacontenttype", AVRO))
_lines_of = itemgetter(*ATTRIBUTE_OF)
_TRACE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_OPTIONAL = {"traceparent": "trace", "ipxentry": "entry", "ipxdelivery": "delivery", "ipxoutcome": "outcome"}

_EXPECTED = (("specversion", SPECVERSION), ("datacontenttype", AVRO))

Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Statement, signature line, canonical Avro body and disclosure line; entry, delivery, outcome where there are any."""

    statement: Statement
    signature: str
    salts: str
    body: bytes
    trace: str | None = None
    entry: str | None = None
    delivery: str | None = None
    outcome: str | None = None

    def attributes(self) -> dict[str, str]:
        """CloudEvents attributes by name, extensions included, without ``specversion`` and ``datacontenttype``."""
        found = {name: getattr(self.statement, line) for name, line in ATTRIBUTE_OF.items()}
        found |= {"ipxsignature": self.signature, "ipxsalts": self.salts}
        for name, slot in _OPTIONAL.items():
            text = getattr(self, slot)
            if text is not None:
                found[name] = text
        return found

    def headers(self) -> Headers:
        """Kafka headers."""
        return [(name, text.encode()) for name, text in self.text_headers()]

    def text_headers(self) -> tuple[tuple[str, str], ...]:
        """Kafka headers as text, which all of them are."""
        return (*_FIXED_TEXT, *[(f"ce_{name}", text) for name, text in self.attributes().items()])


def frame(schema_id: int, body: bytes) -> bytes:
    """Confluent wire format."""
    return b"\x00" + schema_id.to_bytes(4, "big") + body


def unframe(value: bytes | None) -> tuple[int, bytes]:
    """Schema id and body; refuses ``undecodable`` what is not in Confluent wire format."""
    if value is None or len(value) < 5 or value[0] != 0:
        raise Refused("undecodable", "the value is not in Confluent wire format (magic byte 0 and a schema id)")
    return int.from_bytes(value[1:5], "big"), value[5:]


def envelope_from_attributes(attributes: Mapping[str, str], body: bytes) -> Envelope:
    """An envelope from CloudEvents attributes; refuses ``missing-attribute``. Forms are checked where they are used.

    A ``traceparent`` that is not of the form of W3C Trace Context is dropped, as that specification says.
    """
    get = attributes.get
    trace = get("traceparent")
    if trace is not None and _TRACE.fullmatch(trace) is None:
        trace = None
    try:
        return Envelope(
            Statement(*_lines_of(attributes)),
            attributes["ipxsignature"],
            attributes["ipxsalts"],
            body,
            trace,
            get("ipxentry"),
            get("ipxdelivery"),
            get("ipxoutcome"),
        )
    except KeyError as error:
        name = error.args[0]
        raise Refused("missing-attribute", f"attribute {name} is missing", field=name) from error


def envelope_from_record(headers: Iterable[tuple[str, bytes]] | None, value: bytes | None) -> tuple[int, Envelope]:
    """Schema id and envelope of a Kafka record.

    Refuses ``undecodable`` bytes, ``too-large`` headers, ``missing-attribute``, ``bad-attribute`` another version or content.
    """
    schema_id, body = unframe(value)
    held = list(headers or ())
    try:
        size = sum([len(data) for _, data in held])
        attributes = {name[3:]: data.decode() for name, data in held if name[:3] == "ce_"}
    except (UnicodeDecodeError, TypeError, AttributeError) as error:
        raise Refused("undecodable", "a header is not UTF-8 text") from error
    if len(attributes) != len(held):
        _refuse_twice(name for name, _ in held if name[:3] == "ce_")
    if size > MAX_HEADER_BYTES:
        raise Refused("too-large", f"the headers have {size} bytes, {MAX_HEADER_BYTES} are allowed")
    for name, expected in _EXPECTED:
        if attributes.get(name) != expected:
            raise Refused("bad-attribute", f"{name} is {expected} and nothing else", field=name)
    return schema_id, envelope_from_attributes(attributes, body)


@dataclass(frozen=True, slots=True)
class Content:
    """What a body holds: its value, the bytes of each segment, and the disclosure that goes with it."""

    value: Value
    parts: list[bytes]
    disclosure: Disclosure


def open_content(schema: EventSchema, envelope: Envelope) -> Content:
    """The content of an envelope, after the statement was found to commit to it. The signature is not looked at.

    Refuses ``statement-mismatch`` another type, schema or content than the statement says; and what decoding refuses, and
    ``bad-disclosure``.
    """
    statement = envelope.statement
    if statement.type != schema.name or statement.schema != schema.digest_text:
        raise Refused(
            "statement-mismatch",
            f"the statement is of another schema than {schema.name} {schema.digest_text}",
            field="type",
        )
    value, parts = schema.decode_parts(envelope.body)
    disclosure = parse_disclosure(schema, envelope.salts)
    digest = f"sha256:{content_digest(schema, parts, disclosure).hex()}"
    if digest != statement.content:
        raise Refused(
            "statement-mismatch", f"the content is {digest}, the statement says otherwise", field="ipxcontent"
        )
    return Content(value, parts, disclosure)


def check_content(schema: EventSchema, envelope: Envelope) -> Value:
    """The value of an envelope whose statement commits to it; refuses as :func:`open_content` does."""
    return open_content(schema, envelope).value


def _refuse_twice(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Refused("undecodable", f"header {name} stands twice")
        seen.add(name)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a source says before it signs: everything of the statement but schema and content, which follow."""

    id: str
    source: str
    subject: str
    time: str
    agreement: str = "-"
    addressee: str = "-"
    cause: str = "-"
    trace: str | None = None


def prepare(
    schema: EventSchema, value: Value, draft: Draft, disclosure: Disclosure, parts: list[bytes] | None = None
) -> tuple[bytes, Envelope]:
    """Statement bytes and an envelope that lacks only its signature; ``parts`` spares the encoding of a value that is encoded.

    Refuses ``bad-field``, ``too-large`` and ``too-many-items`` (the value), ``bad-attribute`` (the draft), ``bad-disclosure``.
    """
    parts = schema.encode_parts(value) if parts is None else parts
    statement = Statement(
        id=draft.id,
        source=draft.source,
        type=schema.name,
        subject=draft.subject,
        time=draft.time,
        agreement=draft.agreement,
        addressee=draft.addressee,
        cause=draft.cause,
        schema=schema.digest_text,
        content=f"sha256:{content_digest(schema, parts, disclosure).hex()}",
    )
    salts = format_disclosure(schema, disclosure)
    return format_statement(statement), Envelope(statement, "", salts, b"".join(parts), trace=draft.trace)


def seal(schema: EventSchema, value: Value, draft: Draft, signer: Signer, entropy: Entropy) -> Envelope:
    """A signed envelope with fresh salts."""
    data, envelope = prepare(schema, value, draft, new_disclosure(schema, entropy))
    return replace(envelope, signature=sign(data, signer))


def seal_batch(items: Iterable[tuple[EventSchema, Value, Draft]], signer: Signer, entropy: Entropy) -> list[Envelope]:
    """Signed envelopes that all rest on one signature."""
    prepared = [prepare(schema, value, draft, new_disclosure(schema, entropy)) for schema, value, draft in items]
    lines = sign_batch([data for data, _ in prepared], signer)
    return [replace(envelope, signature=line) for (_, envelope), line in zip(prepared, lines, strict=True)]
