"""The port to one city's own system: pull what happened there, push what is addressed to it. Design section 11.

A connector does the talking and judges the answer; it keeps no state that must survive a crash. Repeating is the caller's
matter: a push is made at least once, always with the same idempotency key, so a system that honours the key takes an event
once however often the node asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from services.kernel.errors import Transient

Document = dict[str, Any]
"""A JSON object in the city's own field names."""


class Fault(StrEnum):
    """Why a system did not take a document; also ``last_error`` of a negative receipt."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    THROTTLED = "throttled"
    UNAUTHORISED = "unauthorised"
    NONSENSE = "nonsense"
    CIRCUIT_OPEN = "circuit_open"


@dataclass(frozen=True, slots=True)
class Page:
    """What a pull brought: happenings in the order in which they happened, and where to go on.

    ``more`` says that the system holds further ones now, so that asking again at once is worth it.
    """

    items: tuple[Document, ...]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """A document for the city, and the door of its system that takes it."""

    door: str
    document: Document


@dataclass(frozen=True, slots=True)
class Accepted:
    """The system has it and named it: its own reference. Nothing else counts as success."""

    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The system refused it for a business reason. Final: the same document would be refused again.

    ``code`` is of the exchange's ``business_codes``, ``city_code`` the system's own.
    """

    code: str
    city_code: str | None
    reason: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class TryLater:
    """Nothing is known to have been taken. ``wait_s`` when the system said how long to wait."""

    fault: Fault
    detail: str
    wait_s: float | None = None


Answer = Accepted | Declined | TryLater


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the system answers now; the detail is for people and holds nothing of a document."""

    reachable: bool
    detail: str


class CitySystem(Protocol):
    """One city's own system, as the node sees it."""

    @property
    def name(self) -> str:
        """Name of the connector: what metrics, receipts and dead letters call it."""
        ...

    async def pull(self, cursor: str) -> Page:
        """Happenings after the cursor (empty at the very beginning), oldest first.

        Raises ``CityAway`` when the system is away or answers nonsense. Asking twice with the same cursor gives the same
        happenings, and perhaps later ones too.
        """
        ...

    async def push(self, message: Message, *, idempotency_key: str, delivery_number: int) -> Answer:
        """Hands one document over. Never raises for what the system does; within a limit of time and size."""
        ...

    async def ack(self, cursor: str) -> None:
        """Tells the system that everything up to the cursor is kept; nothing to do for one that has no such call."""
        ...

    async def health(self) -> Health:
        """Asks the system for a sign of life."""
        ...

    async def close(self) -> None:
        """Lets the connections go."""
        ...


class CityAway(Transient):
    """The city's system could not be read now; ``answer`` says how it failed."""

    def __init__(self, answer: TryLater) -> None:
        super().__init__(f"{answer.fault}: {answer.detail}")
        self.answer = answer


@dataclass(slots=True)
class Taken:
    """What the fake remembers of a document that it took."""

    message: Message
    reference: str
    delivery_number: int
    asked: int = 1


@dataclass(slots=True)
class FakeCity:
    """A city's system in memory, for tests: it keeps what it takes, by key, and can be told to answer otherwise.

    ``answers`` are used up one by one before it answers by itself. An answer of type ``Accepted`` there means that the
    document is stored; anything else means that it is not.
    """

    name: str = "fake-city"
    happenings: list[Document] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    page_size: int = 100
    away: TryLater | None = None
    taken: dict[str, Taken] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    acknowledged: str = ""
    closed: bool = False

    async def pull(self, cursor: str) -> Page:
        """The happenings after that position in the list."""
        if self.away is not None:
            raise CityAway(self.away)
        start = int(cursor or "0")
        items = tuple(self.happenings[start : start + self.page_size])
        end = start + len(items)
        return Page(items, str(end) if items else cursor, more=end < len(self.happenings))

    async def push(self, message: Message, *, idempotency_key: str, delivery_number: int) -> Answer:
        """Takes the document once per key and numbers it ``F-1``, ``F-2``, …"""
        self.asked.append(idempotency_key)
        if self.away is not None:
            return self.away
        if (known := self.taken.get(idempotency_key)) is not None:
            known.asked += 1
            return Accepted(known.reference)
        if self.answers and not isinstance(self.answers[0], Accepted):
            return self.answers.pop(0)
        said = self.answers.pop(0) if self.answers else Accepted(f"F-{len(self.taken) + 1}")
        assert isinstance(said, Accepted)
        self.taken[idempotency_key] = Taken(message, said.reference, delivery_number)
        return said

    async def ack(self, cursor: str) -> None:
        """Remembers the cursor."""
        self.acknowledged = cursor

    async def health(self) -> Health:
        """Reachable unless it was told to be away."""
        return Health(self.away is None, "in memory" if self.away is None else self.away.detail)

    async def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True
