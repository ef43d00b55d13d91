"""Lists of cases and clocks in the real database: for every question the rows that a reader of all states would pick."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import services.transfers
from services.cases.fold import due_of
from services.cases.laws import load_laws
from services.cases.lines import is_overdue
from services.cases.state import Case, Clock, Part
from services.cases.state_json import encode
from services.cases.steps import Around
from services.kernel.data import SCHEMAS_DIR
from services.runtime.postgres import Database
from services.runtime.store import Store
from services.transfers.desk import CaseDesk
from services.transfers.figures import asked
from services.transfers.listing import NO_DUE, CaseQuery, ClockQuery, owed
from tests.unit.services.cases.stage import DAY, HAISHU, MORNING, NANJING, NINGBO, NINGBO_POLICE, SUZHOU, members

LAWS = load_laws(SCHEMAS_DIR / "codes")
AROUND = Around(LAWS.tables, LAWS.rules, members())
STORE_SQL = Path(str(services.transfers.__file__)).with_name("store.sql").read_text("utf-8")
ORGANS = (NANJING, NINGBO, SUZHOU, HAISHU, NINGBO_POLICE)
STATES = ("running", "suspended", "expired", "met", "late", "ended")
COUNT = 150
OPEN = ("running", "suspended", "expired")


def made(number: int, draw: random.Random) -> Case:
    """A case whose clocks stand anyhow: not what a fold would make, but what it may store."""
    kind = draw.choice([kind for kind in LAWS.tables.kinds.values() if len(kind.clocks) > 1])
    roles = draw.sample(kind.roles, min(len(kind.roles), draw.randint(1, 3)))
    organs = draw.sample(ORGANS, len(roles))
    parts = tuple(Part(role.id, organ) for role, organ in zip(roles, organs, strict=True))
    if draw.random() < 0.2:
        parts = (*parts, Part(roles[0].id, "外地公安局", outside=True))
    clocks = []
    for rule in draw.sample(kind.clocks, draw.randint(0, 2)):
        state = draw.choice(STATES)
        due_at = MORNING + draw.randint(0, 50) * DAY if state != "suspended" else None
        clocks.append(
            Clock(
                rule=rule,
                valid_from=LAWS.rules.versions(rule)[0].valid_from,
                number=draw.randint(1, 3),
                trigger="t",
                since="t",
                told_state=state,
                due_at=due_at,
                warn_at=None if due_at is None else due_at - DAY,
                provisional=draw.random() < 0.3,
                advisory=draw.random() < 0.2,
                warned=draw.random() < 0.5,
                actors=tuple(sorted(draw.sample(ORGANS, draw.choice((0, 1, 1, 2))))),
            )
        )
    case = Case(f"TR-{number:04d}")
    if draw.random() < 0.05:
        return case  # something was said on it, and it was never opened
    informed = (*organs, *(actor for clock in clocks for actor in clock.actors), draw.choice(ORGANS))
    return Case(
        subject=case.subject,
        kind=kind.id,
        state=draw.choice(kind.states).id,
        opened_event="e",
        opened_ms=MORNING,
        members=members().size,
        parts=parts,
        clocks=tuple(clocks),
        informed=tuple(dict.fromkeys(informed)),
    )


@dataclass
class Held:
    """The desk over stored cases, and the cases."""

    desk: CaseDesk
    cases: list[Case]

    def numbers(self, **asked: Any) -> list[str]:
        return [line["case"] for line in self.desk.cases(CaseQuery(limit=COUNT, **asked), MORNING)]

    def clocks(self, **asked: Any) -> list[tuple[str, str]]:
        lines, _ = self.desk.clocks(ClockQuery(limit=500, **asked), MORNING)
        return [(line["case"], line["clock"]) for line in lines]

    def picked(self, wanted: Callable[[Case], bool]) -> list[str]:
        return [case.subject for case in self.cases if case.exists and wanted(case)]

    def picked_clocks(self, wanted: Callable[[Case, Clock], bool]) -> list[tuple[str, str]]:
        found = [
            (NO_DUE if clock.due_at is None else clock.due_at, case.subject, clock.key)
            for case in self.cases
            for clock in case.clocks
            if clock.told_state in OPEN and wanted(case, clock)
        ]
        return [(case, key) for _, case, key in sorted(found)]


class AllRead:
    """A history of members that ends with the stage's."""

    latest = members()
    size = latest.size

    def wait_for(self, size: int, timeout_s: float) -> bool:
        return size <= self.size

    def at(self, size: int) -> Any:
        assert size == self.size
        return self.latest


@pytest.fixture(scope="module")
def held(make_exchange) -> Iterator[Held]:
    draw = random.Random(5)
    cases = [made(number, draw) for number in range(COUNT)]
    with make_exchange() as exchange, Database(exchange.postgres_dsn, "test") as database:
        desk = CaseDesk(database, LAWS, AllRead)  # type: ignore[arg-type]
        assert desk.cases(CaseQuery(), MORNING) == [], "nothing before the room has made its tables"
        assert desk.case("TR-0001", MORNING, None) is None
        for _ in range(2):  # a worker that starts again
            database.ensure_schema("transfers", STORE_SQL)
        store = Store("transfers")
        with database.transaction() as connection:
            store.save_states(connection, {case.subject: (encode(case), due_of(case)) for case in cases}, ())
        yield Held(desk, cases)


def test_every_case_that_was_opened_is_listed_by_number(held: Held) -> None:
    assert held.numbers() == held.picked(lambda _: True)
    assert len(held.numbers()) < COUNT, "some were never opened"


@pytest.mark.parametrize("organ", [*ORGANS, "330000.police"])
def test_a_participants_view_holds_what_it_was_told_of(held: Held, organ: str) -> None:
    assert held.numbers(informed=organ) == held.picked(lambda case: organ in case.informed)


@pytest.mark.parametrize("organs", [(NANJING,), (NANJING, SUZHOU), (), ("nobody",)])
def test_a_city_finds_the_cases_in_which_its_organs_play_a_part(held: Held, organs: tuple[str, ...]) -> None:
    expected = held.picked(lambda case: any(part.participant in organs for part in case.parts))
    assert held.numbers(playing=organs) == expected


def test_kind_and_state_are_told_apart(held: Held) -> None:
    case = next(case for case in held.cases if case.exists)
    assert held.numbers(kind=case.kind) == held.picked(lambda each: each.kind == case.kind)
    assert held.numbers(state=case.state) == held.picked(lambda each: each.state == case.state)
    both = held.picked(lambda each: (each.kind, each.state) == (case.kind, case.state))
    assert held.numbers(kind=case.kind, state=case.state) == both
    assert held.numbers(kind=case.state) == []


def test_overdue_is_what_somebody_should_have_done(held: Held) -> None:
    expected = held.picked(lambda case: any(is_overdue(clock, AROUND, MORNING) for clock in case.clocks))
    assert held.numbers(overdue=True) == expected
    assert expected


def test_provisional_and_due_before_find_the_clocks_that_have_not_ended(held: Held) -> None:
    provisional = held.picked(lambda case: any(c.provisional and c.told_state in OPEN for c in case.clocks))
    assert held.numbers(provisional=True) == provisional
    for days in (0, 10, 51):
        before = MORNING + days * DAY
        soon = held.picked(lambda case: any(ends_before(c, before) for c in case.clocks))  # noqa: B023
        assert held.numbers(due_before=before) == soon


def ends_before(clock: Clock, at_ms: int) -> bool:
    return clock.told_state == "running" and clock.due_at is not None and clock.due_at < at_ms


def test_questions_are_joined(held: Held) -> None:
    expected = held.picked(
        lambda case: (
            NINGBO in case.informed
            and any(part.participant == SUZHOU for part in case.parts)
            and any(is_overdue(clock, AROUND, MORNING) for clock in case.clocks)
        )
    )
    assert held.numbers(informed=NINGBO, playing=(SUZHOU,), overdue=True) == expected


def test_pages_of_cases_are_the_list_cut_in_pieces(held: Held) -> None:
    found, after = [], ""
    while page := held.desk.cases(CaseQuery(informed=NINGBO, after=after, limit=7), MORNING):
        found += [line["case"] for line in page]
        after = found[-1]
    assert found == held.numbers(informed=NINGBO)


def test_clocks_are_listed_the_first_due_first(held: Held) -> None:
    assert held.clocks() == held.picked_clocks(lambda _case, _clock: True)


def test_clocks_are_found_by_rule_state_and_end(held: Held) -> None:
    rule = next(clock.rule for case in held.cases for clock in case.clocks if clock.told_state == "expired")
    assert held.clocks(rule=rule) == held.picked_clocks(lambda _, clock: clock.rule == rule)
    overdue = held.picked_clocks(lambda _, clock: is_overdue(clock, AROUND, MORNING))
    assert held.clocks(overdue=True) == overdue
    assert all(key.partition("/")[0] in owed(LAWS.rules) for _, key in overdue)
    assert held.clocks(provisional=True) == held.picked_clocks(lambda _, clock: clock.provisional)
    before = MORNING + 20 * DAY
    assert held.clocks(due_before=before) == held.picked_clocks(lambda _, clock: ends_before(clock, before))


@pytest.mark.parametrize("organs", [(NINGBO,), (NINGBO, HAISHU, NINGBO_POLICE)])
def test_clocks_of_a_city_are_those_for_which_its_organs_must_act(held: Held, organs: tuple[str, ...]) -> None:
    acting = held.picked_clocks(lambda _, clock: not set(organs).isdisjoint(clock.actors))
    assert held.clocks(acting=organs) == acting
    assert held.clocks(acting=organs) != held.clocks()


def test_the_figures_count_every_clock_for_the_organ_that_must_act(held: Held) -> None:
    settled = MORNING + 20 * DAY
    text, given = asked(LAWS, AROUND.registry.calendar)
    with held.desk.database.transaction() as connection:
        rows = connection.execute(text.encode(), {**given, "settled": settled}).fetchall()

    expected: dict[tuple[str, str, str | None], list[int]] = {}
    for case in held.cases:
        for clock in (clock for clock in case.clocks if clock.told_state in OPEN):
            for organ in clock.actors or [None]:
                counts = expected.setdefault((case.kind, clock.rule, organ), [0] * 5)
                counts[0] += 1
                counts[1] += clock.told_state == "running" and clock.warned
                counts[2] += clock.told_state == "expired" and not clock.advisory
                counts[3] += clock.provisional
                counts[4] += clock.provisional and clock.due_at is not None and clock.due_at < settled
    assert {tuple(row[:3]): list(row[3:]) for row in rows} == expected
    assert any(organ is None for _, _, organ in expected)


def test_pages_of_clocks_are_the_list_cut_in_pieces(held: Held) -> None:
    found, after = [], None
    while True:
        lines, place = held.desk.clocks(ClockQuery(after=after, limit=7), MORNING)
        found += [(line["case"], line["clock"]) for line in lines]
        if place is None:
            break
        after = place
    assert found == held.clocks()
