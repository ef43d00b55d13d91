"""What an entry or a tick does to a case: a pure, total function of the state, what is said, and the world around it.

The steps of an entry, with the same numbers in the code:

1. What came before, again, changes nothing and says nothing (``seq``).
2. Every tick that was due before the entry was admitted is done first, in the world as it was then: so every interleaving of ticks and
   entries says the same.
3. The entry has effect by the table of its kind (`openings.py`, `moves.py`), or the first rule that forbids it is answered.
4. The clocks that hear what it tells are computed again (`clocks.py`), and what changed is told.

A move without effect is answered, never refused: the log keeps what was said, the fold decides what it means (design section 6).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from services.cases.answers import no_effect, outsiders_answer
from services.cases.clocks import due_of, recomputed, ripened
from services.cases.moves import moved, opened_again
from services.cases.openings import opened
from services.cases.possibilities import parties, possible
from services.cases.rules import Refusal
from services.cases.state import Case
from services.cases.steps import Around, ClockChange, NoEffect, Said, Step
from services.events.transfer import CalendarApplied, TransferMoved, TransferOpened

__all__ = [
    "Around",
    "ClockChange",
    "NoEffect",
    "Said",
    "Step",
    "due_of",
    "outsiders_answer",
    "possible",
    "ripe",
    "step",
]


def step(case: Case | None, said: Said, around: Around) -> Step:
    """The case after an entry, why the entry had no effect if it had none, and what is to be told of the clocks.

    Promises: a redelivered entry (``seq``) changes nothing and says nothing; the same entries give the same states and the same words
    wherever they are folded. Raises only on a bug.
    """
    before = case or Case(said.subject)
    if said.seq <= before.last_seq:  # (1)
        return Step(before)
    known, ticked = _ticked(before, said.admitted_ms, around.then)  # (2)
    after = _after(known, said, around)  # (3)
    if isinstance(after, Refusal):
        return Step(replace(known, last_seq=said.seq), no_effect(known, said, after, around), ticked)
    if not after.exists:
        return Step(after, None, ticked)
    new = after.facts[len(known.facts) :]
    told = tuple(moment for fact in new for moment in fact.moments)
    if not told and around.before is None and not isinstance(said.body, CalendarApplied):
        return Step(after, None, ticked)  # no clock hears it, and the calendar is the one that they were told by
    clocks, changes = recomputed(known, after, told, said.event, around, said.admitted_ms)  # (4)
    case = after if clocks == after.clocks else replace(after, clocks=clocks)
    return Step(case, None, (*ticked, *_told_to({*parties(known), *parties(after)}, changes)))


def ripe(case: Case, at_ms: int, around: Around) -> Step:
    """The case after the tick of that time, ``due_of(case)``, and the warnings and expiries that are told by it."""
    clocks, changes = ripened(case, at_ms, around)
    return Step(replace(case, clocks=clocks), None, _told_to(parties(case), changes))


def _told_to(audience: Iterable[str], changes: tuple[ClockChange, ...]) -> tuple[ClockChange, ...]:
    """The changes with whom to tell: who is a party now, not when the words go out, so that a tick is told to the same whenever it is done."""
    told = tuple(sorted(audience)) if changes else ()
    return tuple(replace(change, parties=told) for change in changes)


def _ticked(case: Case, before_ms: int, around: Around) -> tuple[Case, tuple[ClockChange, ...]]:
    changes: list[ClockChange] = []
    due = due_of(case)
    while due is not None and due < before_ms:
        told = ripe(case, due, around)
        case, at = told.case, due
        changes += told.changes
        due = due_of(case)
        assert due is None or due > at, f"the ticks of {case.subject} do not advance past {at}"
    return case, tuple(changes)


def _after(case: Case, said: Said, around: Around) -> Case | Refusal:
    match said.body:
        case TransferOpened():
            return opened_again(case, said, around) if case.exists else opened(said, said.body, around)
        case TransferMoved():
            return moved(case, said, said.body, around)
        case CalendarApplied():
            return replace(case, last_seq=said.seq, members=said.members if case.exists else 0)
        case _:
            assert_never(said.body)
