"""What the clues room says: results to those who reported, why a move had no effect, where a reporter is to go.

Every emission is a function of the state and the logged event and nothing else, carries no restricted field, and is told
only to who must know: an organ that has had no part in a clue is told what it would be told if there were no such clue.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from services.clues import rules
from services.clues.competence import Competent
from services.clues.rules import MOVE_ZH, STAGE_ZH, Rule
from services.clues.state import Clue, Move, Report, Stage
from services.codec.statement import MAX_ADDRESSEES
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
from services.kernel.parties import is_exchange_part
from services.runtime.fold import Emission, Logged


def results(before: Clue, logged: Logged, event: Move) -> tuple[Emission, ...]:
    """The result of a clue, to each organ that reported it; none for a step on the way, none to who decided itself."""
    decider = logged.entry.statement.source
    match event:
        case ClueAccepted() | ClueVerified():
            return ()
        case ClueFiled() | ClueNotFiled():
            told = [_report_behind(before, r, decider) for r in before.reporters if r != decider]
        case ClueReturned():  # only who handed it there has it back
            behind = (_report_behind(before, r, decider) for r in before.reporters if r != decider)
            told = [report for report in behind if decider in report.to]
        case _:
            assert_never(event)
    return tuple(
        _emission(logged, _result(event, logged, report), (report.source,), ordinal)
        for ordinal, report in enumerate(told)
    )


def _report_behind(clue: Clue, reporter: str, holder: str) -> Report:
    """The last report by which that holder has the clue from that reporter; else the reporter's last one."""
    own = [report for report in clue.reports if report.source == reporter]
    return next((report for report in reversed(own) if holder in report.to), own[-1])


def _result(event: ClueFiled | ClueNotFiled | ClueReturned, logged: Logged, report: Report) -> ClueResultReturned:
    result = ClueResultReturned(
        result=Stage.FILED.value,
        origin=report.source,
        handled_by=logged.entry.statement.source,
        report_event=report.event,
        result_event=logged.id,
        reported_at=report.admitted_ms,
        decided_at=logged.admitted_ms,
    )
    match event:
        case ClueFiled():
            return replace(result, case_number=event.case_number, filed_on=event.filed_on)
        case ClueNotFiled():
            return replace(result, result=Stage.NOT_FILED.value, ground=event.ground)
        case ClueReturned():
            return replace(result, result=Stage.RETURNED.value, return_reason=event.reason)
        case _:
            assert_never(event)


def no_effect(clue: Clue, logged: Logged, event: ClueEvent, rule: Rule) -> tuple[Emission, ...]:
    """Why a move has no effect, to who made it and to who got a copy; strangers to the clue learn nothing of it."""
    statement = logged.entry.statement
    audience = {statement.source, *(d.recipient for d in logged.entry.deliveries)}
    told = sorted(participant for participant in audience if not is_exchange_part(participant))
    insiders = [participant for participant in told if participant in clue.informed]
    strangers = [participant for participant in told if participant not in clue.informed]
    said = [(_explained(clue, logged, event, rule), group) for group in _groups(insiders)]
    said += [(_explained(Clue(), logged, event, _as_told_outside(rule, event)), group) for group in _groups(strangers)]
    return tuple(_emission(logged, answer, group, ordinal) for ordinal, (answer, group) in enumerate(said))


def _as_told_outside(rule: Rule, event: ClueEvent) -> Rule:
    if not isinstance(event, ClueReported):
        return rules.UNKNOWN_CLUE
    return rule if rule is rules.NO_RETRANSFER else rules.REPORTED_ALREADY


def _groups(participants: list[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(participants[i : i + MAX_ADDRESSEES]) for i in range(0, len(participants), MAX_ADDRESSEES))


def _explained(clue: Clue, logged: Logged, event: ClueEvent, rule: Rule) -> MoveHadNoEffect:
    mover = logged.entry.statement.source
    possible = clue.possible()
    if mover in possible:
        possible = {mover: possible[mover]}
    stage = clue.stage_of(mover) or clue.stage
    holders = [h.participant for h in clue.holdings]
    name = type(event).__name__
    words = {"mover": mover, "filed_by": clue.filed_by or "", "stage": stage.value, "move": name}
    words_zh = {**words, "stage": STAGE_ZH[stage], "move": f"“{MOVE_ZH[name]}”"}
    return MoveHadNoEffect(
        rule=rule.code,
        article=rule.article,
        attempted=event.TYPE,
        attempted_event=logged.id,
        attempted_by=mover,
        state=stage.value,
        possible=tuple(sorted({move for moves in possible.values() for move in moves})),
        possible_by=tuple(sorted(possible)),
        explanation_zh=rule.zh.format(**words_zh, holders="、".join(holders)),
        explanation_en=rule.en.format(**words, holders=", ".join(holders)),
    )


def referral(logged: Logged, competent: Competent) -> Emission:
    """What the bureau that took a public report without power over it is to tell the reporter."""
    source = logged.entry.statement.source
    named = competent.name_zh or f"{competent.division}.{competent.organ_type}"
    answer = ReporterReferral(
        rule=rules.REFERRAL_CODE,
        article=rules.referral_article(logged.admitted_ms),
        report_event=logged.id,
        received_by=source,
        competent_division=competent.division,
        competent_organ_type=competent.organ_type,
        competent_participant=competent.participant,
        competent_name_zh=competent.name_zh,
        competent_name_en=competent.name_en,
        explanation_zh=rules.REFERRAL_ZH.format(name=named, place=competent.division),
        explanation_en=rules.REFERRAL_EN.format(name=competent.name_en or named, place=competent.division),
    )
    return _emission(logged, answer, (source,), 0)


def _emission(
    logged: Logged,
    event: ClueResultReturned | MoveHadNoEffect | ReporterReferral,
    addressee: tuple[str, ...],
    ordinal: int,
) -> Emission:
    return Emission(
        event=event,
        subject=logged.entry.statement.subject,
        addressee=addressee,
        cause=logged.id,
        ordinal=ordinal,
        time_ms=logged.admitted_ms,
    )
