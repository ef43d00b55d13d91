"""One released Avro record schema, compiled once: guarded decoding, canonical encoding, the segments a commitment needs.

Source: Apache Avro 1.12 binary encoding; RFC 8785 for the schema digest; design section 6 (guarded decoding): fastavro
dies on deeply recursive values, eats memory on arrays of empty items and takes over-long varints, so a schema may have
neither (``services/codec/lint.py``), sizes are capped before decoding, and bytes that are not what re-encoding gives are
refused. Nothing else in the project decodes Avro.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

import fastavro
import rfc8785

from services.kernel.errors import Refused

MAX_BODY_BYTES = 262_144
MAX_ITEMS = 10_000

Value = dict[str, Any]
_FOREIGN = (EOFError, ValueError, IndexError, TypeError, KeyError, OverflowError, AttributeError, StopIteration)


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of neighbouring open fields, or one restricted field; ``parsed`` is a record of just those fields."""

    restricted: str | None
    parsed: Any


@dataclass(frozen=True, slots=True, eq=False)
class EventSchema:
    """A compiled schema. ``digest`` is SHA-256 of the RFC 8785 form; ``restricted`` keeps the order of the fields."""

    name: str
    json: dict[str, Any]
    digest: bytes
    digest_text: str
    fields: tuple[str, ...]
    restricted: tuple[str, ...]
    has_arrays: bool
    parsed: Any
    segments: tuple[Segment, ...]

    def decode(self, body: bytes) -> Value:
        """The value of a canonical body. Refuses ``too-large``, ``undecodable``, ``not-canonical``, ``too-many-items``.

        Promises that memory stays within a small multiple of the body, whatever the bytes are.
        """
        return self.decode_parts(body)[0]

    def decode_parts(self, body: bytes) -> tuple[Value, list[bytes]]:
        """Like :meth:`decode`, and the canonical bytes of each segment in order: what a commitment hashes."""
        if len(body) > MAX_BODY_BYTES:
            raise Refused("too-large", f"the body has {len(body)} bytes, {MAX_BODY_BYTES} are allowed")
        try:
            value: Value = fastavro.schemaless_reader(io.BytesIO(body), self.parsed, None)
        except _FOREIGN as error:
            raise Refused("undecodable", f"the body is not an Avro {self.name}: {type(error).__name__}") from error
        if self.has_arrays:
            _count_items(value)
        parts = self.encode_parts(value)
        if b"".join(parts) != body:
            raise Refused("not-canonical", f"the body decodes as {self.name} but is not its one canonical encoding")
        return value, parts

    def encode(self, value: Value) -> bytes:
        """The canonical body. Refuses ``bad-field`` when the value is not of this schema, ``too-large`` past the cap."""
        body = b"".join(self.encode_parts(value))
        if len(body) > MAX_BODY_BYTES:
            raise Refused("too-large", f"the body would have {len(body)} bytes, {MAX_BODY_BYTES} are allowed")
        return body

    def encode_parts(self, value: Value) -> list[bytes]:
        """Canonical bytes of each segment in order; joined they are the body."""
        parts = []
        try:
            for segment in self.segments:
                out = io.BytesIO()
                fastavro.schemaless_writer(out, segment.parsed, value)
                parts.append(out.getvalue())
        except _FOREIGN as error:
            raise Refused("bad-field", f"the value is not a {self.name}: {error}"[:300]) from error
        return parts


def _count_items(value: Any) -> int:
    total = 0
    if isinstance(value, dict):
        for item in value.values():
            if isinstance(item, dict | list):
                total += _count_items(item)
    elif isinstance(value, list):
        total = len(value)
        if total <= MAX_ITEMS:
            for item in value:
                if isinstance(item, dict | list):
                    total += _count_items(item)
    if total > MAX_ITEMS:
        raise Refused("too-many-items", f"the body has {total} array items or more, {MAX_ITEMS} are allowed")
    return total


def schema_digest(document: dict[str, Any]) -> bytes:
    """SHA-256 of the RFC 8785 (JSON Canonicalization Scheme) form of a schema."""
    return hashlib.sha256(rfc8785.dumps(document)).digest()


def compile_schema(text: str | bytes) -> EventSchema:
    """Compiles a record schema; refuses ``bad-schema`` what is not one. Linting is the caller's (``lint.py``)."""
    try:
        document = json.loads(text)
        parsed = fastavro.parse_schema(document)
        name = f"{document['namespace']}.{document['name']}"
        fields = document["fields"]
    except (*_FOREIGN, fastavro.schema.SchemaParseException, fastavro.schema.UnknownType) as error:
        raise Refused("bad-schema", f"not an Avro record schema: {error}"[:300]) from error
    digest = schema_digest(document)
    restricted = tuple(f["name"] for f in fields if f.get("ipx.disclosure") == "restricted")
    return EventSchema(
        name=name,
        json=document,
        digest=digest,
        digest_text=f"sha256:{digest.hex()}",
        fields=tuple(f["name"] for f in fields),
        restricted=restricted,
        has_arrays='"array"' in json.dumps(document) or '"map"' in json.dumps(document),
        parsed=parsed,
        segments=_segments(document, frozenset(restricted)),
    )


def _segments(document: dict[str, Any], restricted: frozenset[str]) -> tuple[Segment, ...]:
    runs: list[tuple[str | None, list[Any]]] = []
    for field in document["fields"]:
        name = field["name"] if field["name"] in restricted else None
        if name is None and runs and runs[-1][0] is None:
            runs[-1][1].append(field)
        else:
            runs.append((name, [field]))
    named = _named_types(document)
    segments = []
    for name, fields in runs:
        part = {**document, "fields": fields}
        segments.append(
            Segment(name, fastavro.parse_schema(_self_contained(part, named, set(), document["namespace"])))
        )
    return tuple(segments)


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name else f"{namespace}.{name}"


def _named_types(node: Any, namespace: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(node, dict):
        namespace = node.get("namespace", namespace)
        if node.get("type") in ("record", "enum", "fixed"):
            found[_full_name(node["name"], namespace)] = node
        for child in node.values():
            found |= _named_types(child, namespace)
    elif isinstance(node, list):
        for child in node:
            found |= _named_types(child, namespace)
    return found


def _self_contained(node: Any, named: dict[str, Any], seen: set[str], namespace: str) -> Any:
    """The same schema in which the first mention of each named type is its definition, so that it stands alone."""
    if isinstance(node, str):
        full = _full_name(node, namespace)
        return _self_contained(named[full], named, seen, namespace) if full in named and full not in seen else node
    if isinstance(node, list):
        return [_self_contained(child, named, seen, namespace) for child in node]
    kind = node.get("type")
    if kind in ("record", "enum", "fixed"):
        namespace = node.get("namespace", namespace)
        seen.add(_full_name(node["name"], namespace))
    result = dict(node)
    if kind == "record":
        result["fields"] = [{**f, "type": _self_contained(f["type"], named, seen, namespace)} for f in node["fields"]]
    elif kind == "array":
        result["items"] = _self_contained(node["items"], named, seen, namespace)
    elif kind == "map":
        result["values"] = _self_contained(node["values"], named, seen, namespace)
    elif isinstance(kind, dict | list):
        result["type"] = _self_contained(kind, named, seen, namespace)
    return result
