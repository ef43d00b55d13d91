"""Looks whether the exchange computes the clocks of a participant's cases as the node does, and says so loudly when it does not.

Each notice of a clock is compared once, after it was stored. One that differs is compared again after the members log has been read
to its end, since a calendar may have come; then it is counted, logged and shown in ``ipx node status`` and ``ipx node cases``. It is
handed to the city all the same: what was told is a fact, and people decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from connectors.node import case_entries
from connectors.node.case_entries import DIFFERS, CaseEntry, ClockNotice
from connectors.node.casebook import Casebook, Comparison
from connectors.node.journal import Change, Journal
from connectors.node.members import Members
from connectors.node.telling import Teller
from services.kernel.errors import Transient

_AT_ONCE: Final = 100
Held = tuple[list[CaseEntry], list[ClockNotice]]
"""What is held of one case: its entries, and what was told of its clocks."""


@dataclass(slots=True)
class CaseWatch:
    """Compares for one participant."""

    participant: str
    journal: Journal
    members: Members
    book: Casebook
    teller: Teller

    async def look(self) -> None:
        """Compares what was not compared yet; what cannot be compared now waits for the next look."""
        try:
            while held := await self.journal.change(self._read):
                compared = await asyncio.to_thread(self._compare, held)
                if any(one.state == DIFFERS for one in compared):
                    await self.members.catch_up()
                    compared = await asyncio.to_thread(self._compare, held)
                states = [(one.notice.event, one.state) for one in compared]
                await self.journal.change(partial(self._store, states))
                for one in compared:
                    self._tell(one)
        except Transient as error:
            self.teller.warning("clocks could not be compared", participant=self.participant, reason=str(error))

    def _read(self, change: Change) -> list[Held]:
        own = self.participant
        return [
            (case_entries.entries(change.db, own, subject), case_entries.notices(change.db, own, subject))
            for subject in case_entries.unjudged(change.db, own, _AT_ONCE)
        ]

    def _compare(self, held: Sequence[Held]) -> list[Comparison]:
        """In a thread beside the loops: a fold takes a millisecond or so, and thousands of ends may come due in one second."""
        return [
            one for kept, told in held for one in self.book.compare(kept, told) if one.notice.state == case_entries.NEW
        ]

    def _store(self, states: Sequence[tuple[str, str]], change: Change) -> None:
        case_entries.judge(change.db, self.participant, states)

    def _tell(self, one: Comparison) -> None:
        notice = one.notice
        self.teller.count("compared_events_total", participant=self.participant, outcome=one.state)
        if one.state == DIFFERS:
            self.teller.error(
                "the exchange computes a clock otherwise than this node does",
                participant=self.participant,
                subject=notice.subject,
                clock=notice.clock,
                event_id=notice.event,
                told=f"{notice.verdict.state} {notice.verdict.due_at}",
                computed="no such change" if one.own is None else f"{one.own.state} {one.own.due_at}",
            )
