"""A case whose facts are put in by hand, for tests of its clocks: no table of moves stands between a fact and the clocks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

from services.cases.clocks import due_of, recomputed, ripened, verdicts
from services.cases.state import Case, Fact, Part
from services.cases.steps import Around, ClockChange
from services.cases.table import Kind, Role, Transfers
from services.kernel.calendar import Calendar
from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRules
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_instant
from services.members.registry import EMPTY

NANJING, SUZHOU = "320100.market_regulator", "320500.market_regulator"
RULES = ("A1", "A3", "A8", "A9", "E7")
SPAN = Literal["happened", "suspended", "resumed", "extended"]


@cache
def shipped_rules() -> ClockRules:
    return load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")


@cache
def calendar(*, until: int = 2026) -> Calendar:
    shipped = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
    return Calendar(tuple(year for year in shipped.years if year.year <= until))


def kind_of(*rules: str) -> Kind:
    actors = tuple(sorted({version.actor.id for rule in rules for version in shipped_rules().versions(rule)}))
    return Kind(
        id="trial",
        zh="试",
        en="trial",
        row="A1",
        source="试",
        roles=(
            Role("asker", "甲", "asker", ("market_regulator",), "opens"),
            Role("asked", "乙", "asked", ("market_regulator",), "addressee", actors),
        ),
        states=(),
        moves=(),
        bars=(),
        clocks=rules,
        opens_to="open",
        opens_article="试",
    )


def world(*rules: str, until: int = 2026, clock_rules: ClockRules | None = None) -> Around:
    tables = Transfers({"trial": kind_of(*(rules or RULES))})
    return Around(tables, clock_rules or shipped_rules(), replace(EMPTY, calendar=calendar(until=until)))


def at(text: str) -> int:
    """``2026-02-09T10:00`` in Beijing."""
    return parse_instant(f"{text}:00.000Z") - 8 * 3_600_000


@dataclass
class Docket:
    """The case, and everything that was told of its clocks, in order."""

    around: Around = field(default_factory=world)
    case: Case = field(
        default_factory=lambda: Case(
            "TR-1", 0, "trial", "open", "试", "e-open", 0, parts=(Part("asker", NANJING), Part("asked", SUZHOU))
        )
    )
    told: list[ClockChange] = field(default_factory=list)

    def hear(self, event: str, admitted_ms: int, *moments: Moment, scope: str | None = None) -> list[ClockChange]:
        """A fact: what is due before it is told first, as the fold of a case does."""
        first = len(self.told)
        while (due := due_of(self.case)) is not None and due < admitted_ms:
            self.tick(due)
        fact = Fact(event, NANJING, "move", admitted_ms, admitted_ms, moments, scope)
        after = replace(self.case, facts=(*self.case.facts, fact))
        self._take(after, *recomputed(self.case, after, moments, event, self.around, admitted_ms))
        return self.told[first:]

    def happens(
        self, word: str, when: str, *, admitted: str | None = None, kind: SPAN = "happened"
    ) -> list[ClockChange]:
        """One moment, admitted when it happened unless it is said when."""
        event = f"e-{len(self.case.facts)}"
        return self.hear(event, at(admitted or when), Moment(kind, word, at(when), event))

    def tick(self, at_ms: int) -> list[ClockChange]:
        """A tick at that very time."""
        first = len(self.told)
        self._take(self.case, *ripened(self.case, at_ms, self.around))
        return self.told[first:]

    def wait(self, until: str | int) -> list[ClockChange]:
        """The ticks that are due by then."""
        first = len(self.told)
        until_ms = until if isinstance(until, int) else at(until)
        while (due := due_of(self.case)) is not None and due <= until_ms:
            self.tick(due)
        return self.told[first:]

    def calendar_comes(self, until: int, admitted_ms: int, event: str = "e-calendar") -> list[ClockChange]:
        """Another calendar is loaded, and an entry says that it is to be counted by."""
        first = len(self.told)
        while (due := due_of(self.case)) is not None and due < admitted_ms:
            self.tick(due)
        registry = replace(self.around.registry, calendar=calendar(until=until))
        now = Around(self.around.tables, self.around.rules, registry, self.around.registry)
        self._take(self.case, *recomputed(self.case, self.case, (), event, now, admitted_ms))
        self.around = replace(now, before=None)
        return self.told[first:]

    def _take(self, case: Case, clocks: tuple, changes: tuple) -> None:
        self.case = replace(case, clocks=clocks)
        self.told += changes

    def stands(self, now_ms: int) -> dict[str, str]:
        """Every clock's state at a time, by its facts."""
        return {clock.key: judged.state for clock, judged, _ in verdicts(self.case, self.around, now_ms)}


def spoken(changes: list[ClockChange]) -> list[tuple[str, str]]:
    """What was told of which clock."""
    return [(change.what, change.clock.key) for change in changes]
