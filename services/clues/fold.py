"""What an event of the clues log does to its clue: a pure, total function of state and event.

Rules are in ``state.py`` (transition table) and ``rules.py`` (why a move has no effect, with its article). A move without
effect is answered, never refused: the log keeps what was said, the fold decides what it means (design section 6).
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from services.clues import rules
from services.clues.answers import no_effect, referral, results
from services.clues.competence import Competent, competent_for
from services.clues.rules import Rule
from services.clues.state import MADE_BEFORE, TERMINAL, TRANSITIONS, Clue, Move, Report, Stage, with_holdings
from services.events import Event
from services.events.clue import (
    ClueAccepted,
    ClueEvent,
    ClueFiled,
    ClueNotFiled,
    ClueReported,
    ClueResultReturned,
    ClueReturned,
    ClueVerified,
    MoveHadNoEffect,
    ReporterReferral,
)
from services.members.jurisdiction import Routes
from services.runtime.fold import Folded, Logged, World

PUBLIC_REPORT = "public_report"


def key_of(logged: Logged) -> tuple[str, ...]:
    """The clue's number: one subject, one state."""
    return (logged.entry.statement.subject,)


def fold(routes: Routes, state: Clue | None, logged: Logged, world: World) -> Folded[Clue | None]:
    """The next state and what is to be said. A redelivered event changes nothing and says nothing.

    ``routes`` is the routing table, bound once by ``worker.py``.
    """
    clue = state or Clue()
    if logged.seq <= clue.last_seq or logged.id in clue.events:
        return Folded(clue)
    clue = replace(clue, last_seq=logged.seq)
    event = _of_this_family(logged.event)
    match event:
        case ClueReported():
            return _report(clue, logged, event, routes, world)
        case ClueAccepted() | ClueReturned() | ClueVerified() | ClueFiled() | ClueNotFiled():
            return _move(clue, logged, event)
        case ClueResultReturned() | MoveHadNoEffect() | ReporterReferral() | None:
            return Folded(clue)  # the room's own words coming back
        case _:
            assert_never(event)


def _of_this_family(event: Event) -> ClueEvent | None:
    return event if isinstance(event, ClueEvent) else None


def _move(clue: Clue, logged: Logged, event: Move) -> Folded[Clue | None]:
    """A step of an organ that holds the clue, where the transition table has it."""
    mover = logged.entry.statement.source
    reached = _reached(clue, mover, event)
    if isinstance(reached, Rule):
        return Folded(clue, no_effect(clue, logged, event, reached))
    moved = replace(clue, holdings=with_holdings(clue.holdings, (mover,), reached))
    return Folded(_took_effect(moved, logged), results(clue, logged, event))


def _reached(clue: Clue, mover: str, event: Move) -> Stage | Rule:
    """The stage that the mover comes to, or the rule by which the move has no effect."""
    if not clue.exists:
        return rules.UNKNOWN_CLUE
    if clue.referred:
        return rules.REFERRED
    stage = clue.stage_of(mover)
    if stage is None:
        return rules.NOT_HOLDER
    if clue.filed_by not in (None, mover):
        return rules.FIRST_TO_FILE
    if stage in TERMINAL:
        return rules.CLOSED
    if type(event) in MADE_BEFORE.get(stage, ()):
        return rules.DONE_BEFORE
    return TRANSITIONS[stage].get(type(event), rules.WRONG_ORDER)


def _report(clue: Clue, logged: Logged, event: ClueReported, routes: Routes, world: World) -> Folded[Clue | None]:
    """A first report opens the clue; a later one re-addresses it after a return, or joins another organ's report."""
    rule = _why_not_reported(clue, logged)
    if rule is not None:
        return Folded(clue, no_effect(clue, logged, event, rule))
    source = logged.entry.statement.source
    competent = competent_for(world.registry(logged.entry.members), routes, logged, event)
    if event.subtype == PUBLIC_REPORT and competent is not None and competent.participant != source:
        return Folded(_referred(clue, logged), (referral(logged, competent),))
    holders = _holders(logged, event, competent)
    started = tuple(holder for holder in holders if clue.stage_of(holder) in (None, Stage.RETURNED))
    opened = replace(
        clue,
        reports=(*clue.reports, Report(logged.id, source, logged.admitted_ms, holders)),
        holdings=with_holdings(clue.holdings, started, Stage.REPORTED),
    )
    return Folded(_took_effect(opened, logged))


def _referred(clue: Clue, logged: Logged) -> Clue:
    """A public report opens no clue at a bureau without power, and takes nothing from one that others handle."""
    if clue.exists:
        return clue
    report = Report(logged.id, logged.entry.statement.source, logged.admitted_ms, ())
    return _took_effect(replace(clue, reports=(report,), referred=True), logged)


def _why_not_reported(clue: Clue, logged: Logged) -> Rule | None:
    statement = logged.entry.statement
    if not clue.exists:
        return None
    if clue.referred:
        return rules.REFERRED
    is_reporter = statement.source in clue.reporters
    if not is_reporter and clue.stage_of(statement.source) is not None:
        return rules.NO_RETRANSFER
    if clue.filed_by is not None:
        return rules.FIRST_TO_FILE
    if clue.stage in TERMINAL:
        return rules.CLOSED
    names_the_clue = statement.cause in clue.events
    if names_the_clue and (not is_reporter or clue.may_be_reported_again):
        return None
    return rules.REPORTED_ALREADY


def _holders(logged: Logged, event: ClueReported, competent: Competent | None) -> tuple[str, ...]:
    """Whoever may act: the named addressees, or the organ with jurisdiction. A copy gives no power to act."""
    statement = logged.entry.statement
    if event.subtype == PUBLIC_REPORT:
        return (statement.source,)
    if statement.addressees:
        return statement.addressees
    recipients = tuple(delivery.recipient for delivery in logged.entry.deliveries)
    if competent is not None and competent.participant in (statement.source, *recipients):
        return (competent.participant,)
    return recipients


def _took_effect(clue: Clue, logged: Logged) -> Clue:
    statement = logged.entry.statement
    had_a_copy = {statement.source, *(delivery.recipient for delivery in logged.entry.deliveries)}
    return replace(
        clue,
        events=(*clue.events, logged.id),
        informed=tuple(sorted({*clue.informed, *had_a_copy, *(h.participant for h in clue.holdings)})),
    )
