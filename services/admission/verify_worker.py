"""The process that verifies signatures beside admission: asked over its standard input, answering over its standard output.

One request is a chunk: its length and number of questions (4 bytes each, little-endian), then for each question the lengths of public key,
statement and signature line (4 bytes each) and all three. The answer is one byte a question: 1, the line is a good signature of
that key over the statement; 0, it is not, is no signature line, or is of a suite whose extra is not installed. The process ends when its input
does, as when the one that asks is killed.

Why a process: libsodium lets other threads run while it computes, but each return from it waits for the interpreter, and each such change
costs both sides more than the question is worth (services/admission/README.md has the figures).
"""

from __future__ import annotations

import signal
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from services.codec.signature import RootCache, parse_signature, verify
from services.kernel.errors import Refused

_HEAD = struct.Struct("<II")
_LENGTHS = struct.Struct("<III")

Question = tuple[bytes, bytes, bytes]
"""Public key, statement, signature line."""


def pack(questions: Sequence[Question]) -> bytes:
    """The bytes of a request."""
    pieces: list[bytes] = []
    for key, text, line in questions:
        pieces += (_LENGTHS.pack(len(key), len(text), len(line)), key, text, line)
    body = b"".join(pieces)
    return _HEAD.pack(len(body), len(questions)) + body


def unpack(body: bytes, count: int) -> Iterator[Question]:
    """The questions of a request body; inverse of :func:`pack`."""
    at = 0
    for _ in range(count):
        key_size, text_size, line_size = _LENGTHS.unpack_from(body, at)
        text_at = at + _LENGTHS.size + key_size
        line_at = text_at + text_size
        yield body[at + _LENGTHS.size : text_at], body[text_at:line_at], body[line_at : line_at + line_size]
        at = line_at + line_size


def is_good(question: Question, roots: RootCache) -> bool:
    """Whether the line is a good signature of the key over the statement."""
    key, text, line = question
    try:
        return verify(text, parse_signature(line.decode()), key, roots)
    except (Refused, UnicodeDecodeError):
        return False


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers requests until there are no more. Remembers the batch signatures that it found good."""
    roots = RootCache()
    while len(head := requests.read(_HEAD.size)) == _HEAD.size:
        size, count = _HEAD.unpack(head)
        answers.write(bytes(is_good(question, roots) for question in unpack(requests.read(size), count)))
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a signal to the group is for the one that asks; it closes the input
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
