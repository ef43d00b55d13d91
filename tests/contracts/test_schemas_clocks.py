"""The clocks and calendars that ship, against the facts they were taken from and a second opinion."""

from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import pytest

from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_rules import NOT_SEEN, ClockRule
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_day

RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
CALENDAR = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
TABLES = load_code_tables(SCHEMAS_DIR / "codes")
DAY = parse_day("2026-11-24")

ROWS = {"A": 19, "B": 7, "C": 18, "D": 8, "E": 7, "F": 8}  # the numbered rows of domain 1A to 1F
LENGTHS = {  # written by hand from the rows; every clock is here
    "working_day": {
        "A1": 15, "A3": 7, "A4": 7, "A8": 15, "A11": 7, "A14": 10, "A15": 5, "A16": 7, "A17": 3, "A18": 15,
        "B1": 7, "B2": 45, "B2-tell": 7, "B3": 15, "B4": 5, "B6": 7, "D1": 3, "D2": 10, "D5": 3,
        "F1-docket": 5, "F5": 3, "F6": 30, "F7-application": 20, "F7-exofficio": 50, "F8": 15,
    },
    "calendar_day": {
        "A9": 90, "A13": 30, "A16-notice": 30, "C2": 3, "C5": 3, "C6": 3, "C7": 3, "C8": 3, "C9": 3, "C10": 7, "C11": 15,
        "C12": 3, "C16": 3, "C17": 7, "C17-remote": 15, "D3": 3, "E1": 30, "E3": 3, "E4": 30, "E4-rule": 15, "E6-party": 15,
        "F1-answer": 15, "F1-suit": 15,
    },
    "hour": {"A12": 24, "C3": 24, "C4": 24, "C5-tell": 24},
    "month": {"D4": 2, "E6-third": 6, "F1": 3},
    "year": {"E7": 2},
}  # fmt: skip
ADVISORY = {"D3", "D4", "D5", "E6-party", "E6-third", "F1", "F1-docket", "F1-answer"}


def rule(name: str) -> ClockRule:
    return RULES.versions(name)[0]


def test_every_numbered_row_is_a_clock_or_says_why_not() -> None:
    rows = {f"{table}{number}" for table, count in ROWS.items() for number in range(1, count + 1)}
    clocks, others = {one.row for one in RULES.rules}, {word.id for word in RULES.no_clocks}
    assert clocks | others == rows
    assert clocks & others == set()


def test_lengths_and_units_are_those_of_the_rows() -> None:
    found: dict[str, dict[str, int]] = {}
    for one in RULES.rules:
        found.setdefault(one.unit, {})[one.id] = one.length
    assert found == LENGTHS


def test_what_was_not_verified_is_only_shown() -> None:
    assert {one.id for one in RULES.rules if one.advisory} == ADVISORY
    assert [one.id for one in RULES.rules for extension in one.extensions if extension.confidence == "advisory"] == [
        "C6",
        "F1",
    ]


def test_extensions_are_those_of_the_rows() -> None:
    found = {
        one.id: [(each.grantor.id, each.by, each.to, each.stated) for each in one.extensions]
        for one in RULES.rules
        if one.extensions
    }
    assert found == {
        "A1": [("organ_head", 15, None, None)],
        "A8": [("requested_organ", None, None, "optional")],
        "A9": [("organ_head", 30, None, None), ("organ_collective", None, None, "required")],
        "A13": [("organ_head", 30, None, None)],
        "A14": [("organ_head", None, None, "required")],
        "B3": [("complaint_organ", 15, None, None)],
        "C6": [("police", None, 30, None)],
        "D2": [("chief_procurator", None, None, "required")],
        "E4": [("court_president", None, None, "required")],
        "E4-rule": [("court", 10, None, None)],
        "F1": [("patent_office", None, 5, None)],
    }


def test_exclusions_are_those_of_the_rows() -> None:
    found = {one.id: [word.id for word in one.exclusions] for one in RULES.rules if one.exclusions}
    tested = ["testing", "inspection", "appraisal", "right_holder_identification"]
    assert found == {
        "A1": tested,
        "A9": [
            "suspension",
            "hearing",
            "public_notice",
            "testing",
            "appraisal",
            "right_holder_identification",
            "refund_order",
        ],
        "A13": ["testing"],
        "B2": ["testing"],
        "D2": ["remote_consultation", "police_reconsideration", "victim_appeal", "non_prosecuted_appeal"],
        "E3": ["more_proof"],
        "E7": ["limitation_suspension"],
        "F1": ["invalidity_request"],
        "F8": ["force_majeure", "more_proof", "verification"],
    }


def test_three_days_of_the_police_and_procuratorate_show_the_other_reading() -> None:
    hinted = {one.id for one in RULES.rules if one.hint_unit == "working_day"}
    assert hinted == {"C2", "C5", "C6", "C7", "C8", "C9", "C12", "C16", "D3"}


def test_the_complaint_rules_end_when_their_successor_begins() -> None:
    assert {one.valid_until for one in RULES.rules if one.row.startswith("B")} == {parse_day("2026-04-14")}
    assert RULES.in_force("B1", parse_day("2026-04-15")) is None


def test_articles_that_were_not_seen_are_few_and_said() -> None:
    unseen = {one.id for one in RULES.rules if one.citations[0].article == NOT_SEEN}
    assert unseen == {"D1", "D3", "D4", "D5", "E4-rule", "F1", "F1-docket", "F1-answer"}


def test_the_organ_types_of_roles_and_the_event_types_of_moments_exist() -> None:
    roles = {one.actor for one in RULES.rules} | {each.grantor for one in RULES.rules for each in one.extensions}
    assert [word.id for word in roles for kind in word.kinds if not TABLES["organ_types"].valid(kind, DAY)] == []
    types = [kind for word in RULES.moments.values() for kind in word.kinds]
    missing = [kind for kind in types if not list((SCHEMAS_DIR / "events").glob(f"*/{kind.rsplit('.', 1)[-1]}.avsc"))]
    assert types
    assert missing == []


def test_every_warning_comes_within_the_term() -> None:
    in_days = {"month": 28, "year": 365}
    assert [one.id for one in RULES.rules if one.warn >= one.length * in_days.get(one.unit, 1)] == []


def test_every_year_has_its_notice() -> None:
    numbers = {year.year: [(notice.number, notice.issued) for notice in year.notices] for year in CALENDAR.years}
    assert numbers == {
        2023: [("国办发明电〔2022〕16号", parse_day("2022-12-08"))],
        2024: [("国办发明电〔2023〕7号", parse_day("2023-10-25"))],
        2025: [("国办发明电〔2024〕12号", parse_day("2024-11-12"))],
        2026: [("国办发明电〔2025〕7号", parse_day("2025-11-04"))],
    }


@pytest.mark.parametrize("year", [held.year for held in CALENDAR.years])
def test_a_second_opinion_agrees_on_every_day(year: int) -> None:
    first = date(year, 1, 1)
    days = [first + timedelta(shift) for shift in range((date(year + 1, 1, 1) - first).days)]
    differ = [
        str(day)
        for day in days
        if chinese_calendar.is_workday(day) != CALENDAR.is_working_day(parse_day(day.isoformat()))
    ]
    assert differ == []
