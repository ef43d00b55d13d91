"""Who must act for a clock: whoever had the part then, not whoever has it now. Pure."""

from services.cases.state import Case, Clock, Part
from services.cases.table import Kind
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule
from services.kernel.verdict import Verdict


def acting_roles(kind: Kind, rule: ClockRule) -> tuple[str, ...]:
    """The roles of a kind that must act for a rule."""
    return tuple(role.id for role in kind.roles if rule.actor.id in role.acts_as)


def actors_of(case: Case, kind: Kind, rule: ClockRule, judged: Verdict) -> tuple[str, ...]:
    """The members of the exchange that must act for a clock, in order; an outside organ is none.

    Of a clock that has ended, whoever had the part just before it ended: what they did late stays theirs, whoever came after. Of any other
    whoever had the part when it started and has it still (of one that ran out: had it then), else who came after them.
    """
    return _actors(case, kind, rule, judged.state, judged.started_at, judged.due_at, judged.ended_at)


def actors_told(case: Case, kind: Kind, rule: ClockRule, clock: Clock) -> tuple[str, ...]:
    """The same for a clock that has not ended, by what was last told of it."""
    starts = [one.at_ms for fact in case.facts for one in fact.moments if _starts(one, clock, rule)]
    return _actors(case, kind, rule, clock.told_state, min(starts, default=None), clock.due_at, None)


def _starts(moment: Moment, clock: Clock, rule: ClockRule) -> bool:
    return moment.id == clock.trigger and moment.kind == "happened" and moment.word in rule.ids["trigger"]


def _actors(
    case: Case, kind: Kind, rule: ClockRule, state: str, started: int | None, due: int | None, ended: int | None
) -> tuple[str, ...]:
    roles = acting_roles(kind, rule)
    latest = _playing(case.parts, roles)
    if not any(fact.joined or fact.left for fact in case.facts) or started is None:
        return tuple(sorted(latest))
    if ended is not None:
        return tuple(sorted(_playing(case.parts_at(max(started, ended - 1)), roles) or latest))
    begun = _playing(case.parts_at(started), roles)
    then = latest if state != "expired" or due is None else _playing(case.parts_at(due), roles) or latest
    return tuple(sorted(begun & then or then))


def _playing(parts: tuple[Part, ...], roles: tuple[str, ...]) -> frozenset[str]:
    return frozenset(part.participant for part in parts if part.role in roles and not part.outside)
