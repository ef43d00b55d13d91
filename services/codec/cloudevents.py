"""CloudEvents 1.0 over HTTP: a request to envelopes, and an envelope to the structured JSON that inboxes hand out.

Specifications: CloudEvents HTTP protocol binding 1.0.2 and JSON event format 1.0.2, narrowed by ``services/ledger/FORMAT.md`` section
5.2. JSON data becomes the canonical Avro body here; whether the statement agrees with it is ``envelope.check_content``'s to say,
whether it is signed and allowed is admission's.
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from services.codec.envelope import (
    ATTRIBUTE_OF,
    AVRO,
    MAX_HEADER_BYTES,
    SPECVERSION,
    Envelope,
    envelope_from_attributes,
)
from services.codec.json_form import json_form
from services.codec.released import ReleasedSchemas
from services.codec.strict_json import parse_json
from services.kernel.errors import Refused

MAX_BATCH_EVENTS: Final = 10_000
JSON: Final = "application/json"
STRUCTURED_JSON: Final = "application/cloudevents+json"
BATCH_JSON: Final = "application/cloudevents-batch+json"

_OF_THE_EXCHANGE = frozenset({"ipxentry", "ipxdelivery", "ipxoutcome"})
_OF_A_SOURCE = frozenset({"specversion", "datacontenttype", "ipxsignature", "ipxsalts", "traceparent", *ATTRIBUTE_OF})
_DROPPED = frozenset({"tracestate"})
_DATA = frozenset({"data", "data_base64"})
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')

Headers = Iterable[tuple[bytes, bytes]]


class Mode(Enum):
    """How a request carries its events."""

    BINARY_AVRO = AVRO
    BINARY_JSON = JSON
    STRUCTURED = STRUCTURED_JSON
    BATCH = BATCH_JSON


def mode_of(content_type: str | None) -> Mode:
    """The mode that a content type asks for; refuses ``bad-content-type`` any other, and any parameter but UTF-8."""
    media_type, *parameters = (part.strip().lower() for part in (content_type or "").split(";"))
    if all(parameter.replace('"', "") == "charset=utf-8" for parameter in parameters):
        for mode in Mode:
            if mode.value == media_type:
                return mode
    taken = ", ".join(mode.value for mode in Mode)
    raise Refused("bad-content-type", f"expected {taken}, got {(content_type or 'none')[:80]!r}", field="content-type")


def parse_request(headers: Headers, body: bytes, released: ReleasedSchemas, *, most_bytes: int) -> list[Envelope]:
    """The envelopes of a request; header names are lower-case, as ASGI gives them.

    Refuses ``bad-content-type``, ``too-large``, ``too-many-items``, ``bad-json``, ``duplicate-key``, ``bad-number``, ``bad-field``,
    ``missing-attribute``, ``bad-attribute``, ``unreleased-schema``, ``statement-mismatch``. Of a batch the first bad event decides, its
    place before the field (``[17].time``). Not promised: that statement, signature and disclosure line have the form they need.
    """
    pairs = list(headers)
    mode = mode_of(_content_type(pairs))
    if mode is Mode.BATCH:
        envelopes = []
        for item in parse_batch(body, released, most_bytes=most_bytes):
            if isinstance(item, Refused):
                raise item
            envelopes.append(item)
        return envelopes
    if mode is Mode.STRUCTURED:
        return [_from_document(parse_json(body, most_bytes=most_bytes), released)]
    if len(body) > most_bytes:
        raise Refused("too-large", f"the body has {len(body)} bytes, {most_bytes} are allowed")
    attributes = _checked(_header_attributes(pairs), _OF_A_SOURCE)
    if mode is Mode.BINARY_JSON:
        body = _encode(attributes, parse_json(body, most_bytes=most_bytes), released)
    return [envelope_from_attributes(attributes, body)]


def parse_batch(body: bytes, released: ReleasedSchemas, *, most_bytes: int) -> list[Envelope | Refused]:
    """What each event of a batch is: its envelope, or why it is not one, its place before the field.

    Refuses the batch as a whole: ``too-large``, ``bad-json``, ``duplicate-key``, ``bad-number``, ``bad-request`` (not an array, or empty),
    ``too-many-items`` (10,000 events).
    """
    documents = parse_json(body, most_bytes=most_bytes)
    if not isinstance(documents, list) or not documents:
        raise Refused("bad-request", f"a batch is an array of 1 to {MAX_BATCH_EVENTS} events")
    if len(documents) > MAX_BATCH_EVENTS:
        raise Refused("too-many-items", f"the batch has {len(documents)} events, {MAX_BATCH_EVENTS} are allowed")
    return [_of_batch(position, document, released) for position, document in enumerate(documents)]


def envelope_to_structured(envelope: Envelope) -> dict[str, str]:
    """Structured JSON with ``data_base64``: every attribute, the exchange's included."""
    return {
        "specversion": SPECVERSION,
        "datacontenttype": AVRO,
        **envelope.attributes(),
        "data_base64": b2a_base64(envelope.body, newline=False).decode(),
    }


def envelope_from_structured(document: Any) -> Envelope:
    """Inverse of :func:`envelope_to_structured`, for who reads an inbox or the members log over HTTP.

    Refuses ``bad-request``, ``bad-attribute``, ``missing-attribute``, ``bad-content-type``.
    """
    attributes, content = _split(document, _OF_A_SOURCE | _OF_THE_EXCHANGE)
    if "data_base64" not in content or "data" in content:
        raise Refused("missing-attribute", "an event is handed out with data_base64", field="data_base64")
    return envelope_from_attributes(attributes, _avro(attributes, content["data_base64"]))


def _of_batch(position: int, document: Any, released: ReleasedSchemas) -> Envelope | Refused:
    try:
        return _from_document(document, released)
    except Refused as refused:
        place = f"[{position}]"
        field = f"{place}.{refused.field}" if refused.field else place
        return Refused(refused.code, f"{place}: {refused.message}", field=field)


def _from_document(document: Any, released: ReleasedSchemas) -> Envelope:
    attributes, content = _split(document, _OF_A_SOURCE)
    if len(content) != 1:
        raise Refused("missing-attribute", "an event has either data or data_base64", field="data")
    if "data_base64" in content:
        return envelope_from_attributes(attributes, _avro(attributes, content["data_base64"]))
    if attributes.get("datacontenttype", JSON) != JSON:
        raise Refused("bad-content-type", f"data is {JSON}, data_base64 is {AVRO}", field="datacontenttype")
    return envelope_from_attributes(attributes, _encode(attributes, content["data"], released))


def _split(document: Any, known: frozenset[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Attributes and content of a structured event; a null attribute counts as absent.

    Every attribute is ASCII by its own grammar; saying so here keeps half surrogate pairs, which JSON can spell, from all who encode.
    """
    if not isinstance(document, dict):
        raise Refused("bad-request", "a structured event is one JSON object")
    attributes: dict[str, str] = {}
    for name, held in document.items():
        if name in _DATA or held is None:
            continue
        if not isinstance(held, str) or not held.isascii():
            raise Refused("bad-attribute", f"attribute {name[:40]!r} is not a string in ASCII", field=name[:40])
        attributes[name] = held
    content = {name: document[name] for name in _DATA if document.get(name) is not None}
    return _checked(attributes, known), content


def _checked(attributes: dict[str, str], known: frozenset[str]) -> dict[str, str]:
    """The attributes that are known; refuses one that is the exchange's to write, or that nobody would read."""
    for name in attributes:
        if name not in known and name not in _DROPPED:
            why = "the exchange's to write" if name in _OF_THE_EXCHANGE else "not one that the exchange takes"
            raise Refused("bad-attribute", f"attribute {name[:40]!r} is {why}", field=name[:40])
    size = sum(map(len, attributes.values()))
    if size > MAX_HEADER_BYTES:
        raise Refused("too-large", f"the attributes have {size} characters, {MAX_HEADER_BYTES} are allowed")
    version = attributes.get("specversion")
    if version is None:
        raise Refused("missing-attribute", "attribute specversion is missing", field="specversion")
    if version != SPECVERSION:
        raise Refused("bad-attribute", f"specversion is {SPECVERSION} and nothing else", field="specversion")
    return attributes


def _avro(attributes: Mapping[str, str], text: Any) -> bytes:
    if attributes.get("datacontenttype") != AVRO:
        raise Refused("bad-content-type", f"data_base64 is {AVRO}, data is {JSON}", field="datacontenttype")
    if isinstance(text, str) and text.isascii():
        try:
            body = a2b_base64(text)
        except Base64Error:
            body = b""
        if b2a_base64(body, newline=False).decode() == text:
            return body
    raise Refused("bad-field", "data_base64 is not canonical base64", field="data_base64")


def _encode(attributes: Mapping[str, str], data: Any, released: ReleasedSchemas) -> bytes:
    digest = attributes.get("dataschema")
    if digest is None:
        raise Refused("missing-attribute", "attribute dataschema is missing", field="dataschema")
    schema = released.with_digest(digest)
    if schema.name != attributes.get("type"):
        raise Refused(
            "statement-mismatch", f"dataschema is that of {schema.name}, the type says otherwise", field="type"
        )
    return schema.encode(json_form(schema).read(data))


def _content_type(headers: list[tuple[bytes, bytes]]) -> str | None:
    found = [value for name, value in headers if name == b"content-type"]
    if len(found) > 1:
        raise Refused("bad-content-type", "the content type stands twice", field="content-type")
    return found[0].decode("latin-1") if found else None


def _header_attributes(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for name, value in headers:
        if name.startswith(b"ce-"):
            key = name[3:].decode("latin-1")
            if key in attributes:
                raise Refused("bad-attribute", f"header ce-{key[:40]} stands twice", field=key[:40])
            attributes[key] = _unescaped(value, key)
    if "datacontenttype" in attributes:
        raise Refused("bad-attribute", "in binary mode the content type says what the data is", field="datacontenttype")
    return attributes


def _unescaped(value: bytes, name: str) -> str:
    """HTTP binding section 3.1.3.2: quoted string, then one round of percent-decoding, then UTF-8."""
    text = value.decode("latin-1").strip(" \t")
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeDecodeError as error:
        raise Refused("bad-attribute", f"header ce-{name[:40]} is not UTF-8", field=name[:40]) from error
