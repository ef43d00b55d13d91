"""The registry of members as a frozen fold over ``ipx.members``: participants, keys with validity, agreements in force.

Implements design section 3. ``apply`` is total: what admission would have refused has no effect here, so that every
reader of the log comes to the same registry. Copies are cheap: an event copies one of the tables, nothing deeper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import assert_never

from services.events.member import (
    AgreementProposed,
    AgreementSigned,
    CalendarPublished,
    ExchangeFounded,
    Flow,
    KeyAdded,
    KeyRevoked,
    MemberEvent,
    ParticipantRegistered,
    ParticipantSuspended,
)
from services.kernel.calendar import Calendar
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.kernel.parties import agreement_ref
from services.members.calendars import NO_CALENDAR, with_notice

COMPROMISED = "compromised"
_NATION = "100000"


@dataclass(frozen=True, slots=True)
class Key:
    """A participant's public key: valid from an instant, until another (exclusive), until it is revoked."""

    id: str
    participant: str
    suite: str
    public_key: bytes
    valid_from: int
    valid_until: int | None = None
    revoked_at: int | None = None
    compromised: bool = False

    def refusal_at(self, at_ms: int) -> Refused | None:
        """Why a statement of that time may not be signed by this key; None when it may.

        A key revoked as compromised signs nothing any more, whatever time the statement claims: its thief could
        claim an earlier one. Every other revocation counts from ``revoked_at`` on.
        """
        if self.revoked_at is not None and (self.compromised or at_ms >= self.revoked_at):
            return _bad_key("key-revoked", f"key {self.id} was revoked as of {format_instant(self.revoked_at)}")
        if at_ms < self.valid_from:
            return _bad_key("key-not-yet-valid", f"key {self.id} is valid from {format_instant(self.valid_from)} on")
        if self.valid_until is not None and at_ms >= self.valid_until:
            return _bad_key("key-expired", f"key {self.id} was valid until {format_instant(self.valid_until)}")
        return None


@dataclass(frozen=True, slots=True)
class Participant:
    """One organ, or a part of the exchange (``division`` is then None)."""

    id: str
    name_zh: str
    name_en: str
    division: str | None
    organ_type: str
    level: str
    superior: str | None = None
    contact_section: str | None = None
    node: str | None = None
    valid_from: int = 0
    suspended_at: int | None = None
    suspended_until: int | None = None

    def is_suspended(self, at_ms: int) -> bool:
        """Whether it may neither publish nor receive at that instant."""
        if self.suspended_at is None or at_ms < self.suspended_at:
            return False
        return self.suspended_until is None or at_ms < self.suspended_until

    def is_active(self, at_ms: int) -> bool:
        """Whether it is a member at that instant and not suspended."""
        return at_ms >= self.valid_from and not self.is_suspended(at_ms)


@dataclass(frozen=True, slots=True)
class Agreement:
    """One version of an agreement, with who has signed it. Flows are compiled to look-ups when it is proposed."""

    ref: str
    proposal: AgreementProposed
    digest: str
    members: frozenset[str]
    flows: Mapping[tuple[str, str], tuple[Flow, ...]]
    signed: frozenset[str] = frozenset()

    @property
    def missing(self) -> tuple[str, ...]:
        """Signatories whose signature is not in the log yet."""
        return tuple(sorted(set(self.proposal.signatories) - self.signed))

    @property
    def is_signed(self) -> bool:
        """Whether it is not a draft and every signatory has signed this very version and digest."""
        return self.proposal.status == "in_force" and bool(self.proposal.signatories) and not self.missing

    def in_force(self, at_ms: int) -> bool:
        """Whether it binds at that instant: signed by all, and within its dates."""
        until = self.proposal.valid_until
        return self.is_signed and self.proposal.valid_from <= at_ms and (until is None or at_ms < until)

    def includes(self, participant: Participant) -> bool:
        """Whether the participant is a member: named itself, or in a division that is, with all below it."""
        if participant.id in self.members:
            return True
        return participant.division is not None and not self.members.isdisjoint(divisions_above(participant.division))

    def flow(self, event_type: str, from_organ: str, to_organ: str) -> Flow | None:
        """The flow that lets an organ of one type send this event to an organ of the other."""
        flows = self.flows.get((event_type, from_organ), ())
        return next((flow for flow in flows if flow.to_organ == to_organ), None)


@dataclass(frozen=True, slots=True)
class Registry:
    """The members as of ``size`` events of the members log."""

    size: int = 0
    founded: ExchangeFounded | None = None
    participants: Mapping[str, Participant] = field(default_factory=lambda: MappingProxyType({}))
    keys: Mapping[str, Key] = field(default_factory=lambda: MappingProxyType({}))
    agreements: Mapping[str, Agreement] = field(default_factory=lambda: MappingProxyType({}))
    organs: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    calendar: Calendar = NO_CALENDAR
    """The working days by every notice published; by the week alone, with nothing settled, when there is none."""

    @property
    def operator(self) -> str | None:
        """The participant that operates the exchange; None before it is founded."""
        return None if self.founded is None else self.founded.operator

    def participant(self, participant_id: str) -> Participant | None:
        """The participant with that id, suspended or not."""
        return self.participants.get(participant_id)

    def key(self, key_id: str, at_ms: int) -> Key:
        """The key, valid at that instant.

        Refuses ``unknown-key``, ``key-not-yet-valid``, ``key-expired``, ``key-revoked``.
        """
        key = self.keys.get(key_id)
        if key is None:
            raise _bad_key("unknown-key", f"the members log has no key {key_id[:120]}")
        refusal = key.refusal_at(at_ms)
        if refusal is not None:
            raise refusal
        return key

    def signing_key(self, key_id: str, suite: str, source: str, at_ms: int) -> Key:
        """The key with which the source may have signed at that instant, and that makes signatures of that suite.

        Refuses as :meth:`key` does, ``key-not-of-source``, and ``bad-signature`` a signature of another suite than the key's.
        """
        key = self.key(key_id, at_ms)
        if key.participant != source:
            raise _bad_key("key-not-of-source", f"key {key_id} is not of {source}")
        if key.suite != suite:
            raise _bad_key("bad-signature", f"key {key_id} is of suite {key.suite}, the signature is not")
        return key

    def keys_of(self, participant_id: str) -> tuple[Key, ...]:
        """Every key that the participant ever had, by valid_from."""
        own = (key for key in self.keys.values() if key.participant == participant_id)
        return tuple(sorted(own, key=lambda key: (key.valid_from, key.id)))

    def agreement(self, ref: str) -> Agreement | None:
        """The agreement ``<id>@<version>``, in force or not."""
        return self.agreements.get(ref)

    def in_force(self, ref: str, at_ms: int) -> Agreement:
        """The agreement, binding at that instant; refuses ``agreement-unknown`` and ``agreement-not-in-force``."""
        agreement = self.agreements.get(ref)
        if agreement is None:
            raise Refused("agreement-unknown", f"the members log has no agreement {ref[:80]}", field="agreement")
        if not agreement.in_force(at_ms):
            raise Refused("agreement-not-in-force", _why_not_in_force(agreement, at_ms), field="agreement")
        return agreement

    def organs_in(self, organ_type: str, division: str) -> tuple[Participant, ...]:
        """Participants of that organ type that serve that very division, in order of id."""
        return tuple(self.participants[name] for name in self.organs.get((organ_type, division), ()))


EMPTY = Registry()


def divisions_above(division: str) -> tuple[str, ...]:
    """The division and what it lies in, county to nation, by the digits of GB/T 2260."""
    steps = (division, f"{division[:4]}00", f"{division[:2]}0000", _NATION)
    return tuple(dict.fromkeys(steps))


def apply(registry: Registry, event: MemberEvent, *, source: str, body_digest: str = "") -> Registry:
    """The registry after one more event of the members log.

    ``source`` is the statement's source (the signatory of an agreement is known by it), ``body_digest``
    ``sha256:<hex>`` of the canonical Avro body (what signatories of a proposal refer to). Never raises.
    """
    grown = replace(registry, size=registry.size + 1)
    match event:
        case ExchangeFounded():
            return _found(grown, event)
        case ParticipantRegistered():
            return _register(grown, event)
        case ParticipantSuspended():
            return _suspend(grown, event)
        case KeyAdded():
            return _add_key(grown, event)
        case KeyRevoked():
            return _revoke_key(grown, event)
        case AgreementProposed():
            return _propose(grown, event, body_digest)
        case AgreementSigned():
            return _sign(grown, event, source)
        case CalendarPublished():
            return replace(grown, calendar=with_notice(grown.calendar, event))
        case _:
            assert_never(event)


def _found(registry: Registry, event: ExchangeFounded) -> Registry:
    if registry.founded is not None:
        return registry
    root = Key(event.key_id, event.operator, event.suite, event.public_key, event.founded_at)
    operator = Participant(
        id=event.operator,
        name_zh=event.title_zh,
        name_en=event.title_en,
        division=None,
        organ_type="exchange",
        level="exchange",
        valid_from=event.founded_at,
    )
    return replace(
        registry,
        founded=event,
        participants={**registry.participants, operator.id: operator},
        keys={**registry.keys, root.id: root},
    )


def _register(registry: Registry, event: ParticipantRegistered) -> Registry:
    before = registry.participants.get(event.participant)
    participant = Participant(
        id=event.participant,
        name_zh=event.name_zh,
        name_en=event.name_en,
        division=event.division,
        organ_type=event.organ_type,
        level=event.level,
        superior=event.superior,
        contact_section=event.contact_section,
        node=event.node,
        valid_from=event.valid_from if before is None else min(before.valid_from, event.valid_from),
    )
    organs = dict(registry.organs)
    if before is not None and before.division is not None:
        place = (before.organ_type, before.division)
        organs[place] = tuple(name for name in organs[place] if name != before.id)
    if participant.division is not None:
        place = (participant.organ_type, participant.division)
        organs[place] = tuple(sorted({*organs.get(place, ()), participant.id}))
    return replace(registry, participants={**registry.participants, participant.id: participant}, organs=organs)


def _suspend(registry: Registry, event: ParticipantSuspended) -> Registry:
    participant = registry.participants.get(event.participant)
    if participant is None:
        return registry
    suspended = replace(participant, suspended_at=event.suspended_at, suspended_until=event.until)
    return replace(registry, participants={**registry.participants, participant.id: suspended})


def _add_key(registry: Registry, event: KeyAdded) -> Registry:
    if event.key_id in registry.keys:
        return registry
    key = Key(event.key_id, event.participant, event.suite, event.public_key, event.valid_from, event.valid_until)
    return replace(registry, keys={**registry.keys, key.id: key})


def _revoke_key(registry: Registry, event: KeyRevoked) -> Registry:
    key = registry.keys.get(event.key_id)
    if key is None or key.participant != event.participant:
        return registry
    earlier = event.revoked_at if key.revoked_at is None else min(key.revoked_at, event.revoked_at)
    revoked = replace(key, revoked_at=earlier, compromised=key.compromised or event.reason == COMPROMISED)
    return replace(registry, keys={**registry.keys, key.id: revoked})


def _propose(registry: Registry, event: AgreementProposed, digest: str) -> Registry:
    ref = agreement_ref(event.agreement, event.version)
    if ref in registry.agreements:
        return registry
    flows: dict[tuple[str, str], tuple[Flow, ...]] = {}
    for flow in event.flows:
        place = (flow.type, flow.from_organ)
        flows[place] = (*flows.get(place, ()), flow)
    agreement = Agreement(ref, event, digest, frozenset(event.members), MappingProxyType(flows))
    return replace(registry, agreements={**registry.agreements, ref: agreement})


def _sign(registry: Registry, event: AgreementSigned, source: str) -> Registry:
    agreement = registry.agreements.get(agreement_ref(event.agreement, event.version))
    if agreement is None or agreement.digest != event.digest or source not in agreement.proposal.signatories:
        return registry
    signed = replace(agreement, signed=agreement.signed | {source})
    return replace(registry, agreements={**registry.agreements, agreement.ref: signed})


def _bad_key(code: str, message: str) -> Refused:
    return Refused(code, message, field="ipxsignature")


def _why_not_in_force(agreement: Agreement, at_ms: int) -> str:
    proposal = agreement.proposal
    if proposal.status == "draft":
        return f"agreement {agreement.ref} is a draft"
    if agreement.missing:
        waiting = ", ".join(agreement.missing[:5])
        return f"agreement {agreement.ref} is not signed yet by {waiting}"
    if not proposal.signatories:
        return f"agreement {agreement.ref} names no signatory"
    if at_ms < proposal.valid_from:
        return f"agreement {agreement.ref} is in force from {format_instant(proposal.valid_from)} on"
    return f"agreement {agreement.ref} was in force until {format_instant(proposal.valid_until or 0)}"
