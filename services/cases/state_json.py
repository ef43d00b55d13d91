"""The state of a case as JSON values, for the room's state table and a node's store: ``decode`` is the inverse of ``encode``.

What has its usual value (no scope, no length, not warned, …) is left out: a million states are kept.
"""

from collections.abc import Mapping
from typing import Any

from services.cases.state import Case, Clock, Fact, Part
from services.kernel.clock_moments import Moment


def encode(case: Case) -> dict[str, Any]:
    """The state as JSON values."""
    return {
        "subject": case.subject,
        "last_seq": case.last_seq,
        "kind": case.kind,
        "state": case.state,
        "title": case.title,
        "opened_event": case.opened_event,
        "opened_ms": case.opened_ms,
        "members": case.members,
        "parts": [_part(part) for part in case.parts],
        "facts": [_fact(fact) for fact in case.facts],
        "clocks": [_clock(clock) for clock in case.clocks],
        "informed": list(case.informed),
        "relates_to": list(case.relates_to),
    }


def decode(data: Mapping[str, Any]) -> Case:
    """Inverse of :func:`encode`; anything else that it is given is a bug."""
    return Case(
        subject=data["subject"],
        last_seq=data["last_seq"],
        kind=data["kind"],
        state=data["state"],
        title=data["title"],
        opened_event=data["opened_event"],
        opened_ms=data["opened_ms"],
        members=data["members"],
        parts=tuple(Part(**part) for part in data["parts"]),
        facts=tuple(_fact_of(fact) for fact in data["facts"]),
        clocks=tuple(_clock_of(clock) for clock in data["clocks"]),
        informed=tuple(data["informed"]),
        relates_to=tuple(data["relates_to"]),
    )


def _part(part: Part) -> dict[str, Any]:
    always = {"role": part.role, "participant": part.participant}
    return {**always, "outside": True, "division": part.division} if part.outside else always


def _fact(fact: Fact) -> dict[str, Any]:
    always = {
        "event": fact.event,
        "source": fact.source,
        "move": fact.move,
        "happened_ms": fact.happened_ms,
        "admitted_ms": fact.admitted_ms,
    }
    moments = {"moments": [_moment(moment) for moment in fact.moments]} if fact.moments else {}
    moved = {"joined": fact.joined, "left": fact.left}
    parts = {name: [_part(part) for part in held] for name, held in moved.items() if held}
    return {**always, **moments, **({} if fact.scope is None else {"scope": fact.scope}), **parts}


def _fact_of(data: Mapping[str, Any]) -> Fact:
    moments = tuple(Moment(**moment) for moment in data.get("moments", ()))
    parts = {name: tuple(Part(**part) for part in data.get(name, ())) for name in ("joined", "left")}
    return Fact(**{**data, "moments": moments, **parts})


def _moment(moment: Moment) -> dict[str, Any]:
    always = {"kind": moment.kind, "word": moment.word, "at_ms": moment.at_ms, "id": moment.id}
    return always if moment.length is None else {**always, "length": moment.length}


def _clock(clock: Clock) -> dict[str, Any]:
    usual = {"due_at": None, "warn_at": None, "provisional": False, "advisory": False, "warned": False}
    always = {
        "rule": clock.rule,
        "valid_from": clock.valid_from,
        "number": clock.number,
        "trigger": clock.trigger,
        "since": clock.since,
        "told_state": clock.told_state,
    }
    actors = {"actors": list(clock.actors)} if clock.actors else {}
    return {**always, **{name: getattr(clock, name) for name in usual if getattr(clock, name) != usual[name]}, **actors}


def _clock_of(data: Mapping[str, Any]) -> Clock:
    return Clock(**{**data, "actors": tuple(data.get("actors", ()))})
