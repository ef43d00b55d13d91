"""The entry: what admission appends to the log for an event, and the leaf of the hash tree. Holds no content.

Specification: ``services/ledger/FORMAT.md`` section 4. Parser and formatter are inverses of one another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from services.codec.statement import INSTANT, PARTICIPANT, STATEMENT_PATTERN, Statement, parse_statement
from services.kernel.errors import Refused

MAX_ENTRY_BYTES = 32_768
_NUMBER = rb"(?:0|[1-9][0-9]{0,17})"
_FIELD = rb"-[A-Za-z_][A-Za-z0-9_]{0,63}"
_DELIVER = re.compile(
    rb"deliver: (" + PARTICIPANT + rb") (" + _NUMBER + rb") (full|" + _FIELD + rb"(?:," + _FIELD + rb")*)\n"
)
_HEAD = re.compile(
    rb"((?:" + re.sub(rb"\((?!\?)", rb"(?:", STATEMENT_PATTERN) + rb"))"
    rb"signature: ([!-~]{1,4096})\n"
    rb"admitted: (" + INSTANT + rb")\n"
    rb"log: ([a-z0-9][a-z0-9._-]{0,200}/" + _NUMBER + rb")\n"
    rb"seq: (" + _NUMBER + rb")\n"
    rb"members: (" + _NUMBER + rb")\n"
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
    """The bytes of an entry, from a statement that ``format_statement`` made. Recipients stand in ascending order."""
    lines = "".join(
        f"deliver: {d.recipient} {d.number} {('-' + ',-'.join(d.withheld)) if d.withheld else 'full'}\n"
        for d in deliveries
    )
    tail = f"signature: {signature}\nadmitted: {admitted}\nlog: {log}\nseq: {seq}\nmembers: {members}\n{lines}"
    return statement + tail.encode()


def parse_entry(data: bytes) -> Entry:
    """Inverse of :func:`format_entry`; refuses ``bad-entry`` anything that it would not write."""
    head = _HEAD.match(data) if len(data) <= MAX_ENTRY_BYTES else None
    if head is None:
        raise Refused("bad-entry", "the entry is not of the form of FORMAT.md section 4")
    deliveries = []
    position = head.end()
    while position < len(data):
        line = _DELIVER.match(data, position)
        if line is None:
            raise Refused("bad-entry", f"line at byte {position} of the entry is not a delivery")
        fields = () if line[3] == b"full" else tuple(name[1:].decode() for name in line[3].split(b","))
        deliveries.append(Delivery(line[1].decode(), int(line[2]), fields))
        position = line.end()
    names = [d.recipient for d in deliveries]
    if any(a >= b for a, b in pairwise(names)):
        raise Refused("bad-entry", "recipients stand in ascending order, each once")
    return Entry(
        statement=parse_statement(head[1]),
        signature=head[2].decode(),
        admitted=head[3].decode(),
        log=head[4].decode(),
        seq=int(head[5]),
        members=int(head[6]),
        deliveries=tuple(deliveries),
    )
