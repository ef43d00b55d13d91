"""What one log delivered to whom on each day: a fold over its entries that gives the statements of completeness. Pure.

``services/ledger/FORMAT.md`` section 6.8. A statement is a function of the log alone: same entries, same event, same id; saying it twice is
saying it once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from services.codec.entry import Entry, parse_entry
from services.codec.merkle import RightEdge, leaf_hash
from services.events.receipt import CompletenessConfirmed, CompletenessDisputed, CompletenessStated, SenderCount
from services.kernel.codes import day_of
from services.kernel.errors import Corrupt, Refused
from services.kernel.instants import format_day, parse_instant
from services.kernel.parties import is_exchange_part
from services.runtime.fold import Emission

ROOM: Final = "ledger"
_TYPES: Final = frozenset(event.TYPE for event in (CompletenessStated, CompletenessConfirmed, CompletenessDisputed))
_DAY_MS: Final = 86_400_000
_CST_MS: Final = 8 * 3_600_000


def end_of_day_ms(day: int) -> int:
    """The first instant after a day in Asia/Shanghai (UTC+8 all year; days are counted from 1970-01-01)."""
    return (day + 1) * _DAY_MS - _CST_MS


@dataclass(slots=True)
class _Run:
    """Count, range and tree of some copies in the order of their numbers."""

    first: int
    last: int = -1
    count: int = 0
    edge: RightEdge = field(default_factory=RightEdge)

    def take(self, number: int, leaf: bytes) -> None:
        self.last = number
        self.count += 1
        self.edge = self.edge.append(leaf)

    def root(self) -> str:
        return f"sha256:{self.edge.root().hex()}"


@dataclass(slots=True)
class _Copies:
    """What one recipient got, and the last entry of it: the cause of the statement."""

    whole: _Run
    senders: dict[str, _Run] = field(default_factory=dict)
    is_worth_it: bool = False
    cause: str = ""
    ordinal: int = 0
    at_ms: int = 0


class Completeness:
    """Takes the entries of one log in order, from one that begins a day on. Memory: recipients times senders of one day."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._copies: dict[str, _Copies] = {}
        self._next_seq: int | None = None
        self.day: int | None = None
        """The day that is open; None before the first entry and after :meth:`close`."""
        self.first_seq = 0
        """``seq`` of the first entry of the open day: from here on it must be folded again after a restart."""
        self.last_id: str | None = None
        """Id of the last entry taken."""

    def take(self, data: bytes) -> tuple[Emission, ...]:
        """The next entry; the statements of the day before when it is the first of another.

        ``Corrupt`` when it is not of this log, not the next one, or of an earlier day, or a delivery number is not the next.
        """
        try:
            entry = parse_entry(data)
        except Refused as error:
            raise Corrupt(f"{self._log}: {error.code}: {error.message}") from error
        if entry.log != self._log or self._next_seq not in (None, entry.seq):
            raise Corrupt(f"{self._log}: seq {self._next_seq} was expected, {entry.log} seq {entry.seq} came")
        day = day_of(parse_instant(entry.admitted))
        if self.day is not None and day < self.day:
            raise Corrupt(f"{self._log} seq {entry.seq} was admitted on a day before that of the entry before it")
        stated = self.close() if day != self.day else ()
        if self.day is None:
            self.day, self.first_seq = day, entry.seq
        self._next_seq = entry.seq + 1
        self.last_id = entry.statement.id
        self._count(entry, leaf_hash(data))
        return stated

    def close(self) -> tuple[Emission, ...]:
        """The day is over: its statements, by recipient. What is taken afterwards belongs to another day."""
        if self.day is None:
            return ()
        stated = tuple(
            self._statement(recipient, self._copies[recipient], self.day)
            for recipient in sorted(self._copies)
            if self._copies[recipient].is_worth_it
        )
        self._copies = {}
        self.day = None
        self.first_seq = self._next_seq or 0
        return stated

    def _count(self, entry: Entry, leaf: bytes) -> None:
        source = entry.statement.source
        for ordinal, delivery in enumerate(entry.deliveries):
            if is_exchange_part(delivery.recipient):
                continue
            number = delivery.number
            copies = self._copies.get(delivery.recipient)
            if copies is None:
                copies = self._copies[delivery.recipient] = _Copies(_Run(number, number - 1))
            if number != copies.whole.last + 1:
                raise Corrupt(f"{self._log} seq {entry.seq}: copy {number} to {delivery.recipient} is not the next one")
            copies.whole.take(number, leaf)
            copies.senders.setdefault(source, _Run(number)).take(number, leaf)
            copies.is_worth_it |= entry.statement.type not in _TYPES
            copies.cause, copies.ordinal, copies.at_ms = entry.statement.id, ordinal, parse_instant(entry.admitted)

    def _statement(self, recipient: str, copies: _Copies, day: int) -> Emission:
        event = CompletenessStated(
            recipient=recipient,
            log=self._log,
            admitted_on=day,
            first_number=copies.whole.first,
            count=copies.whole.count,
            root=copies.whole.root(),
            senders=tuple(
                SenderCount(
                    source=source,
                    count=run.count,
                    first_number=run.first,
                    last_number=run.last,
                    root=run.root(),
                )
                for source, run in sorted(copies.senders.items())
            ),
        )
        subject = f"{self._log}:{recipient}:{format_day(day)}"
        return Emission(event, subject, (recipient,), copies.cause, copies.ordinal, copies.at_ms)
