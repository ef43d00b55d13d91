"""The core of a witness (C2SP tlog-witness, ``add-checkpoint``): a request and what is known in, one of six answers out. Pure.

1. The request is of its form, with at most 63 hashes: else 400.
2. The origin is of a log that is known: else 404.
3. One of the log's keys signed the checkpoint: else 403; signatures of other keys are not looked at.
4. The old size is not above that of the checkpoint: else 400.
5. The old size is that of the last checkpoint cosigned: else 409, with that size.
6. At the same size the roots are the same: else 409, with that size.
7. The consistency proof leads from the last root to this one: else 422.
8. It is cosigned: 200, with a line for each key of the witness.

Whoever calls stores ``Answer.known`` before the answer leaves, and takes no other request for this origin in between: a witness
that forgets, or that checks two at once, may sign two histories.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.merkle import EMPTY_ROOT, is_consistent
from services.codec.note import Note, NoteKey, NoteSignature, is_signed, parse_note
from services.codec.witness_request import SIZE_TYPE, Request, parse_request
from services.kernel.errors import Refused

Cosign = Callable[[bytes], Sequence[NoteSignature]]
"""Cosignatures over the text of a checkpoint, one for each key of the witness, as of now."""


class Status(IntEnum):
    """The six answers, by their HTTP status."""

    COSIGNED = 200
    BAD_REQUEST = 400
    UNTRUSTED = 403
    UNKNOWN_LOG = 404
    CONFLICT = 409
    INCONSISTENT = 422


@dataclass(frozen=True, slots=True)
class Known:
    """The last checkpoint that the witness cosigned of a log."""

    size: int = 0
    root: bytes = EMPTY_ROOT


NOTHING: Final = Known()


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; ``known`` is there when it is cosigned, and must be stored before."""

    status: Status
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    known: Known | None = None
    signatures: tuple[NoteSignature, ...] = ()


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the witness holds of one log: the keys that may sign it, and the last checkpoint cosigned."""

    keys: Sequence[NoteKey]
    known: Known


def add_checkpoint(data: bytes, trusted: Callable[[str], Trusted | None], cosign: Cosign) -> Answer:
    """Judges a request by the numbered steps. Raises nothing but what the two ports raise."""
    try:  # (1)
        request = parse_request(data)
        note = parse_note(request.note)
        checkpoint = parse_checkpoint(note.text)
    except Refused as refused:
        return _no(Status.BAD_REQUEST, refused.message)
    held = trusted(checkpoint.origin)
    if held is None:  # (2)
        return _no(Status.UNKNOWN_LOG, "this log is not known here")
    if not any(is_signed(note, key) for key in held.keys):  # (3)
        return _no(Status.UNTRUSTED, "no key of the log signed this checkpoint")
    return _judged(request, note, checkpoint, held.known, cosign)


def _judged(request: Request, note: Note, checkpoint: Checkpoint, known: Known, cosign: Cosign) -> Answer:
    if request.old_size > checkpoint.size:  # (4)
        return _no(Status.BAD_REQUEST, "the old size is above that of the checkpoint")
    if request.old_size != known.size:  # (5)
        return _conflict(known)
    if checkpoint.size == known.size and checkpoint.root != known.root:  # (6)
        return _conflict(known)
    if not is_consistent(known.size, known.root, checkpoint.size, checkpoint.root, request.proof):  # (7)
        return _no(Status.INCONSISTENT, "the proof does not lead from the last checkpoint to this one")
    signatures = tuple(cosign(note.text))  # (8)
    body = "".join(f"{signature.line()}\n" for signature in signatures).encode()
    return Answer(Status.COSIGNED, body, known=Known(checkpoint.size, checkpoint.root), signatures=signatures)


def _conflict(known: Known) -> Answer:
    return Answer(Status.CONFLICT, f"{known.size}\n".encode(), SIZE_TYPE)


def _no(status: Status, sentence: str) -> Answer:
    return Answer(status, f"{sentence}\n".encode())
