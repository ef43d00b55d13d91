"""A case as an officer reads it: its story, who is in it, which clocks run and why, who must act next. Pure.

`ipx cases show` and ``GET /v1/cases/{case}`` show this document; what has no value is left out of it. Nothing restricted is in a
case, and a participant that was not told of a case is shown nothing of it, in the same way as when there is none.

An instant other than the present one says how the clocks stand then by what is known of the case now.
"""

from collections.abc import Iterable
from typing import Any

from services.cases.clocks import verdicts
from services.cases.instances import unruled
from services.cases.lines import case_line
from services.cases.possibilities import possible, rule_of
from services.cases.state import Case, Clock, Fact
from services.cases.steps import Around
from services.cases.table import Kind
from services.cases.wording import (
    CLOCK_STATES,
    OPEN_STATES,
    awaited,
    is_owed,
    moment_words,
    move_words,
    part_words,
    who,
)
from services.kernel.instants import format_instant
from services.kernel.verdict import Verdict

Judged = tuple[Clock, Verdict, tuple[str, ...]]
"""A clock, its verdict, and who must act."""

_NO_END = 1 << 62


def verdict_document(case: Case, around: Around, now_ms: int) -> dict[str, Any]:
    """Every clock of a case with its verdict at a time: what sender, receiver and auditor compare, as canonical JSON."""
    return {
        "case": case.subject,
        "at": format_instant(now_ms),
        "clocks": [
            {"clock": clock.key, "actors": list(actors), **verdict.document()}
            for clock, verdict, actors in verdicts(case, around, now_ms)
        ],
    }


def case_view(case: Case, around: Around, now_ms: int, participant: str | None) -> dict[str, Any] | None:
    """The document of a case at a time; None when there is no such case, or none that the participant was told of.

    ``participant`` None is the operator, who sees every case. ``around`` holds the members log that the case was last judged by.
    """
    if not case.exists or (participant is not None and participant not in case.informed):
        return None
    kind = around.tables.kinds[case.kind]
    judged = verdicts(case, around, now_ms)
    still = [each for each in judged if each[1].state in OPEN_STATES]
    return {
        **case_line(case, around, now_ms),
        "row": kind.row,
        "source": kind.source,
        "at": format_instant(now_ms),
        "parts": [part_words(part, kind, around.registry) for part in case.parts],
        "story": [_told(fact, kind, around) for fact in _in_time(case.facts)],
        "next": _next(still, around),
        "open_clocks": [_clock(each, around) for each in sorted(still, key=lambda each: _urgency(each, around))],
        "ended_clocks": [_clock(each, around) for each in judged if each[1].state not in OPEN_STATES],
        "no_clocks": [
            {"rule": one.rule, "moment": one.moment, "zh": one.zh, "en": one.en}
            for one in unruled(case, kind, around.rules)
        ],
        "possible": [_possible(each.participant, each.moves, kind, around) for each in possible(case, around)],
        "relates_to": list(case.relates_to),
    }


def _in_time(facts: Iterable[Fact]) -> list[Fact]:
    """As they happened; what happened at one moment in the order in which it was told."""
    return sorted(facts, key=lambda fact: fact.happened_ms)


def _told(fact: Fact, kind: Kind, around: Around) -> dict[str, Any]:
    zh, en = move_words(fact.move, kind, around.tables)
    moments = []
    for moment in fact.moments:
        moment_zh, moment_en = moment_words(moment, fact, around.rules)
        moments.append({"moment": moment.word, "zh": moment_zh, "en": moment_en, "at": format_instant(moment.at_ms)})
    return {
        "event": fact.event,
        "move": fact.move,
        "zh": zh,
        "en": en,
        "by": who(fact.source, around.registry),
        "happened_at": format_instant(fact.happened_ms),
        "admitted_at": format_instant(fact.admitted_ms),
        "moments": moments,
    }


def _clock(judged: Judged, around: Around) -> dict[str, Any]:
    clock, verdict, actors = judged
    rule = rule_of(clock, around)
    state_zh, state_en = CLOCK_STATES[verdict.state]
    document: dict[str, Any] = {
        "clock": clock.key,
        "state_zh": state_zh,
        "state_en": state_en,
        "overdue": _owes(judged, around),
        "must_act": [who(actor, around.registry) for actor in actors],
        **{name: value for name, value in verdict.document().items() if value is not None},
    }
    if rule is not None:
        awaits_zh, awaits_en = awaited(rule)
        document |= {"zh": rule.zh, "en": rule.en, "awaits_zh": awaits_zh, "awaits_en": awaits_en}
        document |= {"consequence_zh": rule.consequence_zh, "consequence_en": rule.consequence_en}
    return document


def _next(still: Iterable[Judged], around: Around) -> list[dict[str, Any]]:
    """Who must act, what is overdue first, then what is due first; a term that stands still asks nobody for anything."""
    asked = [each for each in still if each[1].state == "running" or _owes(each, around)]
    lines = []
    for clock, verdict, actors in sorted(asked, key=lambda each: _urgency(each, around)):
        rule = rule_of(clock, around)
        named = {"zh": clock.rule, "en": clock.rule} if rule is None else {"zh": rule.zh, "en": rule.en}
        due = {} if verdict.due_at is None else {"due_at": format_instant(verdict.due_at)}
        overdue = _owes((clock, verdict, actors), around)
        lines += [
            {**who(actor, around.registry), "clock": clock.key, **named, "overdue": overdue, **due} for actor in actors
        ]
    return lines


def _owes(judged: Judged, around: Around) -> bool:
    clock, verdict, _ = judged
    rule = rule_of(clock, around)
    return verdict.state == "expired" and not verdict.advisory and rule is not None and is_owed(rule)


def _urgency(judged: Judged, around: Around) -> tuple[bool, bool, int, str]:
    clock, verdict, _ = judged
    due = _NO_END if verdict.due_at is None else verdict.due_at
    return not _owes(judged, around), verdict.state != "running", due, clock.key


def _possible(participant: str, moves: Iterable[str], kind: Kind, around: Around) -> dict[str, Any]:
    named = [(move, *move_words(move, kind, around.tables)) for move in moves]
    return {
        **who(participant, around.registry),
        "moves": [{"move": move, "zh": zh, "en": en} for move, zh, en in named],
    }
