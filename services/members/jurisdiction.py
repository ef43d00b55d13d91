"""Which organ is competent for a clue: ``schemas/codes/routing.csv`` over the members, climbing from the place of the act.

The table names organ type and the level at which the search begins (domain 1A, 1F and the sources in the table); from
there it climbs, county to prefecture to province, until an organ of that type is a member. Pure: the caller reads the
table once. A public report never goes to another organ (domain B5): ``authorise.py`` does not ask.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.codes import CodeRow, CodeTables, day_of
from services.kernel.errors import BadSettings, Refused
from services.members.registry import Agreement, Participant, Registry, divisions_above

ANY = "*"
LEVELS = ("county", "prefecture", "province", "national")
_NATION = "100000"
MUNICIPALITIES = ("11", "12", "31", "50")
"""Begin the divisions of the four municipalities (GB/T 2260)."""
_DIRECT = ("00", "90")


@dataclass(frozen=True, slots=True)
class Route:
    """One row: for this subtype and right type (``*`` is any) this organ type, searched from this level up."""

    code: str
    subtype: str
    right_type: str
    organ_type: str
    level: str
    row: CodeRow

    def covers(self, subtype: str, right_type: str, day: int) -> bool:
        """Whether the row speaks of such a clue on that day."""
        return self.subtype in (ANY, subtype) and self.right_type in (ANY, right_type) and self.row.covers(day)


Routes = tuple[Route, ...]


def routes_of(tables: CodeTables) -> Routes:
    """The routing table, its order being its rank; ``BadSettings`` for a level that is not one."""
    routes = tuple(
        Route(row.code, row.more["subtype"], row.more["right_type"], row.more["organ_type"], row.more["level"], row)
        for row in tables["routing"].rows
    )
    wrong = [route.code for route in routes if route.level not in LEVELS]
    if wrong:
        raise BadSettings(f"routing.csv: rows {', '.join(wrong)}: the level is one of {', '.join(LEVELS)}")
    return routes


def route_of(routes: Routes, subtype: str, right_type: str, at_ms: int) -> Route | None:
    """The first row that covers such a clue on the day of that instant, or None."""
    day = day_of(at_ms)
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
            raise Refused(
                "no-competent-organ",
                f"several organs of {division} may be competent: {names}; name one",
                field="addressee",
            )
        if members:
            return members[0]
    raise Refused(
        "no-competent-organ",
        f"no {route.organ_type} at or above {route.level} level for {place} is a member of {agreement.ref}"
        f" (routing {route.code})",
        field="addressee",
    )


def start_of(place: str, level: str) -> str:
    """The division at which the search for an act at that place begins: the one of that level that it lies in, or the next above that exists.

    By the digits of GB/T 2260: a municipality has no prefectures (3101xx lies in 310000 itself), and neither have the counties that a
    province administers directly (xx90xx).
    """
    match level:
        case "national":
            return _NATION
        case "prefecture" if place[:2] not in MUNICIPALITIES and place[2:4] not in _DIRECT:
            return f"{place[:4]}00"
        case "prefecture" | "province":
            return f"{place[:2]}0000"
        case _:
            return place


def _climb(place: str, level: str) -> tuple[str, ...]:
    start = start_of(place, level)
    return (start,) if start == _NATION else tuple(step for step in divisions_above(start) if step != _NATION)
