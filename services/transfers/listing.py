"""Lists of cases and of clocks: what is asked for, as SQL over the states that the room keeps, and pages by key. Pure.

Cases are found by their marks (``store.sql``), which hold what was last *told*: that a term has passed is there when its tick has been
told, some seconds after the time. A page goes on after the last key of the one before it, so that what is stored meanwhile neither
repeats nor hides a case that stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from services.cases.state import Case
from services.cases.state_json import decode
from services.kernel.clock_rules import ClockRules
from services.members.registry import Registry, divisions_above

MAX_LIMIT = 500
NO_DUE = 1 << 62
"""Sorts a clock without an end after every other."""

READY = "select to_regproc('transfers.case_marks') is not null"
"""Whether the room has made its tables."""
CASE = "select state from transfers.state where key = %(key)s"
"""The state of one case."""

Place = tuple[int, str, str]
"""Where a list of clocks goes on: due time, case, clock."""
Params = dict[str, Any]
Statement = tuple[str, Params]
"""SQL and its parameters; the text is made of names of ours alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseQuery:
    """Which cases; what is None or False asks for nothing.

    ``informed`` is the participant to whose view the list is confined, ``playing`` are participants of whom one plays a part.
    ``due_before``: a clock that runs ends before then. ``after`` is the last case of the page before.
    """

    informed: str | None = None
    playing: tuple[str, ...] | None = None
    kind: str | None = None
    state: str | None = None
    overdue: bool = False
    provisional: bool = False
    due_before: int | None = None
    after: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockQuery:
    """Which clocks that have not ended, the first due first.

    ``acting`` are participants of whom one must act. ``after`` is the place of the last clock of the page before.
    """

    acting: tuple[str, ...] | None = None
    rule: str | None = None
    overdue: bool = False
    provisional: bool = False
    due_before: int | None = None
    after: Place | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class ClockRow:
    """One clock that has not ended (``rule/number``), with its case."""

    clock: str
    due_at: int | None
    case: Case

    @property
    def place(self) -> Place:
        """Where a page ends that ends with it."""
        return (NO_DUE if self.due_at is None else self.due_at, self.case.subject, self.clock)


def cases_sql(asked: CaseQuery, rules: ClockRules) -> Statement:
    """The states of a page, in the order of key."""
    given: Params = {"after": asked.after, "limit": asked.limit}
    where = ["s.key > %(after)s", "s.state ->> 'opened_event' <> ''"]
    marks = [asked.informed] if asked.informed is not None else []
    marks += [_PROVISIONAL] if asked.provisional else []
    for name, value in (("kind", asked.kind), ("state", asked.state)):
        if value is not None:
            where.append(f"s.state ->> '{name}' = %({name})s")
            given[name] = value
    if asked.overdue:
        marks.append(_EXPIRED)
        where.append(_PASSED)
        given["owed"] = owed(rules)
    if asked.playing is not None:
        where += [_TOLD, _PLAYS]
        given["names"] = list(asked.playing)
    if asked.due_before is not None:
        where += [_TICKS, _ENDS]
        given["due_before"] = asked.due_before
    if marks:
        where.append(_MARKED)
        given["marks"] = marks
    is_found = marks or asked.playing is not None or asked.due_before is not None
    return (_CASES_FOUND if is_found else _CASES).format(where=" and ".join(where)), given


def clocks_sql(asked: ClockQuery, rules: ClockRules) -> Statement:
    """Clock, due time and state of its case, of a page."""
    wanted = {rule.id for rule in rules.rules} if asked.rule is None else {asked.rule}
    if asked.overdue:
        wanted &= set(owed(rules))
    given: Params = {"limit": asked.limit, "no_due": NO_DUE, "rules": sorted(wanted)}
    cases, marks = [_RUNS], []
    clocks = ["rule = any(%(rules)s::text[])", "told_state in ('running', 'suspended', 'expired')"]
    if asked.overdue:
        marks.append(_EXPIRED)
        clocks += ["told_state = 'expired'", "advisory is not true"]
    if asked.provisional:
        marks.append(_PROVISIONAL)
        clocks.append("provisional")
    if marks:
        cases.append(_MARKED)
        given["marks"] = marks
    if asked.due_before is not None:
        cases.append(_TICKS)
        clocks += ["told_state = 'running'", "due_at < %(due_before)s"]
        given["due_before"] = asked.due_before
    if asked.acting is not None:
        cases.append(_TOLD)
        clocks.append(_ACTS)
        given["names"] = list(asked.acting)
    if asked.after is not None:
        clocks.append("(coalesce(due_at, %(no_due)s), key, clock) > (%(after_due)s, %(after_key)s, %(after_clock)s)")
        given |= dict(zip(("after_due", "after_key", "after_clock"), asked.after, strict=True))
    return _CLOCKS.format(cases=" and ".join(cases), clocks=" and ".join(clocks)), given


def standing_sql() -> str:
    """How many clocks have not ended, by kind, rule and organ that must act (null: one outside): open, warned of, expired and not
    advisory, provisional, and provisional though the end lies before ``settled``.
    """
    return _STANDING


def read_cases(rows: Iterable[tuple[Any, ...]]) -> list[Case]:
    """The cases of what ``cases_sql`` gives."""
    return [decode(state) for (state,) in rows]


def read_clocks(rows: Iterable[tuple[Any, ...]]) -> list[ClockRow]:
    """The clocks of what ``clocks_sql`` gives."""
    return [ClockRow(clock, due_at, decode(state)) for clock, due_at, state in rows]


def owed(rules: ClockRules) -> list[str]:
    """The rules by whose end somebody must have acted; by the end of the others a right lapses, and nobody is late."""
    return sorted({rule.id for rule in rules.rules if rule.effect == "overdue"})


def organs_of(registry: Registry, division: str) -> tuple[str, ...]:
    """Every participant that serves a division or one below it, by id."""
    people = registry.participants.values()
    return tuple(
        sorted(one.id for one in people if one.division is not None and division in divisions_above(one.division))
    )


OPEN_CLOCKS = """
    select s.key, s.state ->> 'kind' as kind, c.rule || '/' || c.number as clock, c.*
    from transfers.state s, jsonb_to_recordset(s.state -> 'clocks') as c (
        rule text, number int, told_state text, due_at bigint, warned boolean, provisional boolean, advisory boolean, actors jsonb)
    where {cases}"""
"""The clocks of the cases that ``cases`` says, with what is asked of them; those that have ended too."""

_STANDING = f"""
    select found.kind, found.rule, acts.actor, count(*), count(*) filter (where told_state = 'running' and warned),
        count(*) filter (where told_state = 'expired' and advisory is not true), count(*) filter (where provisional),
        count(*) filter (where provisional and due_at < %(settled)s)
    from ({OPEN_CLOCKS.format(cases="transfers.case_marks(s.state) ?| %(rules)s::text[]")}) as found
    left join lateral jsonb_array_elements_text(coalesce(found.actors, '[]')) as acts (actor) on true
    where told_state in ('running', 'suspended', 'expired')
    group by 1, 2, 3"""  # noqa: S608

_PROVISIONAL, _EXPIRED = "provisional", "expired"
_MARKED = "transfers.case_marks(s.state) ?& %(marks)s::text[]"
_RUNS = "transfers.case_marks(s.state) ?| %(rules)s::text[]"
_TOLD = "transfers.case_marks(s.state) ?| %(names)s::text[]"
_PASSED = """exists (
    select from jsonb_to_recordset(s.state -> 'clocks') as c (rule text, told_state text, advisory boolean)
    where c.told_state = 'expired' and c.advisory is not true and c.rule = any(%(owed)s::text[]))"""
_PLAYS = """exists (
    select from jsonb_array_elements(s.state -> 'parts') as p where p ->> 'participant' = any(%(names)s::text[]))"""
# The next tick of a case is at most a millisecond past the end of each clock of it that runs, and that has an index.
_TICKS = "s.due_at <= %(due_before)s"
_ENDS = """exists (
    select from jsonb_array_elements(s.state -> 'clocks') as c
    where c ->> 'told_state' = 'running' and (c ->> 'due_at')::bigint < %(due_before)s)"""
_ACTS = "actors ?| %(names)s::text[]"
_CASES = "select s.state from transfers.state s where {where} order by s.key limit %(limit)s"
# First found, then sorted: else the planner may walk a million cases in their order to find the fifty of one organ.
_CASES_FOUND = """
    with found as materialized (select s.key, s.state from transfers.state s where {where})
    select state from found order by key limit %(limit)s"""
_CLOCKS = f"""
    select page.clock, page.due_at, s.state from (
        select key, clock, due_at from ({OPEN_CLOCKS}) as found
        where {{clocks}} order by coalesce(due_at, %(no_due)s), key, clock limit %(limit)s) as page
    join transfers.state s on s.key = page.key order by coalesce(page.due_at, %(no_due)s), page.key, page.clock"""  # noqa: S608
