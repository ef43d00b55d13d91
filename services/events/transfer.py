"""Typed events of the transfers log: a case handed from organ to organ, and every move on it (schemas/events/transfer).

Names, order and types equal the schemas; tests/unit/services/events compares them. Instants (`_at`, `at`) are milliseconds since
the epoch in UTC, days (`_on`) are days since 1970-01-01. What a kind of transfer is, and which moves it has, is a table
(schemas/codes/transfers.toml), not a type of event.
"""

from dataclasses import dataclass
from typing import ClassVar

from services.events.clue import Evidence, Goods, Party, Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One paper of the file that is handed over; its bytes stay with the organ that keeps them."""

    name: str
    kind: str
    number: str | None = None
    digest: str | None = None
    pages: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierStep:
    """A moment of the sender's own procedure that a clock runs from: what, and when it happened."""

    moment: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideOrgan:
    """An organ that is no member of the exchange, to which a case goes by other means; the opener records its moves."""

    name: str
    division: str
    organ_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOpened:
    """A case is handed over, referred, asked for or submitted, as its kind says."""

    TYPE: ClassVar[str] = "cn.ipx.transfer.TransferOpened"

    kind: str
    title: str
    facts: str
    right_type: str | None = None
    rights: tuple[Right, ...] = ()
    parties: tuple[Party, ...] = ()
    goods: tuple[Goods, ...] = ()
    amount_fen: int | None = None
    evidence: tuple[Evidence, ...] = ()
    documents: tuple[Document, ...] = ()
    legal_basis: tuple[str, ...] = ()
    requests: str | None = None
    relates_to: tuple[str, ...] = ()
    earlier: tuple[EarlierStep, ...] = ()
    outside: OutsideOrgan | None = None
    agreement_matters: tuple[str, ...] = ()
    """What a mediation agreement decides (code table ``agreement_matters``); for judicial confirmation."""
    place_division: str | None = None
    transfer_letter: str | None = None
    suspect_id_number: str | None = None
    suspect_phone: str | None = None
    officer: str | None = None
    officer_phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferMoved:
    """A move on a case by one of its parties: receipt, acceptance, decision, suspension, extension, result, …"""

    TYPE: ClassVar[str] = "cn.ipx.transfer.TransferMoved"

    kind: str
    move: str
    happened_at: int
    document_number: str | None = None
    text: str | None = None
    reason: str | None = None
    ground: str | None = None
    rule: str | None = None
    extension: str | None = None
    length: int | None = None
    missing: tuple[str, ...] = ()
    designated: str | None = None
    """The participant that a superior designates as the competent organ."""
    result: str | None = None
    goods: tuple[Goods, ...] = ()
    documents: tuple[Document, ...] = ()
    officer: str | None = None
    officer_phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarApplied:
    """By the operator: a calendar has come since, and the clocks of this case are to be computed again with it."""

    TYPE: ClassVar[str] = "cn.ipx.transfer.CalendarApplied"

    year: int
    calendar_event: str
    """Id of the CalendarPublished event on the members log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PossibleMoves:
    """What a party may do now: event types are implied by the moves (``open`` is a TransferOpened)."""

    participant: str
    moves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveHadNoEffect:
    """Derived: a move was logged but the rules give it no effect; which rule forbids it and what is possible now."""

    TYPE: ClassVar[str] = "cn.ipx.transfer.MoveHadNoEffect"

    rule: str
    article: str
    kind: str | None = None
    """None where there is no such case."""
    attempted: str
    """``open`` or the move of the table."""
    attempted_event: str
    attempted_by: str
    state: str
    possible: tuple[PossibleMoves, ...] = ()
    explanation_zh: str
    explanation_en: str


TransferEvent = TransferOpened | TransferMoved | CalendarApplied | MoveHadNoEffect
