"""The manifest of an archive: what it is of, and every file with its length and digest; and the signed note over it.

``services/ledger/FORMAT.md`` section 6.7. Parser and formatter are inverses of one another. Pure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import rfc8785

from services.codec.keys import Ed25519Signer
from services.codec.note import ED25519, Note, NoteKey, format_note, is_signed, parse_note, sign_note
from services.codec.strict_json import parse_json
from services.kernel.errors import Refused
from services.kernel.instants import format_instant, parse_day, parse_instant

FORMAT: Final = "ipx-archive/v1"
MANIFEST: Final = "manifest.json"
NOTE: Final = "manifest.note"
LEDGER: Final = "exchange.ledger"
MAX_MANIFEST_BYTES: Final = 67_108_864
MAX_FILES: Final = 400_000
MAX_PATH: Final = 300
_SEGMENT: Final = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}"
_PATH: Final = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{1,15}}")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_LOG: Final = re.compile(r"[a-z][a-z0-9-]{0,39}\.[a-z]{1,20}/(?:0|[1-9][0-9]{0,4})")
_EXCHANGE: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_TOOL: Final = re.compile(r"[ -~]{1,100}")
_MEMBERS: Final = ("exchange", "files", "format", "from", "horizon", "logs", "made_at", "tool", "until")


@dataclass(frozen=True, slots=True)
class FileLine:
    """One file: its length and digest, and how many records a container has."""

    path: str
    bytes: int
    sha256: str
    records: int | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log partition: the archived checkpoint, and the run of ``seq`` (``first`` up to, not with, ``next``) that the archive holds."""

    log: str
    size: int
    root: str
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that an archive says of itself. Days are ``YYYY-MM-DD``, None where the period is open."""

    exchange: str
    from_day: str | None
    until_day: str | None
    made_ms: int
    horizon_ms: int
    tool: str
    files: tuple[FileLine, ...]
    logs: tuple[LogLine, ...]


def format_manifest(manifest: Manifest) -> bytes:
    """The bytes of the file. Refuses ``bad-archive``, ``too-large`` what the parser would not take."""
    data = _dump(manifest)
    if len(data) > MAX_MANIFEST_BYTES or len(manifest.files) > MAX_FILES:
        raise Refused("too-large", f"an archive has at most {MAX_FILES} files, all hash tiles of the logs among them")
    _check(manifest)
    return data


def _dump(manifest: Manifest) -> bytes:
    return rfc8785.dumps(
        {
            "format": FORMAT,
            "exchange": manifest.exchange,
            "from": manifest.from_day,
            "until": manifest.until_day,
            "made_at": format_instant(manifest.made_ms),
            "horizon": format_instant(manifest.horizon_ms),
            "tool": manifest.tool,
            "files": [
                {"path": f.path, "bytes": f.bytes, "sha256": f.sha256, "records": f.records} for f in manifest.files
            ],
            "logs": [
                {"log": g.log, "size": g.size, "root": g.root, "first": g.first, "next": g.next} for g in manifest.logs
            ],
        }
    )


def parse_manifest(data: bytes) -> Manifest:
    """Inverse of :func:`format_manifest`; refuses ``bad-archive``, ``too-large``, ``bad-json``, ``duplicate-key``, ``bad-number``."""
    document = parse_json(data, most_bytes=MAX_MANIFEST_BYTES, most_depth=4)
    if not isinstance(document, dict) or tuple(sorted(document)) != _MEMBERS or document["format"] != FORMAT:
        raise _bad(f"the manifest is not an object of {FORMAT}")
    files, logs = document["files"], document["logs"]
    if not isinstance(files, list) or not isinstance(logs, list) or len(files) > MAX_FILES:
        raise _bad("the manifest has no lists of files and logs, or too many files")
    manifest = Manifest(
        exchange=_text(document, "exchange"),
        from_day=_day(document["from"]),
        until_day=_day(document["until"]),
        made_ms=_instant(_text(document, "made_at")),
        horizon_ms=_instant(_text(document, "horizon")),
        tool=_text(document, "tool"),
        files=tuple(_file(line) for line in files),
        logs=tuple(_log(line) for line in logs),
    )
    _check(manifest)
    if _dump(manifest) != data:
        raise _bad("the manifest is not in its one form (RFC 8785)")
    return manifest


def _check(manifest: Manifest) -> None:
    if _EXCHANGE.fullmatch(manifest.exchange) is None or _TOOL.fullmatch(manifest.tool) is None:
        raise _bad("the manifest names no exchange or tool")
    for line in manifest.files:
        if _PATH.fullmatch(line.path) is None or len(line.path) > MAX_PATH or _HEX.fullmatch(line.sha256) is None:
            raise _bad(f"{line.path[:80]!r} is no path of an archive, or has no digest")
        if line.path.endswith(".avro") != (line.records is not None) or line.bytes < 0 or line.records == 0:
            raise _bad(f"{line.path} has a length or a number of records that it cannot have")
    for log in manifest.logs:
        is_of = _LOG.fullmatch(log.log) is not None and log.log.startswith(f"{manifest.exchange}.")
        if not is_of or _HEX.fullmatch(log.root) is None or not 0 <= log.first <= log.next <= log.size < 10**18:
            raise _bad(f"{log.log[:80]!r} is no log of {manifest.exchange}, or has a size or range that it cannot have")
        held = sum(f.records or 0 for f in manifest.files if f.path.startswith(f"records/{log.log}/"))
        if held != log.next - log.first:
            raise _bad(f"{log.log} has {held} records, seq {log.first} up to {log.next} were to be there")
    for names in ([f.path for f in manifest.files], [g.log for g in manifest.logs]):
        if any(a >= b for a, b in pairwise(names)):
            raise _bad("files and logs stand in ascending order, each once")


def _file(line: Any) -> FileLine:
    if not isinstance(line, dict) or len(line) != 4:
        raise _bad("a file has path, bytes, sha256 and records")
    records = None if line.get("records", 0) is None else _number(line, "records")
    return FileLine(_text(line, "path"), _number(line, "bytes"), _text(line, "sha256"), records)


def _log(line: Any) -> LogLine:
    if not isinstance(line, dict) or len(line) != 5:
        raise _bad("a log has log, size, root, first and next")
    numbers = [_number(line, name) for name in ("size", "first", "next")]
    return LogLine(_text(line, "log"), numbers[0], _text(line, "root"), numbers[1], numbers[2])


def _text(line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    if not isinstance(value, str) or not value.isascii():
        raise _bad(f"{name} is not a text in ASCII")
    return value


def _number(line: Mapping[str, Any], name: str) -> int:
    value = line.get(name)
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise _bad(f"{name} is not a number")
    return value


def _day(value: Any) -> str | None:
    if value is None:
        return None
    try:
        parse_day(value if isinstance(value, str) else "")
    except Refused as error:
        raise _bad(f"from and until are days or null: {error.message}") from error
    return str(value)


def _instant(text: str) -> int:
    try:
        return parse_instant(text)
    except Refused as error:
        raise _bad(error.message) from error


def note_text(exchange: str, manifest: bytes) -> bytes:
    """What the note over a manifest says."""
    return f"{FORMAT}\n{exchange}\nsha256:{hashlib.sha256(manifest).hexdigest()}\n".encode()


def sign_manifest(exchange: str, manifest: bytes, ledger: Ed25519Signer) -> bytes:
    """The signed note over a manifest; ``ledger`` is the key of ``exchange.ledger`` itself."""
    text = note_text(exchange, manifest)
    return format_note(Note(text, (sign_note(text, LEDGER, ledger.public.data, ledger.sign),)))


def open_note(data: bytes, exchange: str, manifest: bytes) -> Note:
    """The note, when it is over this manifest; refuses ``bad-note``, ``bad-archive``. Whose signature it bears is :func:`is_signed_by`'s to say."""
    note = parse_note(data)
    if note.text != note_text(exchange, manifest):
        raise _bad(f"{NOTE} is not over this manifest")
    return note


def is_signed_by(note: Note, public_key: bytes) -> bool:
    """Whether the note bears a good signature of this key of ``exchange.ledger``."""
    return is_signed(note, NoteKey(LEDGER, ED25519, public_key))


def _bad(sentence: str) -> Refused:
    return Refused("bad-archive", sentence, field=MANIFEST)
