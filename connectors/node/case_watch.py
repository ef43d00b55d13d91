"""Looks whether the exchange computes the clocks of a participant's cases as the node does, and says so loudly when it does not.

Each notice of a clock is compared once, after it was stored. One that differs is compared again after the members log has been read
to its end, since a calendar may have come; then it is counted, logged and shown in ``ipx node status`` and ``ipx node cases``. It is
handed to the city all the same: what was told is a fact, and people decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.node import case_entries
from connectors.node.case_entries import DIFFERS
from connectors.node.casebook import Casebook, Comparison
from connectors.node.journal import Change, Journal
from connectors.node.members import Members
from connectors.node.telling import Teller
from services.kernel.errors import Transient


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
            compared = await self.journal.change(self._compare)
            if any(one.state == DIFFERS for one in compared):
                await self.members.catch_up()
                compared = await self.journal.change(self._compare)
            await self.journal.change(lambda change: self._store(change, compared))
        except Transient as error:
            self.teller.warning("clocks could not be compared", participant=self.participant, reason=str(error))
            return
        for one in compared:
            self._tell(one)

    def _compare(self, change: Change) -> tuple[Comparison, ...]:
        found: list[Comparison] = []
        for subject in case_entries.unjudged(change.db, self.participant):
            kept = case_entries.entries(change.db, self.participant, subject)
            told = case_entries.notices(change.db, self.participant, subject)
            found += [one for one in self.book.compare(kept, told) if one.notice.state == case_entries.NEW]
        return tuple(found)

    def _store(self, change: Change, compared: Sequence[Comparison]) -> None:
        case_entries.judge(change.db, self.participant, [(one.notice.event, one.state) for one in compared])

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
