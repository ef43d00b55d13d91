"""The statement: what the source of an event signs. Plain text, one ``key: value`` a line, no other form accepted.

Specification: ``services/ledger/FORMAT.md`` section 1. Parser and formatter are inverses of one another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from services.kernel.errors import Refused
from services.kernel.instants import parse_instant

MAX_ADDRESSEES = 64
MAX_STATEMENT_BYTES = 8192

PARTICIPANT = rb"(?:[0-9]{6}\.[a-z][a-z0-9_]{0,39}|customs\.[0-9]{4}|exchange\.[a-z][a-z0-9_]{0,39})"
UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
INSTANT = rb"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z"
_LINES = (
    rb"ipx-event/v1",
    rb"id: (" + UUID + rb")",
    rb"source: (" + PARTICIPANT + rb")",
    rb"type: (cn\.ipx\.[a-z]{1,20}\.[A-Z][A-Za-z0-9]{0,63})",
    rb"subject: ([A-Za-z0-9][A-Za-z0-9._:/#@-]{0,127})",
    rb"time: (" + INSTANT + rb")",
    rb"agreement: (-|[a-z][a-z0-9-]{0,63}@[1-9][0-9]{0,5})",
    rb"addressee: (-|" + PARTICIPANT + rb"(?:," + PARTICIPANT + rb"){0,63})",
    rb"cause: (-|" + UUID + rb")",
    rb"schema: (sha256:[0-9a-f]{64})",
    rb"content: (sha256:[0-9a-f]{64})",
)
STATEMENT_PATTERN = b"".join(line + rb"\n" for line in _LINES)
_STATEMENT = re.compile(STATEMENT_PATTERN)
_EACH = tuple(re.compile(line) for line in _LINES)
_KEYS = ("form", "id", "source", "type", "subject", "time", "agreement", "addressee", "cause", "schema", "content")


@dataclass(frozen=True, slots=True)
class Statement:
    """The ten lines as text, each exactly as it stands in the statement (``-`` for none)."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    agreement: str
    addressee: str
    cause: str
    schema: str
    content: str

    @property
    def time_ms(self) -> int:
        """When it happened at the source; refuses ``bad-attribute`` a day that the calendar has not."""
        return parse_instant(self.time)

    @property
    def addressees(self) -> tuple[str, ...]:
        """The named addressees in order; empty when none is named."""
        return () if self.addressee == "-" else tuple(self.addressee.split(","))


def format_statement(s: Statement) -> bytes:
    """The bytes that are signed; refuses ``bad-attribute`` (naming the line) what the parser would not take."""
    data = (
        f"ipx-event/v1\nid: {s.id}\nsource: {s.source}\ntype: {s.type}\nsubject: {s.subject}\ntime: {s.time}\n"
        f"agreement: {s.agreement}\naddressee: {s.addressee}\ncause: {s.cause}\nschema: {s.schema}\ncontent: {s.content}\n"
    ).encode()
    if len(data) > MAX_STATEMENT_BYTES or _STATEMENT.fullmatch(data) is None:
        raise _first_bad_line(data)
    _check_addressees(s.addressee)
    return data


def parse_statement(data: bytes) -> Statement:
    """Inverse of :func:`format_statement`; refuses ``bad-attribute`` anything that it would not write."""
    match = _STATEMENT.fullmatch(data) if len(data) <= MAX_STATEMENT_BYTES else None
    if match is None:
        raise _first_bad_line(data)
    statement = Statement(*(group.decode("ascii") for group in match.groups()))
    _check_addressees(statement.addressee)
    return statement


def _check_addressees(addressee: str) -> None:
    if "," in addressee:
        names = addressee.split(",")
        if any(a >= b for a, b in pairwise(names)):
            raise Refused("bad-attribute", "addressees stand in ascending order, each once", field="addressee")


def _first_bad_line(data: bytes) -> Refused:
    if len(data) > MAX_STATEMENT_BYTES:
        return Refused("bad-attribute", f"a statement has at most {MAX_STATEMENT_BYTES} bytes")
    lines = data.split(b"\n")
    for position, pattern in enumerate(_EACH):
        if position >= len(lines) or pattern.fullmatch(lines[position]) is None:
            got = lines[position][:80] if position < len(lines) else b""
            return Refused(
                "bad-attribute",
                f"line {position + 1} of the statement ({_KEYS[position]}) is not of the form taken: {got!r}",
                field=_KEYS[position],
            )
    return Refused("bad-attribute", "a statement has eleven lines, each ended by one LF, and nothing more")
