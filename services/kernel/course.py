"""The course of one clock through what happened to its case: where it started, what moved its end, what ended it.

Everything of a verdict but the time of asking. Steps, with the same numbers in the code:

1. The first trigger starts the clock.
2. The first stop, or the first moment from its trigger on at which the duty falls away, ends it; what happens after that has no
   effect. What was to be done may be done before the term begins; a duty that fell away before it began is another one.
3. Standstills, grants and restarts are taken in the order of their times, each only if it happened before the end of the
   term as it stood (a grant at any time, where the rule says so). So nothing revives a term that has run out.
4. Every effect that is taken gives a new end.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from services.kernel.calendar import Calendar
from services.kernel.clock_moments import Kind, Moment, Standstill, earliest, in_order, standstills
from services.kernel.clock_rules import ClockRule, Extension
from services.kernel.term import Ending, counting_of, ending

_Effect = Standstill | Moment


@dataclass(frozen=True, slots=True)
class Grant:
    """An extension that was taken: what it made of the length, and when. ``added`` is None for one without a new end."""

    extension: Extension
    at_ms: int
    added: int | None


@dataclass(frozen=True, slots=True)
class Unheeded:
    """A suspension, grant or restart that a reader might expect to count, and why it does not."""

    kind: Kind
    word: str
    at_ms: int
    reason: Literal["unknown", "used_up", "unstated", "too_late"]


@dataclass(frozen=True, slots=True)
class Course:
    """A clock from its trigger on. ``end`` is None while it stands still or has no end that can be computed.

    ``running_from`` is the start that counts: the trigger, or the last restart. What did not count is ``unheeded``.
    """

    trigger: Moment
    running_from: Moment
    length: int
    end: Ending | None
    still: tuple[Standstill, ...] = ()
    grants: tuple[Grant, ...] = ()
    open_ended: bool = False
    stop: Moment | None = None
    fall: Moment | None = None
    unheeded: tuple[Unheeded, ...] = ()

    @property
    def standing_still(self) -> Standstill | None:
        """The standstill that lasts, if one does."""
        return self.still[-1] if self.still and self.still[-1].until_ms is None else None

    @property
    def advisory(self) -> bool:
        """Whether a grant that was taken rests on an unverified text."""
        return any(grant.extension.confidence == "advisory" for grant in self.grants)


def course(rule: ClockRule, moments: Iterable[Moment], calendar: Calendar) -> Course | None:
    """The course of a clock; None when nothing started it. The same for every order and repetition of the moments."""
    held = in_order(moments)
    trigger = earliest(held, rule.ids["trigger"])  # (1)
    if trigger is None:
        return None
    stop = earliest(held, rule.ids["stops"])  # (2)
    fall = earliest((moment for moment in held if moment.at_ms >= trigger.at_ms), rule.ids["falls_away"])
    end = ending(counting_of(rule), trigger.at_ms, rule.length, (), calendar)
    begun = Course(trigger, trigger, rule.length, end, stop=stop, fall=fall)
    if _has_no_effects(rule, held):
        return begun
    ended_ms = min((moment.at_ms for moment in (stop, fall) if moment is not None), default=None)
    for effect in _effects(rule, held):  # (3)
        if ended_ms is None or _at(effect) <= ended_ms:
            begun = _taken(begun, effect, rule, calendar)
    unknown = _unknown(rule, held)
    return replace(begun, unheeded=(*begun.unheeded, *unknown)) if unknown else begun


def _has_no_effects(rule: ClockRule, held: Iterable[Moment]) -> bool:
    restarts = rule.ids["restarts"]
    return all(moment.kind == "happened" and moment.word not in restarts for moment in held)


def _at(effect: _Effect) -> int:
    return effect.at_ms if isinstance(effect, Moment) else effect.from_ms


def _effects(rule: ClockRule, held: Sequence[Moment]) -> list[_Effect]:
    """In the order of their times; at one time standstills first, then restarts, then grants, the exchange's own choice."""
    restarts, extensions = rule.ids["restarts"], rule.ids["extensions"]
    still: list[_Effect] = [*standstills(held, rule.ids["exclusions"])]
    again: list[_Effect] = [moment for moment in held if moment.kind == "happened" and moment.word in restarts]
    grants = [moment for moment in _granted_once(held) if moment.word in extensions]
    return sorted([*still, *again, *grants], key=_at)


def _granted_once(held: Iterable[Moment]) -> Iterator[Moment]:
    """Each grant the first time that its event tells one."""
    seen: set[str] = set()
    for moment in held:
        if moment.kind != "extended" or moment.id in seen:
            continue
        if moment.id:
            seen.add(moment.id)
        yield moment


def _taken(now: Course, effect: _Effect, rule: ClockRule, calendar: Calendar) -> Course:
    in_time = now.end is None or _at(effect) <= now.end.due_ms
    if isinstance(effect, Standstill):
        if effect.until_ms is not None and effect.until_ms <= now.trigger.at_ms:
            return now
        if not in_time:
            return _unheeded(now, Unheeded("suspended", effect.grounds[0], effect.from_ms, "too_late"))
        return _with_end(replace(now, still=(*now.still, effect)), rule, calendar)
    if effect.kind == "extended":
        return _granted(now, effect, in_time, rule, calendar)
    if effect.at_ms < now.running_from.at_ms:
        return now
    if not in_time:
        return _unheeded(now, Unheeded("happened", effect.word, effect.at_ms, "too_late"))
    return _with_end(replace(now, running_from=effect), rule, calendar)


def _granted(now: Course, grant: Moment, in_time: bool, rule: ClockRule, calendar: Calendar) -> Course:
    extension = next(one for one in rule.extensions if one.id == grant.word)
    taken = sum(one.extension is extension for one in now.grants)
    if extension.times is not None and taken >= extension.times:
        return _unheeded(now, Unheeded("extended", grant.word, grant.at_ms, "used_up"))
    if extension.stated == "required" and grant.length is None:
        return _unheeded(now, Unheeded("extended", grant.word, grant.at_ms, "unstated"))
    if not (in_time or extension.granted == "any_time"):
        return _unheeded(now, Unheeded("extended", grant.word, grant.at_ms, "too_late"))
    added = _added(now.length, extension, grant)
    lengthened = replace(
        now,
        length=now.length + (added or 0),
        grants=(*now.grants, Grant(extension, grant.at_ms, added)),
        open_ended=now.open_ended or added is None,
    )
    return _with_end(lengthened, rule, calendar)


def _unheeded(now: Course, what: Unheeded) -> Course:
    return replace(now, unheeded=(*now.unheeded, what))


def _added(length: int, extension: Extension, grant: Moment) -> int | None:
    if extension.by is not None:
        return extension.by
    if extension.to is not None:
        return max(0, extension.to - length)
    return grant.length


def _with_end(now: Course, rule: ClockRule, calendar: Calendar) -> Course:  # (4)
    if now.open_ended or now.standing_still is not None:
        return replace(now, end=None)
    return replace(now, end=ending(counting_of(rule), now.running_from.at_ms, now.length, now.still, calendar))


def _unknown(rule: ClockRule, held: Iterable[Moment]) -> tuple[Unheeded, ...]:
    """Suspensions on a ground, and grants of an extension, that the rule does not know."""
    return tuple(
        Unheeded(moment.kind, moment.word, moment.at_ms, "unknown")
        for moment in held
        if (moment.kind == "suspended" and moment.word not in rule.ids["exclusions"])
        or (moment.kind == "extended" and moment.word not in rule.ids["extensions"])
    )
