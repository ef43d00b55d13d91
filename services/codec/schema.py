"""One released Avro record schema, compiled once: guarded decoding, canonical encoding, the parts a commitment needs.

Source: Apache Avro 1.12 binary encoding; RFC 8785 for the schema digest; ``services/ledger/FORMAT.md`` section 2.1. fastavro checks
schemas and writes; ``reader.py`` reads, and takes canonical bytes only. Nothing else in the project decodes Avro.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import dataclass
from typing import Any

import fastavro
import rfc8785

from services.codec.reader import MAX_ITEMS, Fields, compile_fields, read_fields
from services.kernel.errors import Refused

MAX_BODY_BYTES = 262_144

Value = dict[str, Any]
_FOREIGN = (EOFError, ValueError, IndexError, TypeError, KeyError, OverflowError, AttributeError, RecursionError)
_FIELD_OF_ERROR = re.compile(r"on field (\w{1,100})$|^Field (\w{1,100}) is specified", re.ASCII)
_BAD_SCHEMA = (
    *_FOREIGN,
    fastavro.schema.SchemaParseException,
    fastavro.schema.UnknownType,
    rfc8785.CanonicalizationError,
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of neighbouring open fields, or one restricted field, which is named."""

    restricted: str | None
    fields: Fields


@dataclass(frozen=True, slots=True, eq=False)
class EventSchema:
    """A compiled schema. ``digest`` is SHA-256 of the RFC 8785 form; ``restricted`` keeps the order of the fields."""

    name: str
    json: dict[str, Any]
    digest: bytes
    digest_text: str
    fields: tuple[str, ...]
    restricted: tuple[str, ...]
    parsed: Any
    segments: tuple[Segment, ...]

    def decode(self, body: bytes) -> Value:
        """The value of a canonical body. Refuses ``too-large``, ``undecodable``, ``not-canonical``, ``too-many-items``.

        Promises that memory stays within a small multiple of the body, whatever the bytes are. Logical types stay numbers.
        """
        return self.decode_parts(body)[0]

    def decode_parts(self, body: bytes) -> tuple[Value, list[bytes]]:
        """Like :meth:`decode`, and the bytes of each segment in order: what a commitment hashes."""
        size = len(body)
        if size > MAX_BODY_BYTES:
            raise Refused("too-large", f"the body has {size} bytes, {MAX_BODY_BYTES} are allowed")
        value: Value = {}
        parts = []
        end = 0
        room = [MAX_ITEMS]
        try:
            for segment in self.segments:
                start, end = end, read_fields(segment.fields, body, end, room, value)
                parts.append(body[start:end])
        except IndexError as error:
            raise Refused("undecodable", f"the body ends within the {self.name}") from error
        except UnicodeDecodeError as error:
            raise Refused("undecodable", f"a text of the {self.name} is not UTF-8") from error
        if end > size:
            raise Refused("undecodable", f"the body ends within the {self.name}")
        if end < size:
            raise Refused("not-canonical", f"{size - end} bytes follow the {self.name}")
        return value, parts

    def split(self, body: bytes) -> list[bytes]:
        """The bytes of each segment of a canonical body; refuses as :meth:`decode` does. For who needs no value."""
        return self.decode_parts(body)[1]

    def encode(self, value: Value) -> bytes:
        """The canonical body. Refuses ``bad-field`` what is not a value of this schema, ``too-large``, ``too-many-items``.

        Every field must be there, also one with a default, and no other.
        """
        return b"".join(self.encode_parts(value))

    def encode_parts(self, value: Value, *, is_our_own: bool = False) -> list[bytes]:
        """Canonical bytes of each segment in order; joined they are the body. Refuses as :meth:`encode` does.

        A value of a schema without restricted fields that ``is_our_own``, made by code whose types are checked, is not read back.
        """
        out = io.BytesIO()
        try:
            fastavro.schemaless_writer(out, self.parsed, value, strict=True, disable_tuple_notation=True)
            if is_our_own and not self.restricted and out.tell() <= MAX_BODY_BYTES:
                return [out.getvalue()]
            read, parts = self.decode_parts(out.getvalue())
        except _FOREIGN as error:
            # the text of a foreign error holds the value, which may be personal: neither repeated nor chained
            found = _FIELD_OF_ERROR.search(str(error))
            name = found and (found[1] or found[2])
            where = f" in field {name}" if name else ""
            message = f"the value is not a {self.name}: {type(error).__name__}{where}"
            raise Refused("bad-field", message, field=name) from None
        except Refused as refused:
            if refused.code in ("undecodable", "not-canonical"):
                raise Refused("bad-field", f"the value is not a {self.name}: {refused.message}") from refused
            raise
        if read != value:
            # the writer takes 1.5 for an int and "no" for true: what it made of the value must be the value
            raise Refused("bad-field", f"the value is not a {self.name}: a number, boolean or array is of another type")
        return parts


def schema_digest(document: dict[str, Any]) -> bytes:
    """SHA-256 of the RFC 8785 (JSON Canonicalization Scheme) form of a schema."""
    return hashlib.sha256(rfc8785.dumps(document)).digest()


def compile_schema(text: str | bytes) -> EventSchema:
    """Compiles a record schema; refuses ``bad-schema`` what is not one, or cannot be guarded (``guard.compile_fields``).

    Not promised: that it is good to release, which is the lint's to say (``lint.py``).
    """
    try:
        document = json.loads(text)
        fastavro.parse_schema(document)
        if document["type"] != "record":
            raise Refused("bad-schema", "an event is an Avro record")
        fields = compile_fields(document)
        digest = schema_digest(document)
        names = tuple(field["name"] for field in document["fields"])
        restricted = tuple(field["name"] for field in document["fields"] if _is_restricted(field))
        if json.dumps(document).count('"ipx.disclosure": "restricted"') != len(restricted):
            raise Refused(
                "bad-schema", "only a field of the event itself can be restricted, not one of a nested record"
            )
        return EventSchema(
            name=f"{document['namespace']}.{document['name']}",
            json=document,
            digest=digest,
            digest_text=f"sha256:{digest.hex()}",
            fields=names,
            restricted=restricted,
            parsed=fastavro.parse_schema(_bare(document)),
            segments=_segments(names, fields, frozenset(restricted)),
        )
    except _BAD_SCHEMA as error:
        raise Refused("bad-schema", f"not an Avro record schema: {error}"[:300]) from error


def _is_restricted(field: dict[str, Any]) -> bool:
    disclosure = field.get("ipx.disclosure", "open")
    if disclosure not in ("open", "restricted"):
        raise Refused("bad-schema", f"field {field['name']}: ipx.disclosure is open or restricted, got {disclosure!r}")
    if disclosure == "open":
        return False
    if not isinstance(field["type"], list) or field.get("default", "none") is not None:
        raise Refused("bad-schema", f'field {field["name"]} is restricted: its type is ["null", T], its default null')
    return True


def _segments(names: tuple[str, ...], fields: Fields, restricted: frozenset[str]) -> tuple[Segment, ...]:
    runs: list[tuple[str | None, list[Any]]] = []
    for name, field in zip(names, fields, strict=True):
        own = name if name in restricted else None
        if own is None and runs and runs[-1][0] is None:
            runs[-1][1].append(field)
        else:
            runs.append((own, [field]))
    return tuple(Segment(own, tuple(run)) for own, run in runs)


def _bare(node: Any) -> Any:
    """The schema as fastavro gets it: without logical types, which it would turn into datetimes, and without our attributes."""
    if isinstance(node, list):
        return [_bare(child) for child in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: child for key, child in node.items() if key not in ("doc", "logicalType") and not key.startswith("ipx.")
    }
    if kept.keys() == {"type"}:
        return _bare(kept["type"])
    return {key: child if key in ("default", "symbols") else _bare(child) for key, child in kept.items()}
