"""The organ that is competent for a clue: which row of the routing table speaks, and how far up it climbs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Refused
from services.members.jurisdiction import LEVELS, Route, Routes, competent_organ, route_of, routes_of, start_of
from services.members.registry import Registry
from tests.unit.services.members.town import (
    HANGZHOU,
    HANGZHOU_IP,
    NOW_MS,
    REF,
    XIHU,
    ZHEJIANG_IP,
    Said,
    registered,
    tables,
    told,
    town,
)


def routes() -> Routes:
    return routes_of(tables())


def route(subtype: str = "online_listing", right_type: str = "trademark") -> Route:
    found = route_of(routes(), subtype, right_type, NOW_MS)
    assert found is not None
    return found


def competent(place: str, by: Route, registry: Registry | None = None) -> str:
    registry = registry or town()
    return competent_organ(registry, registry.agreements[REF], by, place, NOW_MS).id


def test_a_trademark_clue_goes_to_the_market_regulator_of_the_district() -> None:
    assert route().organ_type == "market_regulator"
    assert competent("330106", route()) == XIHU


def test_it_climbs_to_the_city_where_the_district_has_no_member() -> None:
    assert competent("330109", route()) == HANGZHOU


def test_an_agency_without_a_licence_is_a_matter_of_the_province() -> None:
    by = route("agency_misconduct", "invention_patent")
    assert (by.organ_type, by.level) == ("ip_office", "province")
    assert competent("330106", by) == ZHEJIANG_IP


def test_a_search_that_begins_at_the_city_passes_the_district_by() -> None:
    by = replace(route(), organ_type="ip_office", level="prefecture")
    assert competent("330106", by) == HANGZHOU_IP


def test_a_province_without_a_member_is_refused_and_no_other_province_is_tried() -> None:
    with pytest.raises(Refused) as refused:
        competent("340104", route())
    assert (refused.value.code, refused.value.field) == ("no-competent-organ", "addressee")


def test_two_organs_of_one_division_are_refused_rather_than_one_picked() -> None:
    twin = registered("330109.market_regulator", division="330106")
    registry = told(town(), Said(twin))
    with pytest.raises(Refused) as refused:
        competent("330106", route(), registry)
    assert refused.value.code == "no-competent-organ"


def test_the_first_row_that_covers_the_clue_speaks() -> None:
    found = route()
    later = replace(found, code="later", organ_type="police")
    assert route_of((found, later), "online_listing", "trademark", NOW_MS) == found
    assert route_of((later, found), "online_listing", "trademark", NOW_MS) == later


def test_a_clue_that_no_row_covers_has_no_route() -> None:
    assert route_of((), "online_listing", "trademark", NOW_MS) is None
    assert route_of((replace(route(), subtype="customs"),), "online_listing", "trademark", NOW_MS) is None


def test_every_level_of_the_shipped_table_is_one_that_can_be_climbed_from() -> None:
    assert routes()
    assert {one.level for one in routes()} <= {"county", "prefecture", "province", "national"}


def test_a_table_with_another_level_is_refused_at_the_start() -> None:
    shipped = tables()["routing"]
    row = shipped.rows[0]
    wrong = replace(shipped, rows=(replace(row, more={**row.more, "level": "village"}),))
    with pytest.raises(BadSettings, match=row.code):
        routes_of({"routing": wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "level", "start"),
    [
        ("330212", "county", "330212"),
        ("330212", "prefecture", "330200"),
        ("330212", "province", "330000"),
        ("330212", "national", "100000"),
        ("310115", "prefecture", "310000"),
        ("500112", "prefecture", "500000"),
        ("429004", "prefecture", "420000"),
        ("330000", "prefecture", "330000"),
    ],
)
def test_the_search_begins_at_the_division_of_the_level_or_the_next_that_exists(
    place: str, level: str, start: str
) -> None:
    assert start_of(place, level) == start


def test_it_begins_at_a_division_that_the_table_has_whatever_the_place() -> None:
    divisions = load_code_tables(SCHEMAS_DIR / "codes")["divisions"]
    places = [row.code for row in divisions.rows]
    strange = {
        start for place in places for level in LEVELS if divisions.latest(start := start_of(place, level)) is None
    }
    assert strange == set()
