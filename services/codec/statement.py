"""The statement: what the source of an event signs. Plain text, one ``key: value`` a line, no other form accepted.

Specification: ``services/ledger/FORMAT.md`` section 1. Parser and formatter are inverses of one another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from services.kernel.errors import Refused
from services.kernel.instants import INSTANT_PATTERN, parse_instant
from services.kernel.parties import PARTICIPANT_PATTERN

MAX_ADDRESSEES = 64
MAX_STATEMENT_BYTES = 8192

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_LINES = (
    r"ipx-event/v1",
    rf"id: ({UUID})",
    rf"source: ({PARTICIPANT_PATTERN})",
    r"type: (cn\.ipx\.[a-z]{1,20}\.[A-Z][A-Za-z0-9]{0,63})",
    r"subject: ([A-Za-z0-9][A-Za-z0-9._:/#@-]{0,127})",
    rf"time: ({INSTANT_PATTERN})",
    r"agreement: (-|[a-z][a-z0-9-]{0,63}@[1-9][0-9]{0,5})",
    rf"addressee: (-|{PARTICIPANT_PATTERN}(?:,{PARTICIPANT_PATTERN}){{0,{MAX_ADDRESSEES - 1}}})",
    rf"cause: (-|{UUID})",
    r"schema: (sha256:[0-9a-f]{64})",
    r"content: (sha256:[0-9a-f]{64})",
)
_STATEMENT = re.compile("".join(line + r"\n" for line in _LINES))
_EACH = tuple(re.compile(line) for line in _LINES)
_KEYS = (
    "ipx-event/v1",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "agreement",
    "addressee",
    "cause",
    "schema",
    "content",
)


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
        """When it happened at the source; refuses ``bad-attribute`` a text that is not an instant."""
        return parse_instant(self.time)

    @property
    def addressees(self) -> tuple[str, ...]:
        """The named addressees in order; empty when none is named."""
        return () if self.addressee == "-" else tuple(self.addressee.split(","))


def format_statement(s: Statement) -> bytes:
    """The bytes that are signed; refuses ``bad-attribute`` (naming the line) what the parser would not take."""
    text = (
        f"ipx-event/v1\nid: {s.id}\nsource: {s.source}\ntype: {s.type}\nsubject: {s.subject}\ntime: {s.time}\n"
        f"agreement: {s.agreement}\naddressee: {s.addressee}\ncause: {s.cause}\nschema: {s.schema}\ncontent: {s.content}\n"
    )
    if len(text) > MAX_STATEMENT_BYTES or _STATEMENT.fullmatch(text) is None:
        raise _first_bad_line([_KEYS[0], *(f"{key}: {getattr(s, key)}" for key in _KEYS[1:])])
    _check(s)
    return text.encode("ascii")


def parse_statement(data: bytes) -> Statement:
    """Inverse of :func:`format_statement`; refuses ``bad-attribute`` anything that it would not write."""
    text = data.decode("latin-1")  # never fails, and a letter past ASCII fits no line
    match = _STATEMENT.fullmatch(text) if len(text) <= MAX_STATEMENT_BYTES else None
    if match is None:
        raise _first_bad_line(text.split("\n", len(_KEYS)))
    statement = Statement(*match.groups())
    _check(statement)
    return statement


def _check(s: Statement) -> None:
    """What the pattern cannot say: the day is in the calendar, the addressees are in order."""
    parse_instant(s.time)
    if "," in s.addressee:
        names = s.addressee.split(",")
        if any(a >= b for a, b in pairwise(names)):
            raise Refused("bad-attribute", "addressees stand in ascending order, each once", field="addressee")


def _first_bad_line(lines: list[str]) -> Refused:
    for position, pattern in enumerate(_EACH):
        got = lines[position] if position < len(lines) else ""
        if pattern.fullmatch(got) is None:
            return Refused(
                "bad-attribute",
                f"line {position + 1} of the statement is not of the form taken: {got[:80]!r}",
                field=_KEYS[position],
            )
    return Refused(
        "bad-attribute", f"a statement is eleven lines, each ended by one LF, of {MAX_STATEMENT_BYTES} bytes at most"
    )
