"""Statements of completeness: what the exchange says it delivered, compared with what the node has kept, and answered.

``services/ledger/FORMAT.md`` section 6.8. The node keeps of every copy its number, day, sender and the leaf hash of its entry, and counts for
itself: nothing of what is stated enters what it answers. A statement is answered once, in the transaction that takes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from connectors.node.receipts import Receipt, Reported, receipt_id
from connectors.node.verify import Verified
from services.codec.merkle import RightEdge, leaf_hash
from services.events import from_value
from services.events.receipt import CompletenessConfirmed, CompletenessDisputed, CompletenessStated
from services.kernel.codes import day_of
from services.kernel.instants import parse_instant

STEP: Final = "completeness"
NO_ADDRESSEE: Final = "-"
"""The answer stands in the log, where every auditor finds it; nobody gets a copy of it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one copy."""

    number: int
    source: str
    leaf: bytes


@dataclass(slots=True)
class _Run:
    """Count, range and tree of some copies, in the order of their numbers."""

    count: int = 0
    first: int | None = None
    last: int | None = None
    edge: RightEdge = field(default_factory=RightEdge)

    def take(self, kept: Kept) -> None:
        self.first = kept.number if self.first is None else self.first
        self.last = kept.number
        self.count += 1
        self.edge = self.edge.append(kept.leaf)

    def root(self) -> str:
        return f"sha256:{self.edge.root().hex()}"


@dataclass(frozen=True, slots=True)
class Counted:
    """What the node itself has of that day; ``differs_at`` is None when it is all that was stated and nothing else."""

    first: int | None
    count: int
    root: str | None
    differs_at: int | None
    source: str | None


def keep(db: sqlite3.Connection, participant: str, found: Verified) -> None:
    """Keeps what counting needs of a copy whose number was the next. No content."""
    entry = found.envelope.entry or ""
    db.execute(
        "insert into copies values (?, ?, ?, ?, ?, ?) on conflict do nothing",
        (
            participant,
            found.numbered.log,
            found.numbered.number,
            day_of(parse_instant(found.entry.admitted)),
            found.statement.source,
            leaf_hash(entry.encode()),
        ),
    )


def answer(db: sqlite3.Connection, participant: str, found: Verified, now_ms: int) -> Receipt | None:
    """The answer to a statement that verified.

    None when it is not for this participant, and when the node did not yet keep entries at the beginning of its range: then it cannot know.
    """
    stated = from_value(CompletenessStated.TYPE, found.value)
    assert isinstance(stated, CompletenessStated)
    if stated.recipient != participant or not _has_kept(db, stated):
        return None
    counted = count(stated, _kept(db, stated))
    event = found.statement.id
    about = Reported(participant, event, NO_ADDRESSEE, found.statement.subject, stated.log, 0, found.envelope.trace)
    return Receipt(receipt_id(participant, event, STEP), about, now_ms, _event(event, stated, counted))


def count(stated: CompletenessStated, kept: Iterable[Kept]) -> Counted:
    """Counts what was kept of the day, in the order of its numbers, beside what was stated. Pure."""
    whole, senders = _Run(), dict[str, _Run]()
    expected, end = stated.first_number, stated.first_number + stated.count
    strange: list[int] = []  # missing or besides; the first is enough, and what follows a gap is not looked at
    for copy in kept:
        whole.take(copy)
        senders.setdefault(copy.source, _Run()).take(copy)
        if copy.number == expected and copy.number < end:
            expected += 1
        elif not strange:
            strange.append(copy.number if expected == end else min(copy.number, expected))
    if expected < end and not strange:
        strange.append(expected)
    root = whole.root() if whole.count else None
    if strange:
        return Counted(whole.first, whole.count, root, strange[0], None)
    sender = _other_sender(stated, senders)
    if sender is not None:
        return Counted(whole.first, whole.count, root, *sender)
    return Counted(whole.first, whole.count, root, None if root == stated.root else stated.first_number, None)


def _other_sender(stated: CompletenessStated, own: dict[str, _Run]) -> tuple[int, str] | None:
    """The first number of the first sender whose part is another than stated."""
    said = {each.source: (each.count, each.first_number, each.last_number, each.root) for each in stated.senders}
    for source in sorted(said.keys() | own.keys()):
        run = own.get(source)
        has = None if run is None else (run.count, run.first, run.last, run.root())
        if has != said.get(source):
            first = said[source][1] if source in said else stated.first_number
            return (first if run is None or run.first is None else run.first), source
    return None


def _event(event: str, stated: CompletenessStated, counted: Counted) -> CompletenessConfirmed | CompletenessDisputed:
    if counted.differs_at is None and counted.first is not None and counted.root is not None:
        return CompletenessConfirmed(
            event=event,
            recipient=stated.recipient,
            log=stated.log,
            admitted_on=stated.admitted_on,
            first_number=counted.first,
            count=counted.count,
            root=counted.root,
        )
    return CompletenessDisputed(
        event=event,
        recipient=stated.recipient,
        log=stated.log,
        admitted_on=stated.admitted_on,
        first_number=counted.first,
        count=counted.count,
        root=counted.root,
        differs_at=stated.first_number if counted.differs_at is None else counted.differs_at,
        source=counted.source,
    )


def _has_kept(db: sqlite3.Connection, stated: CompletenessStated) -> bool:
    row = db.execute(
        "select number from copies_from where participant = ? and log = ?", (stated.recipient, stated.log)
    ).fetchone()
    return row is None or int(row[0]) <= stated.first_number


def _kept(db: sqlite3.Connection, stated: CompletenessStated) -> Iterable[Kept]:
    rows = db.execute(
        "select number, source, leaf from copies where participant = ? and log = ? and day = ? order by number",
        (stated.recipient, stated.log, stated.admitted_on),
    )
    return (Kept(int(number), str(source), bytes(leaf)) for number, source, leaf in rows)
