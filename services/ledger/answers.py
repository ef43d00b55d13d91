"""How statements of completeness stand: confirmed, disputed or not answered. A fold over the receipts log, in any order. Pure.

``services/ledger/FORMAT.md`` section 6.8. An answer counts for the statement that it names, when it is of the recipient, log and day of that
statement; admission has already seen to it that a participant answers for itself alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from services.events.receipt import CompletenessConfirmed, CompletenessDisputed, CompletenessStated
from services.runtime.fold import Logged

State = Literal["confirmed", "disputed", "silent"]
Answer = CompletenessConfirmed | CompletenessDisputed
TYPES: Final = frozenset(event.TYPE for event in (CompletenessStated, CompletenessConfirmed, CompletenessDisputed))


@dataclass(frozen=True, slots=True)
class Standing:
    """One statement and what became of it. Instants as admission gave them."""

    id: str
    stated: CompletenessStated
    stated_at: str
    state: State
    answer: Answer | None = None
    answered_at: str | None = None


def standings(logged: Iterable[Logged], day: int | None = None) -> tuple[Standing, ...]:
    """Every statement, of one day or of all, by day, recipient and log. Entries of other types are passed over."""
    statements: dict[str, tuple[CompletenessStated, str]] = {}
    answers: dict[str, tuple[Answer, str]] = {}
    for one in logged:
        event = one.event
        if isinstance(event, CompletenessStated):
            statements.setdefault(one.id, (event, one.entry.admitted))
        elif isinstance(event, CompletenessConfirmed | CompletenessDisputed):
            answers.setdefault(event.event, (event, one.entry.admitted))
    found = (
        _standing(event_id, stated, stated_at, answers.get(event_id))
        for event_id, (stated, stated_at) in statements.items()
        if day is None or stated.admitted_on == day
    )
    return tuple(sorted(found, key=lambda each: (each.stated.admitted_on, each.stated.recipient, each.stated.log)))


def _standing(
    event_id: str, stated: CompletenessStated, stated_at: str, answered: tuple[Answer, str] | None
) -> Standing:
    if answered is None:
        return Standing(event_id, stated, stated_at, "silent")
    answer, answered_at = answered
    asked = (stated.recipient, stated.log, stated.admitted_on)
    if (answer.recipient, answer.log, answer.admitted_on) != asked:
        return Standing(event_id, stated, stated_at, "silent")
    is_same = isinstance(answer, CompletenessConfirmed) and (answer.first_number, answer.count, answer.root) == (
        stated.first_number,
        stated.count,
        stated.root,
    )
    return Standing(event_id, stated, stated_at, "confirmed" if is_same else "disputed", answer, answered_at)
