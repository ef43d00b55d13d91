"""What the transfers room says: why a move had no effect, and what has changed about a clock.

Every emission is a function of the case and the logged event and nothing else and carries no restricted field. Clocks are told
to the parties of the case. A participant that has had no part in a case is told what it would be told if there were no such case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict, assert_never

from services.cases.answers import outsiders_answer
from services.cases.clocks import ORDINALS
from services.cases.state import Case
from services.cases.steps import Around, ClockChange, NoEffect, Said
from services.cases.told import as_told
from services.codec.statement import MAX_ADDRESSEES
from services.events.notice import (
    ClockExpired,
    ClockMoved,
    ClockResumed,
    ClockStarted,
    ClockStopped,
    ClockSuspended,
    ClockVerdict,
    ClockWarned,
    NoticeEvent,
)
from services.events.transfer import MoveHadNoEffect
from services.kernel.clock_rules import ClockRule
from services.kernel.parties import is_exchange_part
from services.runtime.fold import Emission


def no_effect(case: Case, why: NoEffect, said: Said, around: Around) -> tuple[Emission, ...]:
    """Why a move has no effect, to who made it and to who got a copy; strangers to the case learn nothing of it."""
    audience = {said.source, *said.recipients}
    told = sorted(participant for participant in audience if not is_exchange_part(participant))
    insiders = [participant for participant in told if participant in case.informed]
    strangers = [participant for participant in told if participant not in case.informed]
    answers = [(why, group) for group in _groups(insiders)]
    answers += [(outsiders_answer(case, said, why, around), group) for group in _groups(strangers)]
    return tuple(
        Emission(
            event=_explained(case, answer, said, is_inside=answer is why),
            subject=said.subject,
            addressee=group,
            cause=said.event,
            ordinal=ordinal,
            time_ms=said.admitted_ms,
        )
        for ordinal, (answer, group) in enumerate(answers)
    )


def _explained(case: Case, why: NoEffect, said: Said, *, is_inside: bool) -> MoveHadNoEffect:
    return MoveHadNoEffect(
        rule=why.rule,
        article=why.article,
        kind=case.kind if is_inside and case.exists else None,
        attempted=why.attempted,
        attempted_event=said.event,
        attempted_by=said.source,
        state=why.state,
        possible=why.possible,
        explanation_zh=why.zh,
        explanation_en=why.en,
    )


def clock_events(case: Case, changes: Iterable[ClockChange], around: Around) -> tuple[Emission, ...]:
    """What has changed about the clocks of a case, to those who were its parties then."""
    return tuple(
        Emission(
            event=_told(case, change, around),
            subject=case.subject,
            addressee=group,
            cause=change.cause,
            ordinal=change.ordinal + number * ORDINALS,
            time_ms=change.time_ms,
        )
        for change in changes
        for number, group in enumerate(_groups(change.parties))
    )


def _groups(participants: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(participants[i : i + MAX_ADDRESSEES]) for i in range(0, len(participants), MAX_ADDRESSEES))


class _OfClock(TypedDict):
    """What every event of a clock says."""

    clock: str
    rule: str
    rule_valid_from: int | None
    kind: str
    actors: tuple[str, ...]
    verdict: ClockVerdict


def _told(case: Case, change: ClockChange, around: Around) -> NoticeEvent:
    clock, before = change.clock, change.before
    was_state = "not_started" if before is None else before.told_state
    of_clock = _OfClock(
        clock=clock.key,
        rule=clock.rule,
        rule_valid_from=clock.valid_from,
        kind=case.kind,
        actors=change.actors,
        verdict=as_told(change.verdict),
    )
    match change.what:
        case "started":
            return ClockStarted(**of_clock, trigger_event=clock.trigger)
        case "moved":
            was_due_at = None if before is None else before.due_at
            return ClockMoved(**of_clock, why=change.why or "late_entry", was_due_at=was_due_at, was_state=was_state)
        case "suspended":
            return ClockSuspended(**of_clock, grounds=change.grounds)
        case "resumed":
            return ClockResumed(**of_clock)
        case "warned":
            return ClockWarned(**of_clock)
        case "expired":
            version = _version(change, around)
            return ClockExpired(
                **of_clock,
                awaited=tuple(word.id for word in version.stops),
                consequence_zh=version.consequence_zh,
                consequence_en=version.consequence_en,
            )
        case "stopped":
            return ClockStopped(**of_clock, was_state=was_state, stop_event=_stop_event(case, change, around))
        case _:
            assert_never(change.what)


def _version(change: ClockChange, around: Around) -> ClockRule:
    versions = around.rules.versions(change.clock.rule)
    return next(version for version in versions if version.valid_from == change.clock.valid_from)


def _stop_event(case: Case, change: ClockChange, around: Around) -> str | None:
    """The event that told what ended the clock: of those that happened then, the one that its rule ends by."""
    version, at_ms = _version(change, around), change.verdict.ended_at
    ends = version.ids["falls_away" if change.verdict.state == "ended" else "stops"]
    found = (
        (moment.word, moment.id)
        for fact in case.facts
        for moment in fact.moments
        if moment.kind == "happened" and moment.word in ends and moment.at_ms == at_ms
    )
    return min(found, default=(None, None))[1]
