"""Typed events of the clues log: from the report of a clue to its result (schemas/events/clue).

Names, order and types equal the schemas; tests/unit/services/events compares them. Instants (`_at`, `valid_from`, …) are
milliseconds since the epoch in UTC, days (`_on`, `_by`) are days since 1970-01-01.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A firm or other party named in a clue."""

    name: str
    uscc: str | None = None
    division: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One right that is said to be infringed."""

    right_type: str
    name: str | None = None
    patent_number: str | None = None
    trademark_number: str | None = None
    nice_classes: tuple[int, ...] = ()
    copyright_number: str | None = None
    other_number: str | None = None
    holder: Party | None = None
    protection_list: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One offer on an online platform."""

    platform: str
    platform_uscc: str | None = None
    url: str | None = None
    shop_id: str | None = None
    shop_name: str | None = None
    item_id: str | None = None
    price_fen: int | None = None
    sold_quantity: int | None = None
    seen_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibition:
    """A trade fair at which the act was found."""

    name: str
    venue: str | None = None
    booth: str | None = None
    opens_on: int | None = None
    closes_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyConduct:
    """Misconduct of a patent or trademark agency."""

    conduct: str
    agency_number: str | None = None
    attorney_number: str | None = None
    application_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomsFinding:
    """What customs found at the border."""

    customs_code: str
    direction: str | None = None
    recordal_number: str | None = None
    declaration_number: str | None = None
    containers: int | None = None
    detained_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """A kind of goods, with quantity and value."""

    name: str
    quantity: int | None = None
    unit: str | None = None
    value_fen: int | None = None
    mark_shown: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One piece of evidence; its bytes stay with the organ that keeps it."""

    name: str
    kind: str
    original: bool | None = None
    media_type: str | None = None
    size_bytes: int | None = None
    digest: str | None = None
    kept_by: str | None = None
    kept_at: str | None = None
    gathered_at: int | None = None
    gathered_how: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueReported:
    """An infringement clue is handed over or, for a public report, laid before the exchange."""

    TYPE: ClassVar[str] = "cn.ipx.clue.ClueReported"

    subtype: str
    right_type: str
    title: str
    facts: str
    place_division: str
    place: str | None = None
    discovered_at: int
    received_at: int | None = None
    act_began_on: int | None = None
    act_ended_on: int | None = None
    received_from: str | None = None
    transfer_letter: str | None = None
    handover: str | None = None
    complaint_number: str | None = None
    rights: tuple[Right, ...] = ()
    suspects: tuple[Party, ...] = ()
    listings: tuple[Listing, ...] = ()
    exhibition: Exhibition | None = None
    agency: AgencyConduct | None = None
    customs: CustomsFinding | None = None
    goods: tuple[Goods, ...] = ()
    turnover_fen: int | None = None
    gain_fen: int | None = None
    evidence: tuple[Evidence, ...] = ()
    urgent: bool = False
    requested: str | None = None
    reporter_kind: str | None = None
    reporter: str | None = None
    reporter_phone: str | None = None
    reporter_id_number: str | None = None
    reporter_address: str | None = None
    informant_notes: str | None = None
    suspect_id_number: str | None = None
    suspect_phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueAccepted:
    """The recipient takes the clue on."""

    TYPE: ClassVar[str] = "cn.ipx.clue.ClueAccepted"

    accepted_at: int
    received_at: int | None = None
    acceptance_number: str | None = None
    contact_section: str | None = None
    verify_by: int | None = None
    officer: str | None = None
    officer_phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueReturned:
    """The recipient does not take the clue on and says why."""

    TYPE: ClassVar[str] = "cn.ipx.clue.ClueReturned"

    returned_at: int
    reason: str
    explanation: str
    competent_participant: str | None = None
    competent_division: str | None = None
    missing: tuple[str, ...] = ()
    return_letter: str | None = None
    officer: str | None = None
    officer_phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueVerified:
    """The recipient has verified the clue."""

    TYPE: ClassVar[str] = "cn.ipx.clue.ClueVerified"

    verified_at: int
    outcome: str
    findings: str
    visited_at: int | None = None
    holder_identified: bool | None = None
    excluded_from: int | None = None
    excluded_to: int | None = None
    decide_by: int | None = None
    extended: bool = False
    suspects: tuple[Party, ...] = ()
    goods: tuple[Goods, ...] = ()
    turnover_fen: int | None = None
    evidence: tuple[Evidence, ...] = ()
    other_divisions: tuple[str, ...] = ()
    inspection_notes: str | None = None
    witness: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueFiled:
    """The recipient has filed a case on the clue."""

    TYPE: ClassVar[str] = "cn.ipx.clue.ClueFiled"

    case_number: str
    filed_on: int
    cause: str
    right_type: str | None = None
    legal_basis: tuple[str, ...] = ()
    filing_document: str | None = None
    decide_by: int | None = None
    measures: tuple[str, ...] = ()
    suspects: tuple[Party, ...] = ()
    officer: str | None = None
    officer_phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueNotFiled:
    """The recipient has decided not to file a case."""

    TYPE: ClassVar[str] = "cn.ipx.clue.ClueNotFiled"

    decided_on: int
    ground: str
    explanation: str
    decision_document: str | None = None
    handed_to: str | None = None
    reporter_told_on: int | None = None
    officer: str | None = None
    officer_phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueResultReturned:
    """Derived: the result of a clue goes back to where it came from."""

    TYPE: ClassVar[str] = "cn.ipx.clue.ClueResultReturned"

    result: str
    origin: str
    handled_by: str
    report_event: str
    result_event: str
    reported_at: int
    decided_at: int
    case_number: str | None = None
    filed_on: int | None = None
    ground: str | None = None
    return_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveHadNoEffect:
    """Derived: a move was logged but the rules give it no effect."""

    TYPE: ClassVar[str] = "cn.ipx.clue.MoveHadNoEffect"

    rule: str
    article: str
    attempted: str
    attempted_event: str
    attempted_by: str
    state: str
    possible: tuple[str, ...] = ()
    possible_by: tuple[str, ...] = ()
    explanation_zh: str
    explanation_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReporterReferral:
    """Derived: a public report at a bureau without power; the bureau tells the reporter where to go."""

    TYPE: ClassVar[str] = "cn.ipx.clue.ReporterReferral"

    rule: str
    article: str
    report_event: str
    received_by: str
    competent_division: str
    competent_organ_type: str
    competent_participant: str | None = None
    competent_name_zh: str | None = None
    competent_name_en: str | None = None
    explanation_zh: str
    explanation_en: str


ClueEvent = (
    ClueReported
    | ClueAccepted
    | ClueReturned
    | ClueVerified
    | ClueFiled
    | ClueNotFiled
    | ClueResultReturned
    | MoveHadNoEffect
    | ReporterReferral
)
