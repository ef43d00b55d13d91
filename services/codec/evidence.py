"""Evidence files: one event with everything that proves it, as text that people read and of which no byte is free.

Specification: ``services/ledger/FORMAT.md`` section 6.6. Parser and formatter are inverses of one another. What the parts say is
for ``services/verifier`` to check; here is only their form.
"""

from __future__ import annotations

import hashlib
import json
from binascii import Error as BadBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import rfc8785

from services.codec.note import Note, NoteSignature, format_note, parse_note
from services.codec.strict_json import parse_json
from services.codec.tlog_proof import MAX_PATH, TlogProof, format_proof, parse_proof
from services.kernel.errors import Refused

FORMAT: Final = "ipx-evidence/v1"
MAX_EVIDENCE_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64
MAX_STAMP_BYTES: Final = 65_536
_HASH: Final = 32


@dataclass(frozen=True, slots=True)
class MemberEvidence:
    """A record of the members log: its entry, its body and disclosure line, and the path from it to the root of the members checkpoint."""

    entry: bytes
    body: bytes
    disclosure: str
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """An evidence file. ``schemas`` holds the RFC 8785 form of each schema by its digest, ``stamp`` a token of RFC 3161."""

    entry: bytes
    body: bytes
    disclosure: str
    proof: TlogProof
    members_checkpoint: Note
    members: tuple[MemberEvidence, ...]
    schemas: Mapping[str, bytes]
    stamp: bytes | None = None


def digest_of(text: bytes) -> str:
    """``sha256:<hex>`` of the RFC 8785 form of a schema: what statements name it by."""
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def in_order(note: Note) -> Note:
    """The note with its lines in the order of evidence files: that of the log first, then by name and key."""
    name = note.text.partition(b"\n")[0].decode("latin-1")
    return replace(note, signatures=tuple(sorted(note.signatures, key=lambda line: _rank(line, name))))


def _rank(line: NoteSignature, origin: str) -> tuple[bool, str, bytes]:
    return line.name != origin, line.name, line.key_hash


def format_evidence(evidence: Evidence) -> bytes:
    """The bytes of the file. Refuses ``bad-evidence`` what the parser would not take, ``too-large`` what is over the bound."""
    records = [_record(record) for record in evidence.members]
    schemas = [evidence.schemas[digest].decode() for digest in sorted(evidence.schemas)]
    event = [
        ("entry", _lines(evidence.entry, 2)),
        ("body", _base64(evidence.body)),
        ("disclosure", _text(evidence.disclosure)),
        ("proof", _lines(format_proof(evidence.proof), 2)),
    ]
    members = [
        ("checkpoint", _lines(format_note(evidence.members_checkpoint), 2)),
        ("records", _array(records, 2)),
    ]
    text = _object(
        [
            ("format", _text(FORMAT)),
            ("event", _object(event, 1)),
            ("members", _object(members, 1)),
            ("schemas", _array(schemas, 1)),
            ("stamp", "null" if evidence.stamp is None else _base64(evidence.stamp)),
        ],
        0,
    )
    data = _encoded(f"{text}\n")
    if len(data) > MAX_EVIDENCE_BYTES:
        raise Refused("too-large", f"the evidence has {len(data)} bytes, {MAX_EVIDENCE_BYTES} are allowed")
    for place, note in (("event.proof", evidence.proof.note), ("members.checkpoint", evidence.members_checkpoint)):
        if in_order(note) != note:
            raise _refuse("the signature lines stand in order: the log, then by name and key", place)
    return data


def parse_evidence(data: bytes) -> Evidence:
    """Inverse of :func:`format_evidence`; refuses, naming the place, anything that it would not write.

    ``too-large``, ``bad-json``, ``duplicate-key``, ``bad-number``, ``bad-evidence``, ``bad-proof``, ``bad-note``, ``bad-checkpoint``.
    Memory stays within a small multiple of the bound, whatever the bytes are.
    """
    document = _members_of(
        parse_json(data, most_bytes=MAX_EVIDENCE_BYTES, most_depth=MAX_DEPTH),
        ("format", "event", "members", "schemas", "stamp"),
        "",
    )
    if document["format"] != FORMAT:
        raise _refuse(f"the format is {FORMAT}", "format")
    event = _members_of(document["event"], ("entry", "body", "disclosure", "proof"), "event")
    members = _members_of(document["members"], ("checkpoint", "records"), "members")
    stamp = document["stamp"]
    evidence = Evidence(
        entry=_joined(event["entry"], "event.entry"),
        body=_bytes(event["body"], "event.body"),
        disclosure=_string(event["disclosure"], "event.disclosure"),
        proof=_proof(event["proof"]),
        members_checkpoint=_note(members["checkpoint"]),
        members=tuple(
            _parsed_record(record, f"members.records[{position}]")
            for position, record in enumerate(_list(members["records"], "members.records"))
        ),
        schemas=_schemas(document["schemas"]),
        stamp=None if stamp is None else _bytes(stamp, "stamp"),
    )
    if evidence.stamp is not None and not 0 < len(evidence.stamp) <= MAX_STAMP_BYTES:
        raise _refuse(f"a stamp has 1 to {MAX_STAMP_BYTES} bytes", "stamp")
    written = format_evidence(evidence)
    if written != data:
        raise _refuse(f"the file is not written in its one form; line {_first_difference(written, data)} differs", None)
    return evidence


def _first_difference(written: bytes, data: bytes) -> int:
    expected, found = written.split(b"\n"), data.split(b"\n")
    return next((n for n, (a, b) in enumerate(zip(expected, found, strict=False), 1) if a != b), len(expected))


def _record(record: MemberEvidence) -> str:
    path = [_base64(node) for node in record.path]
    return _object(
        [
            ("entry", _lines(record.entry, 4)),
            ("body", _base64(record.body)),
            ("disclosure", _text(record.disclosure)),
            ("path", _array(path, 4)),
        ],
        3,
    )


def _parsed_record(found: Any, place: str) -> MemberEvidence:
    record = _members_of(found, ("entry", "body", "disclosure", "path"), place)
    path = tuple(_bytes(node, f"{place}.path") for node in _list(record["path"], f"{place}.path"))
    if len(path) > MAX_PATH or any(len(node) != _HASH for node in path):
        raise _refuse(f"a path has at most {MAX_PATH} hashes of {_HASH} bytes", f"{place}.path")
    return MemberEvidence(
        _joined(record["entry"], f"{place}.entry"),
        _bytes(record["body"], f"{place}.body"),
        _string(record["disclosure"], f"{place}.disclosure"),
        path,
    )


def _proof(found: Any) -> TlogProof:
    try:
        return parse_proof(_joined(found, "event.proof"))
    except Refused as refused:
        raise Refused(refused.code, refused.message, field="event.proof") from refused


def _note(found: Any) -> Note:
    try:
        return parse_note(_joined(found, "members.checkpoint"))
    except Refused as refused:
        raise Refused(refused.code, refused.message, field="members.checkpoint") from refused


def _schemas(found: Any) -> Mapping[str, bytes]:
    schemas: dict[str, bytes] = {}
    for position, document in enumerate(_list(found, "schemas")):
        place = f"schemas[{position}]"
        if not isinstance(document, dict):
            raise _refuse("a schema is a JSON object", place)
        try:
            text = rfc8785.dumps(document)
        except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
            raise _refuse("the schema has no RFC 8785 form", place) from error
        schemas[digest_of(text)] = text
    return schemas


def _members_of(found: Any, names: tuple[str, ...], place: str) -> dict[str, Any]:
    if not isinstance(found, dict) or found.keys() != set(names):
        raise _refuse(f"expected an object with {', '.join(names)}", place or None)
    return found


def _list(found: Any, place: str) -> list[Any]:
    if not isinstance(found, list):
        raise _refuse("expected an array", place)
    return found


def _string(found: Any, place: str) -> str:
    if not isinstance(found, str):
        raise _refuse("expected a text", place)
    return found


def _joined(found: Any, place: str) -> bytes:
    """The text whose lines, without their ends, stand in an array."""
    lines = [_string(line, place) for line in _list(found, place)]
    return _encoded("".join(f"{line}\n" for line in lines), place)


def _bytes(found: Any, place: str) -> bytes:
    try:
        return a2b_base64(_string(found, place), strict_mode=True)
    except (BadBase64, ValueError) as error:
        raise _refuse("expected base64", place) from error


def _encoded(text: str, place: str | None = None) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _refuse("a text is not Unicode", place) from error


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _base64(data: bytes) -> str:
    return f'"{b2a_base64(data, newline=False).decode()}"'


def _lines(text: bytes, depth: int) -> str:
    lines = text.decode("utf-8", "surrogateescape").split("\n")
    if lines.pop():
        raise _refuse("a text ends with its last line", None)
    return _array(map(_text, lines), depth)


def _array(items: Iterable[str], depth: int) -> str:
    inner = ",\n".join(f"{' ' * (depth + 1)}{item}" for item in items)
    return f"[\n{inner}\n{' ' * depth}]" if inner else "[]"


def _object(members: list[tuple[str, str]], depth: int) -> str:
    inner = ",\n".join(f'{" " * (depth + 1)}"{name}": {text}' for name, text in members)
    return f"{{\n{inner}\n{' ' * depth}}}"


def _refuse(sentence: str, place: str | None) -> Refused:
    return Refused("bad-evidence", sentence, field=place)
