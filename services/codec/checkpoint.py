"""Checkpoints (C2SP tlog-checkpoint): the text of a signed note that says how large a log is and what its root is.

Specification: ``services/ledger/FORMAT.md`` section 6.2. Parser and formatter are inverses of one another.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass

from services.codec.note import Note, NoteKey, is_signed, parse_note
from services.kernel.errors import Refused

SM3 = "sm3"
"""Extension line: the root of the same entries over SM3, ``sm3 <base64>``."""

_TEXT = re.compile(
    r"([!-*,-~]{1,255})\n(0|[1-9][0-9]{0,17})\n([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n((?:[!-~](?:[ -~]*[!-~])?\n)*)"
)
_ORIGIN = re.compile(r"[a-z][a-z0-9-]{0,39}/[a-z]{1,20}/(?:0|[1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Origin, number of entries, root of their RFC 6962 tree, and the extension lines without their ends."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()


def origin_of(log: str) -> str:
    """Origin of the log that entries call ``<exchange>.<family>/<partition>``: ``<exchange>/<family>/<partition>``; refuses ``bad-checkpoint``."""
    origin = log.replace(".", "/", 1)
    if _ORIGIN.fullmatch(origin) is None or log_of_origin(origin) != log:
        raise Refused("bad-checkpoint", f"{log[:80]!r} is not the name of a log partition")
    return origin


def log_of_origin(origin: str) -> str:
    """Inverse of :func:`origin_of`; refuses ``bad-checkpoint``."""
    if _ORIGIN.fullmatch(origin) is None:
        raise Refused("bad-checkpoint", f"{origin[:80]!r} is not the origin of a log partition")
    return origin.replace("/", ".", 1)


def format_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The text that is signed. Refuses ``bad-checkpoint`` what the parser would not take."""
    lines = (checkpoint.origin, str(checkpoint.size), b2a_base64(checkpoint.root, newline=False).decode())
    text = "".join(f"{line}\n" for line in (*lines, *checkpoint.extensions)).encode()
    parse_checkpoint(text)
    return text


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Inverse of :func:`format_checkpoint`; refuses ``bad-checkpoint`` anything that it would not write."""
    match = _TEXT.fullmatch(text.decode("latin-1")) if len(text) <= 4096 else None
    if match is None:
        raise Refused("bad-checkpoint", "a checkpoint is an origin, a size, a root and extension lines")
    return Checkpoint(match[1], int(match[2]), a2b_base64(match[3]), tuple(match[4].splitlines()))


def open_checkpoint(data: bytes, key: NoteKey) -> tuple[Checkpoint, Note]:
    """The checkpoint in a note that the log's key signed; its name must be the origin.

    Refuses ``bad-note``, ``bad-checkpoint``, and ``bad-signature`` a note that this key did not sign.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != key.name or not is_signed(note, key):
        raise Refused("bad-signature", f"the checkpoint is not signed by the key of {key.name}")
    return checkpoint, note
