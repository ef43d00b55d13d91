"""The transfers room around the fold of a case: an entry of the log in, the case and what is to be said of it out. Pure.

What a move means is decided in ``services/cases``, which a node and an auditor run as well; here is only what the room adds: the
state table's key, the registry at the size that counts, and the derived events (``answers.py``).
"""

from __future__ import annotations

from services.cases.fold import Said, ripe, step
from services.cases.laws import Laws
from services.cases.state import Case
from services.events.transfer import CalendarApplied, TransferMoved, TransferOpened
from services.runtime.fold import Folded, Logged, World
from services.transfers.answers import clock_events, no_effect

Heard = TransferOpened | TransferMoved | CalendarApplied


def key_of(logged: Logged) -> tuple[str, ...]:
    """The number of the case; nothing for the room's own words coming back."""
    return (logged.entry.statement.subject,) if isinstance(logged.event, Heard) else ()


def fold(laws: Laws, state: Case | None, logged: Logged, world: World) -> Folded[Case | None]:
    """The case after an entry, and what it says. A redelivered entry changes nothing and says nothing.

    ``laws`` are data of the release, bound once by ``worker.py``.
    """
    event = logged.event
    if not isinstance(event, Heard):
        return Folded(state)
    around = laws.at_entry(state, logged.entry.members, world.registry)
    said = said_of(logged, event)
    done = step(state, said, around)
    emissions = clock_events(done.case, done.changes, around)
    if done.refused is not None:
        emissions = (*emissions, *no_effect(done.case, done.refused, said, around))
    return Folded(done.case, emissions)


def said_of(logged: Logged, event: Heard) -> Said:
    """The entry as a case hears it."""
    statement = logged.entry.statement
    return Said(
        event=logged.id,
        source=statement.source,
        addressees=statement.addressees,
        recipients=tuple(delivery.recipient for delivery in logged.entry.deliveries),
        seq=logged.seq,
        time_ms=statement.time_ms,
        admitted_ms=logged.admitted_ms,
        members=logged.entry.members,
        subject=statement.subject,
        body=event,
    )


def tick(laws: Laws, state: Case, at_ms: int, world: World) -> Folded[Case]:
    """The case after a due time: its warnings and ends that have come are told, by the calendar that the case was last judged by."""
    around = laws.of_case(state, world.registry)
    done = ripe(state, at_ms, around)
    return Folded(done.case, clock_events(done.case, done.changes, around))
