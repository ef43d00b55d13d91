"""The request of ``add-checkpoint`` (C2SP tlog-witness): an old size, a consistency proof, and the checkpoint that it leads to.

Parser and formatter are inverses of one another; the note itself is not read here.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from typing import Final

from services.codec.note import MAX_NOTE_BYTES
from services.kernel.errors import Refused

MAX_PROOF: Final = 63
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 4096
SIZE_TYPE: Final = "text/x.tlog.size"
"""Content type of a conflict: the size that the witness knows, in decimal, with a line end."""

_HEAD = re.compile(rb"old (0|[1-9][0-9]{0,17})\n((?:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\n){0,63})\n")


@dataclass(frozen=True, slots=True)
class Request:
    """A checkpoint (the bytes of its note), and the path that leads to it from the tree of ``old_size``."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


def format_request(request: Request) -> bytes:
    """The body of ``add-checkpoint``."""
    lines = [f"old {request.old_size}", *(b2a_base64(node, newline=False).decode() for node in request.proof), ""]
    return "".join(f"{line}\n" for line in lines).encode() + request.note


def parse_request(data: bytes) -> Request:
    """Inverse of :func:`format_request`; refuses ``bad-request`` anything else. The note is not read."""
    head = _HEAD.match(data) if len(data) <= MAX_REQUEST_BYTES else None
    if head is None:
        raise Refused(
            "bad-request", f"a request is an old size, at most {MAX_PROOF} hashes, an empty line, a checkpoint"
        )
    return Request(int(head[1]), tuple(a2b_base64(line) for line in head[2].split()), data[head.end() :])
