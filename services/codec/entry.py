"""The entry: what admission appends to the log for an event, and the leaf of the hash tree. Holds no content.

Specification: ``services/ledger/FORMAT.md`` section 4. Parser and formatter are inverses of one another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from services.codec.statement import Statement, parse_statement
from services.kernel.errors import Refused
from services.kernel.instants import INSTANT_PATTERN, parse_instant
from services.kernel.parties import PARTICIPANT_PATTERN

MAX_ENTRY_BYTES = 32_768
_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_FIELD = r"-[A-Za-z_][A-Za-z0-9_]{0,63}"
_DELIVERY = rf"deliver: ({PARTICIPANT_PATTERN}) ({_NUMBER}) (full|{_FIELD}(?:,{_FIELD})*)\n"
_DELIVERIES = re.compile(_DELIVERY)
_TAIL = re.compile(
    r"signature: ([!-~]{1,4096})\n"
    rf"admitted: ({INSTANT_PATTERN})\n"
    rf"log: ([a-z0-9][a-z0-9._-]{{0,200}}/{_NUMBER})\n"
    rf"seq: ({_NUMBER})\n"
    rf"members: ({_NUMBER})\n"
    rf"((?:{_DELIVERY.replace('(', '(?:').replace('(?:?:', '(?:')})*)"
)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One copy: to whom, its number for that recipient in that log partition, the restricted fields left out."""

    recipient: str
    number: int
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A parsed entry; ``statement`` and ``signature`` as the source wrote them."""

    statement: Statement
    signature: str
    admitted: str
    log: str
    seq: int
    members: int
    deliveries: tuple[Delivery, ...]

    def delivery_to(self, recipient: str) -> Delivery | None:
        """The copy for a recipient, or None when it gets none."""
        return next((d for d in self.deliveries if d.recipient == recipient), None)


def format_entry(
    statement: bytes,
    signature: str,
    admitted: str,
    log: str,
    seq: int,
    members: int,
    deliveries: tuple[Delivery, ...],
) -> bytes:
    """The bytes of an entry, from a statement that ``format_statement`` made. Recipients stand in ascending order.

    Refuses ``bad-entry`` what the parser would not take: nothing enters the log that a reader cannot read.
    """
    lines = "".join(
        f"deliver: {d.recipient} {d.number} {('-' + ',-'.join(d.withheld)) if d.withheld else 'full'}\n"
        for d in deliveries
    )
    tail = f"signature: {signature}\nadmitted: {admitted}\nlog: {log}\nseq: {seq}\nmembers: {members}\n{lines}"
    if len(statement) + len(tail) > MAX_ENTRY_BYTES or _TAIL.fullmatch(tail) is None:
        raise Refused("bad-entry", "the entry would not be of the form of FORMAT.md section 4")
    _check(admitted, deliveries)
    return statement + tail.encode("ascii")


def parse_entry(data: bytes) -> Entry:
    """Inverse of :func:`format_entry`; refuses ``bad-entry`` anything that it would not write."""
    start = data.find(b"signature: ") if len(data) <= MAX_ENTRY_BYTES else -1
    tail = _TAIL.fullmatch(data[start:].decode("latin-1")) if start >= 0 else None
    if tail is None:
        raise Refused("bad-entry", "the entry is not of the form of FORMAT.md section 4")
    try:
        statement = parse_statement(data[:start])
    except Refused as refused:
        raise Refused("bad-entry", f"the statement of the entry: {refused.message}", field=refused.field) from refused
    signature, admitted, log, seq, members, lines = tail.groups()
    deliveries = tuple(
        Delivery(recipient, int(number), () if shown == "full" else tuple(shown[1:].split(",-")))
        for recipient, number, shown in _DELIVERIES.findall(lines)
    )
    _check(admitted, deliveries)
    return Entry(statement, signature, admitted, log, int(seq), int(members), deliveries)


def _check(admitted: str, deliveries: tuple[Delivery, ...]) -> None:
    """What the pattern cannot say: the day is in the calendar, the recipients are in order, no field is left out twice."""
    try:
        parse_instant(admitted)
    except Refused as refused:
        raise Refused("bad-entry", refused.message, field="admitted") from refused
    if any(a.recipient >= b.recipient for a, b in pairwise(deliveries)):
        raise Refused("bad-entry", "recipients stand in ascending order, each once", field="deliver")
    for delivery in deliveries:
        if len(set(delivery.withheld)) != len(delivery.withheld):
            raise Refused("bad-entry", "a field is left out twice", field="deliver")
