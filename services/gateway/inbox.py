"""``GET /v1/inbox``: what the caller asks for, handed to the inboxes."""

from __future__ import annotations

from collections.abc import Callable

from services.gateway.exchange import Incoming, Reply, whole_number
from services.gateway.inboxes import MAX_LIMIT, Inboxes

MAX_WAIT_S = 30
_DEFAULT_LIMIT = 100


class InboxPages:
    """The handler."""

    def __init__(self, inboxes: Inboxes, principal: Callable[[Incoming], str]) -> None:
        self._inboxes = inboxes
        self._principal = principal

    async def get(self, incoming: Incoming) -> Reply:
        """A page of the caller's own inbox; there is no way to ask for another's."""
        reader = self._principal(incoming)
        query = incoming.query(("after", "limit", "wait"))
        limit = whole_number(query.get("limit"), "limit", _DEFAULT_LIMIT, 1, MAX_LIMIT)
        wait_s = whole_number(query.get("wait"), "wait", 0, 0, MAX_WAIT_S)
        return await self._inboxes.read(reader, query.get("after"), limit, wait_s)
