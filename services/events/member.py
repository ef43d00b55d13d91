"""Typed events of the members log: who takes part, with which keys, under which agreements (schemas/events/member).

Names, order and types equal the schemas; tests/unit/services/events compares them. Instants (`_at`, `valid_from`, …) are
milliseconds since the epoch in UTC, days (`_on`, `_by`) are days since 1970-01-01.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyLog:
    """One family of events and the number of its log partitions."""

    family: str
    partitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeFounded:
    """First event of the members log: the exchange exists and its root key is this."""

    TYPE: ClassVar[str] = "cn.ipx.member.ExchangeFounded"

    name: str
    operator: str
    key_id: str
    suite: str
    public_key: bytes
    founded_at: int
    families: tuple[FamilyLog, ...] = ()
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantRegistered:
    """An organ joins, or its entry changes."""

    TYPE: ClassVar[str] = "cn.ipx.member.ParticipantRegistered"

    participant: str
    name_zh: str
    name_en: str
    division: str | None = None
    organ_type: str
    level: str
    superior: str | None = None
    contact_section: str | None = None
    node: str | None = None
    valid_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantSuspended:
    """A participant may not publish nor receive for a time."""

    TYPE: ClassVar[str] = "cn.ipx.member.ParticipantSuspended"

    participant: str
    suspended_at: int
    until: int | None = None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdded:
    """A key of a participant becomes valid."""

    TYPE: ClassVar[str] = "cn.ipx.member.KeyAdded"

    participant: str
    key_id: str
    suite: str
    public_key: bytes
    valid_from: int
    valid_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked:
    """A key is no longer trusted."""

    TYPE: ClassVar[str] = "cn.ipx.member.KeyRevoked"

    participant: str
    key_id: str
    revoked_at: int
    reason: str
    explanation: str | None = None


AgreementStatus = Literal["draft", "in_force"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Who may send which type to whom, and what the recipient sees."""

    type: str
    from_organ: str
    to_organ: str
    routed: bool = False
    disclose: tuple[str, ...] = ()
    copy_to: tuple[str, ...] = ()
    copy_disclose: tuple[str, ...] = ()
    delivered_within_s: int | None = None
    committed_within_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """A published instrument the agreement rests on."""

    instrument: str
    signed_on: int | None = None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementProposed:
    """A version of an agreement is laid on the table, whole."""

    TYPE: ClassVar[str] = "cn.ipx.member.AgreementProposed"

    agreement: str
    version: int
    title_zh: str
    title_en: str
    status: AgreementStatus
    members: tuple[str, ...] = ()
    signatories: tuple[str, ...] = ()
    flows: tuple[Flow, ...] = ()
    basis: tuple[Basis, ...] = ()
    valid_from: int
    valid_until: int | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSigned:
    """A signatory signs one version of an agreement."""

    TYPE: ClassVar[str] = "cn.ipx.member.AgreementSigned"

    agreement: str
    version: int
    digest: str
    signed_at: int
    signed_by_office: str | None = None
    signer: str | None = None


CalendarConfidence = Literal["certain", "advisory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarHoliday:
    """One holiday: its days off, both included, and the weekend days worked for it."""

    name_zh: str
    name_en: str
    first_on: int
    last_on: int
    working_on: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPublished:
    """One notice of the State Council that arranges the days off of a year; a later one of the year prevails."""

    TYPE: ClassVar[str] = "cn.ipx.member.CalendarPublished"

    year: int
    title: str
    number: str
    issued_on: int
    confidence: CalendarConfidence
    source: str
    holidays: tuple[CalendarHoliday, ...]


MemberEvent = (
    ExchangeFounded
    | ParticipantRegistered
    | ParticipantSuspended
    | KeyAdded
    | KeyRevoked
    | AgreementProposed
    | AgreementSigned
    | CalendarPublished
)
