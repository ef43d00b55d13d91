"""What the gateway says, read with care: pages of the inbox and of the members log become envelopes. Pure.

Nothing here is believed; it is only brought into the form that ``verify.py`` judges. What cannot be brought into it is kept as
it came, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.codec.checkpoint import log_of_origin
from services.codec.cloudevents import envelope_from_structured
from services.codec.envelope import Envelope
from services.kernel.errors import Refused, Transient

MOST_LOGS: Final = 4096


@dataclass(frozen=True, slots=True)
class Copy:
    """One item of an inbox page: as it came, and the envelope or why there is none."""

    item: Any
    envelope: Envelope | Refused

    @property
    def document(self) -> bytes:
        """The item as JSON, to be kept when it does not verify."""
        return json.dumps(self.item, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Items in order, and the cursor that acknowledges them."""

    copies: tuple[Copy, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class MembersPage:
    """Entries of the members log in order, and the number to ask for next."""

    envelopes: tuple[Envelope, ...]
    next: int


@dataclass(frozen=True, slots=True)
class Fault:
    """An event of a batch that the gateway does not take."""

    event: str | None
    code: str
    field: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log of the exchange, as the gateway lists it: its origin, and what its last checkpoint says (size -1, root empty: it says nothing)."""

    origin: str
    size: int
    root: str = ""


def read_inbox(body: bytes) -> InboxPage:
    """A page of an inbox; ``Transient`` when it is not one, since asking again is all that can be done."""
    document = _object(body)
    items, cursor = document.get("items"), document.get("cursor")
    if not isinstance(items, list) or not isinstance(cursor, str):
        raise Transient("the gateway's inbox page has no items and cursor")
    return InboxPage(tuple(_copy(item) for item in items), cursor)


def read_members(body: bytes) -> MembersPage:
    """A page of the members log; ``Transient`` when it is not one."""
    document = _object(body)
    items, following = document.get("items"), document.get("next")
    if not isinstance(items, list) or not isinstance(following, int):
        raise Transient("the gateway's members page has no items and next")
    try:
        return MembersPage(tuple(envelope_from_structured(item) for item in items), following)
    except Refused as error:
        raise Transient(f"the gateway's members page has an item that is no envelope: {error.code}") from error


def read_logs(body: bytes) -> tuple[LogLine, ...]:
    """The list of logs; ``Transient`` when it is not one, or longer than any exchange has."""
    items = _object(body).get("logs")
    if not isinstance(items, list) or len(items) > MOST_LOGS:
        raise Transient("the gateway's list of logs has no logs, or too many")
    return tuple(_log(item) for item in items)


def read_faults(body: bytes) -> tuple[Fault, ...]:
    """Which events of a refused batch are at fault, by the problem document; for a single event, the problem itself."""
    try:
        document = _object(body)
    except Transient:
        return ()
    items = document.get("items")
    listed = items if isinstance(items, list) and items else [document]
    return tuple(_fault(item) for item in listed if isinstance(item, dict))


def _copy(item: Any) -> Copy:
    try:
        return Copy(item, envelope_from_structured(item))
    except Refused as error:
        return Copy(item, error)


def _log(item: Any) -> LogLine:
    document = item if isinstance(item, dict) else {}
    origin, size, root = document.get("origin"), document.get("size"), document.get("root")
    try:
        log_of_origin(origin if isinstance(origin, str) else "")
    except Refused as error:
        raise Transient("the gateway's list of logs names one that is none") from error
    return LogLine(str(origin), size if type(size) is int else -1, root if isinstance(root, str) else "")


def _fault(item: Mapping[str, Any]) -> Fault:
    event, field = item.get("id"), item.get("field")
    return Fault(
        event if isinstance(event, str) else None,
        str(item.get("code", "bad-request"))[:64],
        field[:128] if isinstance(field, str) else None,
        str(item.get("detail", ""))[:500],
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Transient("the gateway answered with what is not JSON") from error
    if not isinstance(document, dict):
        raise Transient("the gateway answered with JSON that is not an object")
    return document
