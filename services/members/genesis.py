"""What the members log lacks of what the data of an exchange says: founding, participants, keys, agreements, calendar years. Pure.

Asked again, it says only what is still missing, so `ipx members init` may run at every start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.codec.keys import PublicKey
from services.codec.signature import SINGLE
from services.events.member import (
    AgreementProposed,
    AgreementSigned,
    ExchangeFounded,
    FamilyLog,
    KeyAdded,
    MemberEvent,
    ParticipantRegistered,
)
from services.kernel.calendar import Calendar
from services.kernel.parties import agreement_ref
from services.members.calendars import NO_CALENDAR, notices_of, published
from services.members.registry import Registry

OPERATOR = "exchange.operator"


@dataclass(frozen=True, slots=True)
class Missing:
    """An event that is to be proposed: who says it, and about what."""

    event: MemberEvent
    source: str
    subject: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an exchange is to have: its families, who takes part, under which agreements, by which calendar."""

    name: str
    title_zh: str
    title_en: str
    families: Mapping[str, int]
    participants: Sequence[ParticipantRegistered]
    agreements: Sequence[AgreementProposed]
    calendar: Calendar = NO_CALENDAR


def missing_from(
    registry: Registry,
    plan: Plan,
    keys: Mapping[str, PublicKey],
    digests: Mapping[str, str],
    now_ms: int,
    more_keys: Sequence[PublicKey] = (),
) -> list[Missing]:
    """Everything of the plan that is not in the registry, in an order in which admission takes it.

    ``keys`` holds the public key of the operator and of whoever is to have one; ``digests`` the body digest of each proposed agreement by
    its reference. An agreement is signed by those signatories whose key is here. ``more_keys`` are further keys of participants of the plan:
    those that sign the checkpoints of the logs.
    """
    missing = list(_founding(registry, plan, keys[OPERATOR], now_ms))
    wanted = _superiors_first(plan.participants)
    missing += [Missing(event, OPERATOR, event.participant) for event in wanted if _is_news(registry, event)]
    missing += _keys(registry, wanted, keys, more_keys, now_ms)
    for proposal in plan.agreements:
        missing += _agreement(registry, proposal, keys, digests, now_ms)
    return [*missing, *missing_notices(registry, plan.calendar)]


def missing_notices(registry: Registry, calendar: Calendar) -> Iterator[Missing]:
    """The notices that the members log lacks, by year and number, in the order of their years and days."""
    for year in calendar.years:
        known = {notice.number for notice in notices_of(registry.calendar, year.year)}
        for notice in year.notices:
            if notice.number not in known:
                yield Missing(published(year.year, notice), OPERATOR, f"calendar-{year.year}")


def _founding(registry: Registry, plan: Plan, root: PublicKey, now_ms: int) -> Iterator[Missing]:
    if registry.founded is None:
        founded = ExchangeFounded(
            name=plan.name,
            operator=OPERATOR,
            key_id=root.key_id,
            suite=SINGLE,
            public_key=root.data,
            founded_at=now_ms,
            families=tuple(FamilyLog(family=family, partitions=count) for family, count in plan.families.items()),
            title_zh=plan.title_zh,
            title_en=plan.title_en,
        )
        yield Missing(founded, OPERATOR, plan.name)


def _is_news(registry: Registry, event: ParticipantRegistered) -> bool:
    """Whether the organ is not registered, or otherwise. One that was suspended is let alone: registering would take it back."""
    known = registry.participants.get(event.participant)
    if known is None:
        return True
    same = ("name_zh", "name_en", "division", "organ_type", "level", "superior", "contact_section", "node")
    return known.suspended_at is None and any(getattr(known, name) != getattr(event, name) for name in same)


def _superiors_first(participants: Sequence[ParticipantRegistered]) -> list[ParticipantRegistered]:
    """An organ may be registered once its superior is."""
    placed: dict[str, ParticipantRegistered] = {}
    waiting = list(participants)
    while waiting:
        ready = [one for one in waiting if one.superior is None or one.superior in placed]
        if not ready:
            return [*placed.values(), *waiting]  # a superior that is not there: admission refuses it by name
        placed |= {one.participant: one for one in ready}
        waiting = [one for one in waiting if one.participant not in placed]
    return list(placed.values())


def _keys(
    registry: Registry,
    wanted: Iterable[ParticipantRegistered],
    keys: Mapping[str, PublicKey],
    more_keys: Sequence[PublicKey],
    now_ms: int,
) -> Iterator[Missing]:
    for registration in wanted:
        name = registration.participant
        own = (
            [keys[name]] if name in keys and name != OPERATOR else []
        )  # the root's is in the log with the founding event
        for public in (*own, *(key for key in more_keys if key.participant == name)):
            if public.key_id not in registry.keys:
                added = KeyAdded(
                    participant=name,
                    key_id=public.key_id,
                    suite=SINGLE,
                    public_key=public.data,
                    valid_from=now_ms,
                )
                yield Missing(added, OPERATOR, name)


def _agreement(
    registry: Registry,
    proposal: AgreementProposed,
    keys: Mapping[str, PublicKey],
    digests: Mapping[str, str],
    now_ms: int,
) -> Iterator[Missing]:
    ref = agreement_ref(proposal.agreement, proposal.version)
    known = registry.agreements.get(ref)
    if known is None:
        yield Missing(proposal, OPERATOR, ref)
    if proposal.status == "draft":
        return
    signed = frozenset[str]() if known is None else known.signed
    for signatory in proposal.signatories:
        if signatory in keys and signatory not in signed:
            event = AgreementSigned(
                agreement=proposal.agreement,
                version=proposal.version,
                digest=digests[ref] if known is None else known.digest,
                signed_at=now_ms,
            )
            yield Missing(event, signatory, ref)
