"""The code tables that ship, against the facts they were taken from."""

from __future__ import annotations

import csv
import itertools

import pytest

from services.kernel.codes import CodeRow, load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_day
from services.members.jurisdiction import route_of, routes_of

TABLES = load_code_tables(SCHEMAS_DIR / "codes")
DAY = parse_day("2026-11-24")
NOON_MS = DAY * 86_400_000
ROUTES = routes_of(TABLES)

DELTA_CITIES = [
    "310000",
    *(f"32{number:02d}00" for number in range(1, 14)),
    *(f"33{number:02d}00" for number in range(1, 12)),
    *(f"34{number:02d}00" for number in range(1, 19) if number not in (9, 14)),
]
METROPOLITAN = {  # province -> members of the metropolitan areas in it, districts among them
    "31": ["0115", "0117", "0118", "0151"],
    "32": ["0413", "0481", "1102", "1111", "1112", "1183", "1002", "1003", "1012", "1081", "0830"],
    "34": ["0202", "0209", "0207", "0503", "0504", "0506", "0523", "0521", "1102", "1103", "1122", "1181", "1802"],
    "36": ["0100", "0400", "1002", "1003", "0981", "0982", "0983", "0925", "0921", "1128", "1127", "1129"],
    "42": ["0100"],
    "43": ["0100"],
}


def division(code: str) -> CodeRow:
    row = TABLES["divisions"].row(code, DAY)
    assert row is not None, code
    return row


def test_the_41_delta_cities_are_divisions() -> None:
    assert len(DELTA_CITIES) == 41
    assert [code for code in DELTA_CITIES if not TABLES["divisions"].valid(code, DAY)] == []


def test_the_members_of_the_metropolitan_areas_are_divisions() -> None:
    codes = [province + rest for province, places in METROPOLITAN.items() for rest in places]
    assert [code for code in codes if not TABLES["divisions"].valid(code, DAY)] == []


def test_codes_that_were_never_given_out_are_not_divisions() -> None:
    assert [code for code in ("340900", "341400", "310100", "999999") if TABLES["divisions"].valid(code, DAY)] == []


@pytest.mark.parametrize(
    ("first", "second"),
    [("320500", "341300"), ("321200", "331000"), ("361000", "350100")],
    ids=["Suzhou", "Taizhou", "Fuzhou"],
)
def test_cities_of_one_pinyin_have_names_that_tell_them_apart(first: str, second: str) -> None:
    assert division(first).en.split()[0] == division(second).en.split()[0]
    assert division(first).en != division(second).en


def test_no_two_prefectures_or_provinces_share_a_name_in_either_language() -> None:
    high = [row for row in TABLES["divisions"].rows if row.more["level"] in ("province", "prefecture")]
    for names in ([row.zh for row in high], [row.en for row in high if row.code[:2] in ("31", "32", "33", "34")]):
        assert len(names) == len(set(names))


def test_every_division_lies_in_the_one_above_and_at_last_in_the_nation() -> None:
    ranks = {"county": 3, "prefecture": 2, "province": 1, "national": 0}
    for row in TABLES["divisions"].rows:
        line = TABLES.lineage(row.code)
        assert line[-1] == "100000", row.code
        levels = [ranks[division(code).more["level"]] for code in line]
        assert levels == sorted(set(levels), reverse=True), row.code


def test_a_parent_is_the_division_that_the_digits_say() -> None:
    for row in TABLES["divisions"].rows:
        if row.more["level"] != "national":
            assert row.more["parent"] in (f"{row.code[:4]}00", f"{row.code[:2]}0000", "100000"), row.code


def test_every_clue_that_an_organ_hands_over_has_a_competent_organ_type() -> None:
    subtypes = TABLES["clue_subtypes"].codes_on(DAY)
    rights = TABLES["right_types"].codes_on(DAY)
    unrouted = [pair for pair in itertools.product(subtypes, rights) if route_of(ROUTES, *pair, NOON_MS) is None]
    assert unrouted == []


def test_routing_speaks_of_codes_that_exist() -> None:
    for row in TABLES["routing"].rows:
        assert row.more["subtype"] == "*" or TABLES["clue_subtypes"].valid(row.more["subtype"], DAY), row
        assert row.more["right_type"] == "*" or TABLES["right_types"].valid(row.more["right_type"], DAY), row
        assert TABLES["organ_types"].valid(row.more["organ_type"], DAY), row
        assert TABLES["levels"].valid(row.more["level"], DAY), row


@pytest.mark.parametrize(
    ("subtype", "right", "organ", "level"),
    [
        ("online_listing", "trademark", "market_regulator", "county"),
        ("inspection", "invention_patent", "ip_office", "prefecture"),
        ("agency_misconduct", "patent", "ip_office", "province"),
        ("agency_misconduct", "trademark", "market_regulator", "county"),
        ("organ_found", "plant_variety", "agriculture", "province"),
        ("organ_found", "layout_design", "ip_office", "national"),
        ("exhibition", "software_copyright", "copyright_office", "county"),
        ("customs", "trademark", "customs", "county"),
        ("public_report", "trademark", "market_regulator", "county"),
    ],
)
def test_a_clue_is_routed_as_its_instrument_says(subtype: str, right: str, organ: str, level: str) -> None:
    route = route_of(ROUTES, subtype, right, NOON_MS)
    assert route is not None
    assert (route.organ_type, route.level) == (organ, level)


def test_only_a_public_report_is_never_handed_over() -> None:
    rows = [row for row in TABLES["clue_subtypes"].rows if row.more["handed_over"] != "yes"]
    assert {row.code for row in rows} == {"public_report"}


def test_the_rule_on_public_reports_changes_on_the_day_of_order_121() -> None:
    before, after = (
        TABLES["clue_subtypes"].row("public_report", parse_day(text)) for text in ("2026-04-14", "2026-04-15")
    )
    assert before is not None
    assert after is not None
    assert before.source != after.source


def test_refusal_codes_have_a_status_and_a_step() -> None:
    for row in TABLES["refusal_codes"].rows:
        assert 400 <= int(row.more["http_status"]) <= 599, row.code
        assert row.more["step"] in {*"12345678", "gateway", "tools"}, row.code
        assert row.code == row.code.lower().replace("_", "-"), row.code


def test_no_term_of_the_glossary_stands_for_two_things() -> None:
    with (SCHEMAS_DIR / "codes" / "glossary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["code"] for row in rows}) == len(rows)
    assert len({row["zh"] for row in rows}) == len(rows)
    assert len(rows) >= 80
