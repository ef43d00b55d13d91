"""Which records of the members log prove that an event was allowed: the least part whose fold answers as the whole does. Pure.

For every participant, key, agreement and calendar year that is concerned, all that the log says of it is taken, also what speaks against it; and so on for
whoever said that, down to the founding (``services/ledger/FORMAT.md`` section 6.6).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import assert_never

from services.codec.entry import Entry
from services.codec.signature import parse_signature
from services.events.member import (
    AgreementProposed,
    AgreementSigned,
    CalendarPublished,
    ExchangeFounded,
    KeyAdded,
    KeyRevoked,
    MemberEvent,
    ParticipantRegistered,
    ParticipantSuspended,
)
from services.kernel.parties import agreement_ref
from services.members.reading import MemberRecord

_Subject = tuple[str, str]
"""A participant, a key, an agreement or a calendar year: its kind and its name."""


def excerpt_for(entry: Entry, records: Sequence[MemberRecord], own: MemberEvent | None = None) -> list[MemberRecord]:
    """The records to go with an entry, in order. ``records`` are all that admission had applied, ``own`` the event itself if it is of the
    members log."""
    by_subject: dict[_Subject, list[MemberRecord]] = defaultdict(list)
    for record in records:
        for subject in _speaks_of(record.event):
            by_subject[subject].append(record)
    taken = {record.entry.seq: record for record in records[:1]}
    waiting = list(_concerned(entry, own))
    seen = set(waiting)
    while waiting:
        for record in by_subject[waiting.pop()]:
            if record.entry.seq not in taken:
                taken[record.entry.seq] = record
                fresh = set(_concerned(record.entry, record.event)) - seen
                seen |= fresh
                waiting += fresh
    return [taken[seq] for seq in sorted(taken)]


def _speaks_of(event: MemberEvent) -> Iterable[_Subject]:
    """What a reader who asks for this subject must read."""
    match event:
        case ParticipantRegistered() | ParticipantSuspended():
            return (("participant", event.participant),)
        case KeyAdded() | KeyRevoked():
            return (("key", event.key_id),)
        case AgreementProposed() | AgreementSigned():
            return (("agreement", agreement_ref(event.agreement, event.version)),)
        case CalendarPublished():
            return (("calendar", str(event.year)),)
        case ExchangeFounded():
            return ()
        case _:
            assert_never(event)


def _concerned(entry: Entry, event: MemberEvent | None) -> Iterable[_Subject]:
    """Whom and what one must know to judge an entry."""
    statement = entry.statement
    people = {statement.source, *statement.addressees, *(delivery.recipient for delivery in entry.deliveries)}
    yield "key", parse_signature(entry.signature).key_id
    if statement.agreement != "-":
        yield "agreement", statement.agreement
    match event:
        case ParticipantRegistered():
            people |= {event.participant} if event.superior is None else {event.participant, event.superior}
        case ParticipantSuspended():
            people.add(event.participant)
        case KeyAdded() | KeyRevoked():
            people.add(event.participant)
            yield "key", event.key_id
        case AgreementProposed():
            people.update(event.signatories)
            yield "agreement", agreement_ref(event.agreement, event.version)
        case AgreementSigned():
            yield "agreement", agreement_ref(event.agreement, event.version)
        case CalendarPublished():
            yield "calendar", str(event.year)
        case ExchangeFounded() | None:
            pass
        case _:
            assert_never(event)
    for name in people:
        yield "participant", name
