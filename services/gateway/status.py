"""``GET /v1/events/{id}``: what became of an event, for those whom it concerns and for nobody else.

The source sees the outcome and every recipient, a recipient sees its own steps, and whoever is neither is told that there
is no such event, in the same words as when there is none.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from services.events.receipt import OutcomeItem
from services.gateway.exchange import Incoming, Reply
from services.gateway.outcomes import Outcome
from services.gateway.publishing import outcome_document
from services.gateway.waits import supersedes
from services.kernel.errors import Refused
from services.kernel.ids import is_event_id
from services.receipts.status import QUERY, status_for
from services.runtime.postgres import Database


class Kept(Protocol):
    """Outcomes by event id; blocks, ``Transient`` while the database is away."""

    def find(self, event: str) -> list[Outcome]:
        """Every outcome of that id, whoever sent it."""
        ...


class ReceiptStates:
    """The states of the receipts room, as far as it has come."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self, event: str) -> list[Mapping[str, Any]]:
        """The states of an event id; none before the room has made its tables. Blocks."""
        with self._database.transaction() as connection:
            found = connection.execute("select to_regclass('receipts.state')").fetchone()
            if found is None or found[0] is None:
                return []
            return [row[0] for row in connection.execute(QUERY, (event,)).fetchall()]


class StatusOfEvents:
    """The handler."""

    def __init__(
        self,
        kept: Kept,
        states: Callable[[str], list[Mapping[str, Any]]],
        recent: Callable[[str, str], OutcomeItem | None],
        principal: Callable[[Incoming], str],
    ) -> None:
        self._kept = kept
        self._states = states
        self._recent = recent
        self._principal = principal

    async def get(self, incoming: Incoming) -> Reply:
        """200 with the status; refuses ``not-found`` what is not the caller's to see."""
        viewer = self._principal(incoming)
        incoming.query(())
        event = incoming.path_values["id"]
        document = None
        if is_event_id(event):
            kept, states = await asyncio.to_thread(self._read, event)
            document = status_of(event, viewer, kept, self._recent(viewer, event), states)
        if document is None:
            raise Refused("not-found", "there is no event of that id that you sent or received", field="id")
        return Reply(200, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())

    def _read(self, event: str) -> tuple[list[Outcome], list[Mapping[str, Any]]]:
        return self._kept.find(event), self._states(event)


def status_of(
    event: str,
    viewer: str,
    kept: list[Outcome],
    recent: OutcomeItem | None,
    states: list[Mapping[str, Any]],
) -> dict[str, Any] | None:
    """The status document for one viewer; None when it is neither the source nor a recipient. Pure.

    ``kept`` may hold outcomes that others were told for the same id; ``recent`` is one that the viewer was told.
    """
    own = next((outcome.item for outcome in kept if outcome.source == viewer), None)
    if recent is not None and (own is None or supersedes(recent.outcome, own.outcome)):
        own = recent
    document = status_for(states, viewer)
    if document is None:
        if own is None:
            return None
        document = {"id": event, "source": viewer, "recipients": []}
    if own is not None:
        document["outcome"] = outcome_document(event, own)
    return {name: value for name, value in document.items() if value is not None}
