"""Asks a time-stamping authority for a stamp over a checkpoint (RFC 3161 section 3.4, over HTTP).

An authority that is away, or answers with something else, stops nothing: the evidence goes without a stamp, and that is said.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.codec.evidence import MAX_STAMP_BYTES, Evidence
from services.codec.http import HttpClient
from services.kernel.errors import IpxError, Transient
from services.verifier.stamp import request_for, token_in

_HEADERS: Final = {"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"}
_MOST_BYTES: Final = MAX_STAMP_BYTES + 1024


def ask(http: HttpClient, url: str, note_text: bytes) -> bytes:
    """A token over the text of a checkpoint. Blocks; ``Transient`` when the authority does not answer, refuses ``bad-stamp`` what it answers."""
    request = request_for(note_text)
    reply = http.send("POST", url, body=bytes(request.as_bytes()), headers=_HEADERS, most_bytes=_MOST_BYTES)
    if reply.status != 200:
        raise Transient(f"the time-stamping authority answered {reply.status}")
    return token_in(reply.body, request)


def stamped(evidence: Evidence, http: HttpClient, url: str) -> tuple[Evidence, str | None]:
    """The evidence with a stamp; or as it was, and why there is none."""
    try:
        return replace(evidence, stamp=ask(http, url, evidence.proof.note.text)), None
    except IpxError as error:
        return evidence, str(error)
