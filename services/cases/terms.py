"""The moves that every kind has: to extend a term, to suspend it on a ground, to let it run again. They change clocks and no state.

Steps (6) to (10) of `moves.py` for them: what they need is there, a clock of the case knows them by its rule, they are made by whoever
must act for it (by the opener for an organ outside the exchange), and an extension comes in time and not too often.
"""

from typing import Final

from services.cases import rules
from services.cases.bounds import no_grant, no_standstill
from services.cases.openings import absent, happened_ms
from services.cases.possibilities import actor_roles, questionable
from services.cases.rules import Refusal, Words, fields_missing
from services.cases.state import Case, Clock, Fact
from services.cases.steps import Around, Said
from services.cases.table import Kind
from services.events.transfer import TransferMoved
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule, Extension
from services.kernel.instants import format_minute

_LONGEST_GRANT: Final = 1_000  # clock_moments.Moment takes none longer
_NEEDS: Final = {"extend": ("rule", "extension"), "suspend": ("ground",), "resume": ("ground",)}
_Question = tuple[Clock, ClockRule]


def on_term(case: Case, kind: Kind, said: Said, body: TransferMoved, around: Around) -> Fact | Refusal:
    """The fact that one of these moves adds to a case, or the rule by which it has no effect."""
    missing = absent(body, _NEEDS[body.move])
    if missing:
        return fields_missing(rules.INCOMPLETE_MOVE, missing)
    asked = [one for one in questionable(case, around) if _knows(one, body)]
    if not asked:
        return _unknown(body, around)
    acts = actor_roles(case, kind, said.source)
    mine = [(clock, rule) for clock, rule in asked if rule.actor.id in acts]
    if not mine:
        actors = {rule.actor.id: rule.actor for _, rule in asked}.values()
        return Words(tuple(one.zh for one in actors), tuple(one.en for one in actors)).of(rules.NOT_YOURS)
    happened = happened_ms(case, said, body)
    counted = _counted_from(mine, body, said, happened)
    refusal = _no_extension(case, mine, body, counted) if body.move == "extend" else _no_standstill(case, asked)
    if refusal is not None:
        return refusal
    return Fact(
        said.event, said.source, body.move, happened, said.admitted_ms, (_moment(said, body, counted),), body.rule
    )


def _counted_from(mine: list[_Question], body: TransferMoved, said: Said, happened_ms: int) -> int:
    """When a move counts: as it happened, but for an extension that is itself a notice to the other side, when that had it."""
    told = body.move == "extend" and any(_extension(rule, body.extension).at == "admitted" for _, rule in mine)
    return said.admitted_ms if told else happened_ms


def _no_standstill(case: Case, asked: list[_Question]) -> Refusal | None:
    """Why a suspension or resumption changes nothing: one of the clocks that it reaches has had as many as it may."""
    found = (no_standstill(case, rule) for _, rule in asked)
    return next((refusal for refusal in found if refusal is not None), None)


def _moment(said: Said, body: TransferMoved, at_ms: int) -> Moment:
    if body.move == "extend":
        return Moment("extended", body.extension or "", at_ms, said.event, body.length)
    return Moment("suspended" if body.move == "suspend" else "resumed", body.ground or "", at_ms, said.event)


def _knows(question: _Question, body: TransferMoved) -> bool:
    clock, rule = question
    if body.rule not in (None, clock.rule):
        return False
    if body.move == "extend":
        return body.extension in rule.ids["extensions"]
    return body.ground in rule.ids["exclusions"]


def _unknown(body: TransferMoved, around: Around) -> Refusal:
    if body.move == "extend":
        named = f"{body.rule}/{body.extension}"
        return Refusal(rules.CLOCK_DOES_NOT_KNOW, named, named)
    ground = around.rules.grounds.get(body.ground or "")
    return Refusal(
        rules.CLOCK_DOES_NOT_KNOW,
        ground.zh if ground else body.ground or "",
        ground.en if ground else body.ground or "",
    )


def _no_extension(case: Case, mine: list[_Question], body: TransferMoved, happened_ms: int) -> Refusal | None:
    """Why an extension changes none of the clocks: it states no length, comes after the end, or was granted before."""
    found = [(clock, _extension(rule, body.extension)) for clock, rule in mine]
    unstated = body.length is None and all(extension.stated == "required" for _, extension in found)
    if unstated or (body.length is not None and not 1 <= body.length <= _LONGEST_GRANT):
        return fields_missing(rules.INCOMPLETE_MOVE, ("length",))
    ends = [_ended_before(clock, extension, happened_ms) for clock, extension in found]
    if all(end is not None for end in ends):
        latest = format_minute(max(end or 0 for end in ends))
        return Refusal(rules.EXTENDED_TOO_LATE, latest, latest)
    extension = found[-1][1]
    if extension.times is not None and _granted(case, body) >= extension.times * _instances(case, body.rule):
        return Refusal(rules.EXTENDED_BEFORE, extension.zh, extension.en)
    return no_grant(case, mine[-1][1], extension.id, body.length)


def _extension(rule: ClockRule, extension_id: str | None) -> Extension:
    return next(extension for extension in rule.extensions if extension.id == extension_id)


def _ended_before(clock: Clock, extension: Extension, happened_ms: int) -> int | None:
    """The end that had come when the extension was granted, where it must be granted before."""
    late = extension.granted == "before_expiry" and clock.due_at is not None and clock.due_at < happened_ms
    return clock.due_at if late else None


def _granted(case: Case, body: TransferMoved) -> int:
    granted = (moment for fact in case.facts if fact.scope == body.rule for moment in fact.moments)
    return sum(moment.kind == "extended" and moment.word == body.extension for moment in granted)


def _instances(case: Case, rule_id: str | None) -> int:
    return sum(clock.rule == rule_id for clock in case.clocks)
