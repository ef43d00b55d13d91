"""What a list asks of the database: only conditions that were asked for, every value as a parameter. The rows: tests/broker."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from services.cases.state_json import encode
from services.kernel.clock_documents import load_clock_rules
from services.kernel.data import SCHEMAS_DIR
from services.transfers.listing import (
    NO_DUE,
    CaseQuery,
    ClockQuery,
    cases_sql,
    clocks_sql,
    organs_of,
    owed,
    read_cases,
    read_clocks,
)
from tests.unit.services.cases.stage import HAISHU, NANJING, NINGBO, ORGANS, SUBJECT, assistance, members

RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
EVIL = "x'; drop table state; --"


def names_in(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


@pytest.mark.parametrize(
    "asked",
    [
        CaseQuery(),
        CaseQuery(informed=EVIL),
        CaseQuery(playing=(EVIL,), kind=EVIL, state=EVIL, after=EVIL),
        CaseQuery(overdue=True, provisional=True, due_before=5, limit=3),
    ],
)
def test_every_value_of_a_list_of_cases_is_a_parameter(asked: CaseQuery) -> None:
    text, given = cases_sql(asked, RULES)
    assert names_in(text) == set(given)
    assert EVIL not in text
    assert "{" not in text.replace("'{}'", "")


@pytest.mark.parametrize(
    "asked",
    [
        ClockQuery(),
        ClockQuery(acting=(EVIL,), rule=EVIL),
        ClockQuery(overdue=True, provisional=True),
        ClockQuery(due_before=5, after=(5, EVIL, EVIL)),
    ],
)
def test_every_value_of_a_list_of_clocks_is_a_parameter(asked: ClockQuery) -> None:
    text, given = clocks_sql(asked, RULES)
    assert names_in(text) == set(given)
    assert EVIL not in text


def test_a_list_of_everything_asks_for_no_mark() -> None:
    text, given = cases_sql(CaseQuery(), RULES)
    assert "marks" not in text
    assert given == {"after": "", "limit": 100}


def test_a_right_that_lapses_makes_nobody_late() -> None:
    lapsing = {rule.id for rule in RULES.rules if rule.effect == "lapse"}
    assert lapsing
    assert lapsing.isdisjoint(owed(RULES))
    assert clocks_sql(ClockQuery(overdue=True, rule=min(lapsing)), RULES)[1]["rules"] == []


def test_a_division_holds_the_organs_of_those_below_it() -> None:
    registry = members()
    assert organs_of(registry, "330200") == tuple(sorted(name for name in ORGANS if name.startswith("3302")))
    assert HAISHU in organs_of(registry, "330000")
    assert NANJING not in organs_of(registry, "330000")
    assert organs_of(registry, "330203") == tuple(sorted(name for name in ORGANS if name.startswith("330203")))
    assert set(organs_of(registry, "100000")) == set(ORGANS)
    assert organs_of(registry, "440100") == ()


def test_rows_are_read_as_the_cases_and_clocks_they_are() -> None:
    case = assistance().now
    assert read_cases([(encode(case),)]) == [case]
    [row, endless] = read_clocks([("A8/1", 5, encode(case)), ("A8/2", None, encode(case))])
    assert (row.case, row.place) == (case, (5, SUBJECT, "A8/1"))
    assert endless.place == (NO_DUE, SUBJECT, "A8/2")
    assert replace(row, due_at=6).place > row.place
    assert NINGBO in case.informed
