"""The clocks of a case: computed from its facts, compared with what was last told, and told where they differ. Pure.

What the fold of a case (``fold.py``) gets of it, step by step:

1. At an entry, a clock is judged again when its rule hears one of the new moments; every clock that is open or provisional, when
   another calendar has come. "Now" is the admission time of the entry.
2. A clock that is not as it was told is told: once, by what changed. An end or a warning that a fact entered late has put before
   "now" is told by the entry itself, so that nothing is ever to be ticked in the past.
3. At a tick, each clock whose warning or end has come is told. "Now" is the time of the tick: one millisecond past the end.

Ordinals: what an entry tells has those from 0, in the order of the rules of the kind, then of number; what a tick tells follows
from the event that last changed the clock, and has the place of its clock from ``FIRST_TICK_ORDINAL``. They never meet, and stay
below ``ORDINALS``, since a case has at most ``SLOTS`` clocks and each is told at most twice by one entry.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Final

from services.cases.actors import actors_of, actors_told
from services.cases.instances import Instance, instances_of
from services.cases.state import Case, Clock
from services.cases.steps import FIRST_TICK_ORDINAL, Around, ClockChange, What
from services.cases.table import Kind
from services.kernel.calendar import Calendar
from services.kernel.clock_moments import Moment, standstills
from services.kernel.verdict import Verdict, verdict

ORDINALS: Final = 512
"""A second event of one change, to those whom the addressees of the first left no room for, has its ordinal + this."""
Judged = tuple[Clock, Verdict, tuple[str, ...]]
Changed = tuple[tuple[Clock, ...], tuple[ClockChange, ...]]

_CLOSED: Final = ("met", "late", "ended")


def verdicts(case: Case, around: Around, now_ms: int) -> tuple[Judged, ...]:
    """Every clock of a case, its verdict at a time and who must act, by the rules of its kind, then by number."""
    if not case.exists:
        return ()
    kind, told = around.tables.kinds[case.kind], {clock.key: clock for clock in case.clocks}
    found: list[Judged] = []
    for rule in kind.clocks:
        for one in instances_of(case, kind, rule, around.rules):
            judged = verdict(one.rule, one.moments, around.registry.calendar, now_ms)
            actors = actors_of(case, kind, one.rule, judged)
            clock = told.get(one.key) or _clock(one, judged, actors, one.trigger.id, warned=False)
            found.append((clock, judged, actors))
    return tuple(found)


def due_of(case: Case) -> int | None:
    """When the case wants its next tick: a warning or an end comes then. None when nothing of it is due."""
    return min((at for clock in case.clocks if (at := _due(clock)) is not None), default=None)


def _due(clock: Clock) -> int | None:
    if clock.told_state != "running" or clock.due_at is None:
        return None
    if not clock.warned and clock.warn_at is not None and clock.warn_at < clock.due_at:
        return clock.warn_at
    return clock.due_at + 1


def ripened(case: Case, at_ms: int, around: Around) -> Changed:
    """The clocks at a tick, and what it tells: a warning or an end of each clock that is due by then. Nothing a second time."""
    clocks: list[Clock] = []
    changes: list[ClockChange] = []
    for clock in case.clocks:
        due = _due(clock)
        if due is None or due > at_ms:
            clocks.append(clock)
        else:
            changes.append(_ticked(case, clock, around, at_ms))
            clocks.append(changes[-1].clock)
    return tuple(clocks), tuple(changes)


def _ticked(case: Case, clock: Clock, around: Around, at_ms: int) -> ClockChange:
    what: What = "expired" if clock.due_at is not None and clock.due_at < at_ms else "warned"
    kind = around.tables.kinds[case.kind]
    one = _instance(case, kind, clock, around)
    if one is None:  # closed, so that no tick comes back to it for ever
        place = _tick_ordinal(kind, clock.rule, clock.number, "expired")
        return _gone(case, clock, around, clock.since, place, at_ms)
    judged = verdict(one.rule, one.moments, around.registry.calendar, at_ms)
    actors = actors_of(case, kind, one.rule, judged)
    told_state = "expired" if what == "expired" else clock.told_state
    return ClockChange(
        what=what,
        clock=replace(clock, warned=True, told_state=told_state, actors=actors),
        before=clock,
        verdict=judged,
        actors=actors,
        why=None,
        grounds=(),
        cause=clock.since,
        ordinal=_tick_ordinal(kind, clock.rule, clock.number, what),
        time_ms=at_ms,
    )


def _instance(case: Case, kind: Kind, clock: Clock, around: Around) -> Instance | None:
    found = instances_of(case, kind, clock.rule, around.rules)
    return next((one for one in found if one.number == clock.number), None)


def _tick_ordinal(kind: Kind, rule: str, number: int, what: What) -> int:
    """``FIRST_TICK_ORDINAL`` + 2 * place + (0 warned, 1 expired); the place of a first clock is that of its rule in the kind."""
    place = kind.clocks.index(rule) + len(kind.clocks) * (number - 1)
    return FIRST_TICK_ORDINAL + 2 * place + (what == "expired")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the clocks are judged by at an entry."""

    case: Case
    kind: Kind
    calendar: Calendar
    new: frozenset[Moment]
    cause: str
    now_ms: int


def recomputed(
    case_before: Case, case_after: Case, new_moments: Collection[Moment], cause: str, around: Around, now_ms: int
) -> Changed:
    """The clocks after an entry, and what is to be told of them; see the module. ``case_after`` holds the new fact and its parts.

    No new moments: a calendar was applied. A clock that is as it was told is told nothing of, so a redelivered fact says nothing.
    """
    kind = around.tables.kinds[case_after.kind]
    known_before = {moment for fact in case_before.facts for moment in fact.moments}
    new = frozenset(moment for moment in new_moments if moment not in known_before)
    entry = _Entry(case_after, kind, around.registry.calendar, new, cause, now_ms)
    all_open = not new_moments or around.then.registry.calendar != around.registry.calendar
    words = {moment.word for moment in new}
    told: dict[str, list[Clock]] = {}
    for clock in case_before.clocks:
        told.setdefault(clock.rule, []).append(clock)
    clocks: list[Clock] = []
    changes: list[ClockChange] = []
    for rule in kind.clocks:
        known = told.get(rule, [])
        if words.isdisjoint(around.rules.heard_by(rule)) and not (all_open and any(map(_may_move, known))):
            clocks += known
            continue
        found = instances_of(case_after, kind, rule, around.rules)
        clocks += _of_a_rule(known, found, entry, all_open, changes)
        for clock in known[len(found) :]:
            changes.append(_gone(case_after, clock, around, cause, len(changes), now_ms))
    if case_after.parts != case_before.parts:
        clocks = [_handed_on(clock, case_after, kind, around) for clock in clocks]
    return tuple(clocks), tuple(changes)


def _handed_on(clock: Clock, case: Case, kind: Kind, around: Around) -> Clock:
    """A clock after parts have changed: whoever came after must act; who had to when it ended stays."""
    if clock.told_state in _CLOSED:
        return clock
    rule = next(version for version in around.rules.versions(clock.rule) if version.valid_from == clock.valid_from)
    return replace(clock, actors=actors_told(case, kind, rule, clock))


def _of_a_rule(
    known: list[Clock], found: tuple[Instance, ...], entry: _Entry, all_open: bool, changes: list[ClockChange]
) -> Iterator[Clock]:
    """From the one before the first that a new moment concerns, all are judged: one ends to be seen where the next begins."""
    numbers = range(len(found))
    first = next((n for n in numbers if n >= len(known) or _hears_new(known[n], found[n], entry)), len(found))
    for number, one in enumerate(found):
        clock = known[number] if number < len(known) else None
        if clock is None or (first < len(found) and number >= first - 1) or (all_open and _may_move(clock)):
            yield _judged(clock, one, entry, changes)
        else:
            yield clock


def _may_move(clock: Clock) -> bool:
    return clock.provisional or clock.told_state not in _CLOSED


def _hears_new(clock: Clock, one: Instance, entry: _Entry) -> bool:
    return clock.trigger != one.trigger.id or any(moment in entry.new for moment in one.moments)


def _judged(clock: Clock | None, one: Instance, entry: _Entry, changes: list[ClockChange]) -> Clock:
    """(2): the clock as it is told now; what is told is added: the change, and the end or warning that has passed by it."""
    judged = verdict(one.rule, one.moments, entry.calendar, entry.now_ms)
    what = _what(clock, one, judged, entry)
    if what is None and clock is not None:
        return clock
    passed = _passed(clock, judged, entry.now_ms)
    warned = passed is not None or judged.state == "expired" or _was_warned(clock, judged)
    actors = actors_of(entry.case, entry.kind, one.rule, judged)
    after = _clock(one, judged, actors, entry.cause, warned=warned)
    changes.append(_change(what or "started", clock, after, one, judged, entry, len(changes)))
    if passed is not None:
        changes.append(_change(passed, after, after, one, judged, entry, len(changes)))
    return after


def _was_warned(clock: Clock | None, judged: Verdict) -> bool:
    if clock is None or not clock.warned:
        return False
    return (clock.due_at, clock.warn_at) == (judged.due_at, judged.warn_at)


def _passed(clock: Clock | None, judged: Verdict, now_ms: int) -> What | None:
    """The end or the warning of a new end that lies in the past already, and that was not told before."""
    if judged.state == "expired":
        return None if clock is not None and clock.told_state == "expired" else "expired"
    if judged.state != "running" or judged.warn_at is None or judged.due_at is None:
        return None
    if _was_warned(clock, judged):
        return None
    return "warned" if judged.warn_at < judged.due_at and judged.warn_at <= now_ms else None


def _what(clock: Clock | None, one: Instance, judged: Verdict, entry: _Entry) -> What | None:
    """What has changed against what was told; None where nothing has."""
    if clock is None:
        return "started"
    other = _differs(clock, one, judged)
    if judged.state in _CLOSED:
        was = clock.told_state
        return "stopped" if other or was != judged.state or _ended_otherwise(one, judged, entry) else None
    if judged.state == "suspended":
        return None if clock.told_state == "suspended" and not other else "suspended"
    if clock.told_state == "suspended":
        return "resumed"
    return "moved" if other or clock.told_state in _CLOSED else None


def _differs(clock: Clock, one: Instance, judged: Verdict) -> bool:
    told = (clock.due_at, clock.warn_at, clock.provisional, clock.advisory, clock.trigger, clock.valid_from)
    return told != (
        judged.due_at,
        judged.warn_at,
        judged.provisional,
        judged.advisory,
        one.trigger.id,
        one.rule.valid_from,
    )


def _ended_otherwise(one: Instance, judged: Verdict, entry: _Entry) -> bool:
    """Whether a clock that was told as ended in the same state ended at another time before the new moments were known."""
    before = [moment for moment in one.moments if moment not in entry.new]
    return verdict(one.rule, before, entry.calendar, entry.now_ms).ended_at != judged.ended_at


def _clock(one: Instance, judged: Verdict, actors: tuple[str, ...], since: str, *, warned: bool) -> Clock:
    return Clock(
        rule=one.rule.id,
        valid_from=one.rule.valid_from,
        number=one.number,
        trigger=one.trigger.id,
        since=since,
        told_state=judged.state,
        due_at=judged.due_at,
        warn_at=judged.warn_at,
        provisional=judged.provisional,
        advisory=judged.advisory,
        warned=warned,
        actors=actors,
    )


def _change(
    what: What, before: Clock | None, after: Clock, one: Instance, judged: Verdict, entry: _Entry, ordinal: int
) -> ClockChange:
    return ClockChange(
        what=what,
        clock=after,
        before=before,
        verdict=judged,
        actors=after.actors,
        why=_why(one, entry) if what == "moved" else None,
        grounds=_grounds(one) if what == "suspended" else (),
        cause=entry.cause,
        ordinal=ordinal,
        time_ms=entry.now_ms,
    )


def _why(one: Instance, entry: _Entry) -> str:
    """extension | restart | late_entry | calendar."""
    new = [moment for moment in one.moments if moment in entry.new]
    if any(moment.kind == "extended" for moment in new):
        return "extension"
    if any(moment.word in one.rule.ids["restarts"] for moment in new):
        return "restart"
    heard = new or any(moment.word in one.rule.hears for moment in entry.new)
    return "late_entry" if heard else "calendar"


def _grounds(one: Instance) -> tuple[str, ...]:
    still = standstills(one.moments, one.rule.ids["exclusions"])
    return still[-1].grounds if still else ()


def _gone(case: Case, clock: Clock, around: Around, cause: str, ordinal: int, now_ms: int) -> ClockChange:
    """A stored clock that the moments no longer give, since one entered late has its trigger under another version of the rule."""
    kind, rule = around.tables.kinds[case.kind], around.rules.versions(clock.rule)[-1]
    judged = verdict(rule, (), around.registry.calendar, now_ms)
    return ClockChange(
        what="moved",
        clock=replace(clock, since=cause, told_state=judged.state, due_at=None, warn_at=None, provisional=False),
        before=clock,
        verdict=judged,
        actors=actors_of(case, kind, rule, judged),
        why="late_entry",
        grounds=(),
        cause=cause,
        ordinal=ordinal,
        time_ms=now_ms,
    )
