"""``GET /v1/cases`` and ``GET /v1/cases/{case}``: the cases that the caller was told of, and nobody else's.

Whoever was not told of a case is told that there is none, in the same words as when there is none. What is read is what the transfers
room has stored, as far as it has come; an instant other than the present one (``at``) says how the clocks stand then by that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

from services.gateway.case_cursor import format_case_cursor, parse_case_cursor
from services.gateway.exchange import Incoming, Reply, whole_number
from services.kernel.clock_moments import LATEST_MS
from services.kernel.errors import Refused
from services.kernel.instants import parse_instant
from services.kernel.ports import Clock
from services.transfers.listing import CaseQuery

MAX_LIMIT = 200
_DEFAULT_LIMIT = 50
_FILTERS = ("kind", "state", "overdue", "provisional", "due_before")
_MAX_WORD = 64


class Cases(Protocol):
    """What is asked of the desk (``services/transfers/desk.py``); blocks, ``Transient`` while a part of it is away."""

    def cases(self, asked: CaseQuery, now_ms: int) -> list[dict[str, Any]]:
        """A page of cases, a line each."""
        ...

    def case(self, subject: str, now_ms: int, participant: str | None) -> dict[str, Any] | None:
        """The document of a case; None when there is none, or none that the participant was told of."""
        ...


class CasePages:
    """The handlers."""

    def __init__(self, desk: Cases, principal: Callable[[Incoming], str], clock: Clock) -> None:
        self._desk = desk
        self._principal = principal
        self._clock = clock

    async def page(self, incoming: Incoming) -> Reply:
        """200 with a page of the caller's own cases by number, and a cursor while there may be more."""
        reader = self._principal(incoming)
        query = incoming.query((*_FILTERS, "after", "limit", "at"))
        limit = whole_number(query.get("limit"), "limit", _DEFAULT_LIMIT, 1, MAX_LIMIT)
        asked = CaseQuery(
            informed=reader,
            kind=_word(query, "kind"),
            state=_word(query, "state"),
            overdue=_flag(query, "overdue"),
            provisional=_flag(query, "provisional"),
            due_before=_instant(query, "due_before"),
            after=parse_case_cursor(query["after"], reader) if "after" in query else "",
            limit=limit,
        )
        items = await asyncio.to_thread(self._desk.cases, asked, self._at(query))
        document: dict[str, Any] = {"items": items}
        if len(items) == limit:
            document["cursor"] = format_case_cursor(reader, items[-1]["case"])
        return _reply(document)

    async def case(self, incoming: Incoming) -> Reply:
        """200 with the case; refuses ``not-found`` what the caller was not told of."""
        reader = self._principal(incoming)
        query = incoming.query(("at",))
        document = await asyncio.to_thread(self._desk.case, incoming.path_values["case"], self._at(query), reader)
        if document is None:
            raise Refused("not-found", "there is no case of that number that you were told of", field="case")
        return _reply(document)

    def _at(self, query: dict[str, str]) -> int:
        at_ms = _instant(query, "at")
        return self._clock.now_ms() if at_ms is None else at_ms


def _reply(document: dict[str, Any]) -> Reply:
    return Reply(200, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


def _word(query: dict[str, str], name: str) -> str | None:
    """A code of a table; one that no table has finds nothing."""
    text = query.get(name)
    if text is not None and (not text or len(text) > _MAX_WORD or not text.isascii()):
        raise Refused("bad-request", f"{name}: expected a code of a table", field=name)
    return text


def _flag(query: dict[str, str], name: str) -> bool:
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise Refused("bad-request", f"{name}: expected true or false", field=name)
    return text == "true"


def _instant(query: dict[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        at_ms = parse_instant(text)
    except Refused as error:
        raise Refused("bad-request", f"{name}: {error.message}", field=name) from error
    if at_ms > LATEST_MS:
        raise Refused("bad-request", f"{name}: no term reaches so far", field=name)
    return at_ms
