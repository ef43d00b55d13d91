"""Which organ is competent for a clue: ``schemas/codes/routing.csv`` over the members, climbing from the place of the act.

The table names organ type and the level at which the search begins (domain 1A, 1F and the sources in the table); from
there it climbs, county to prefecture to province, until an organ of that type is a member. Pure: the caller reads the
table once. A public report never goes to another organ (domain B5): ``authorise.py`` does not ask.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Refused
from services.kernel.instants import format_day
from services.members.registry import Agreement, Participant, Registry, divisions_above

ROUTING_TABLE = SCHEMAS_DIR / "codes" / "routing.csv"
ANY = "*"
_NATION = "100000"
_DAY_MS = 86_400_000
_CHINA_MS = 8 * 3_600_000  # dates of legal texts are days of China Standard Time (UTC+8)
LEVELS = ("county", "prefecture", "province", "national")


@dataclass(frozen=True, slots=True)
class Route:
    """One row: for this subtype and right type (``*`` is any) this organ type, searched from this level up."""

    code: str
    subtype: str
    right_type: str
    organ_type: str
    level: str
    valid_from: str = ""
    valid_until: str = ""

    def covers(self, subtype: str, right_type: str, day: str) -> bool:
        """Whether the row speaks of such a clue on that day (``valid_until`` is the last day)."""
        if self.subtype not in (ANY, subtype) or self.right_type not in (ANY, right_type):
            return False
        return (not self.valid_from or self.valid_from <= day) and (not self.valid_until or day <= self.valid_until)


Routes = tuple[Route, ...]


def read_routes(rows: Iterable[Mapping[str, str]]) -> Routes:
    """The rows in the order of the table, which is their rank; ``BadSettings`` for a level that is not one."""
    names = ("code", "subtype", "right_type", "organ_type", "level", "valid_from", "valid_until")
    routes = tuple(Route(*(row[name] for name in names)) for row in rows)
    wrong = [route.code for route in routes if route.level not in LEVELS]
    if wrong:
        raise BadSettings(f"routing.csv: rows {', '.join(wrong)}: the level is one of {', '.join(LEVELS)}")
    return routes


@cache
def shipped_routes() -> Routes:
    """The table that ships with the exchange. Reads one small file, once."""
    with ROUTING_TABLE.open(encoding="utf-8", newline="") as file:
        return read_routes(csv.DictReader(file))


def route_of(routes: Routes, subtype: str, right_type: str, at_ms: int) -> Route | None:
    """The first row that covers such a clue at that instant, or None."""
    day = format_day((at_ms + _CHINA_MS) // _DAY_MS)
    return next((route for route in routes if route.covers(subtype, right_type, day)), None)


def competent_organ(registry: Registry, agreement: Agreement, route: Route, place: str, at_ms: int) -> Participant:
    """The member of the agreement that is competent for an act at that place.

    Refuses ``no-competent-organ`` when none is, or when several of one division are and the source must name one.
    """
    for division in _climb(place, route.level):
        members = [
            organ
            for organ in registry.organs_in(route.organ_type, division)
            if organ.is_active(at_ms) and agreement.includes(organ)
        ]
        if len(members) > 1:
            names = ", ".join(organ.id for organ in members)
            raise Refused("no-competent-organ", f"several organs of {division} may be competent: {names}; name one")
        if members:
            return members[0]
    raise Refused(
        "no-competent-organ",
        f"no {route.organ_type} at or above {route.level} level for {place} is a member of {agreement.ref}"
        f" (routing {route.code})",
        field="addressee",
    )


def _climb(place: str, level: str) -> tuple[str, ...]:
    match level:
        case "national":
            return (_NATION,)
        case "province":
            start = f"{place[:2]}0000"
        case "prefecture":
            start = f"{place[:4]}00"
        case _:
            start = place
    return tuple(step for step in divisions_above(start) if step != _NATION)
