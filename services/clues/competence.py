"""Who is competent for a clue, as admission saw it: the same table, the same members, so that a replay agrees. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from services.events.clue import ClueReported
from services.kernel.errors import Refused
from services.members.jurisdiction import Route, Routes, competent_organ, route_of, start_of
from services.members.registry import Agreement, Registry
from services.runtime.fold import Logged


@dataclass(frozen=True, slots=True)
class Competent:
    """The organ with jurisdiction: where and of which type it is, and who it is when it is a member."""

    division: str
    organ_type: str
    participant: str | None = None
    name_zh: str | None = None
    name_en: str | None = None


def competent_for(registry: Registry, routes: Routes, logged: Logged, event: ClueReported) -> Competent | None:
    """The organ that the routing table gives for the place of the act; None when the table has no row for such a clue.

    An organ that is no member is still named by division and type: a reporter can be sent there.
    """
    route = route_of(routes, event.subtype, event.right_type, logged.entry.statement.time_ms)
    if route is None:
        return None
    agreement = registry.agreement(logged.entry.statement.agreement)
    if agreement is None:
        return _no_member(route, event.place_division)
    return _member(registry, agreement, route, logged, event.place_division)


def _member(registry: Registry, agreement: Agreement, route: Route, logged: Logged, place: str) -> Competent:
    try:
        organ = competent_organ(registry, agreement, route, place, logged.admitted_ms)
    except Refused:
        return _no_member(route, place)
    division = organ.division or start_of(place, route.level)
    return Competent(division, route.organ_type, organ.id, organ.name_zh, organ.name_en)


def _no_member(route: Route, place: str) -> Competent:
    return Competent(start_of(place, route.level), route.organ_type)
