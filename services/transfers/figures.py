"""Figures of the clocks of cases for those who watch: how many run, were warned of, are overdue or provisional, and how long acting took.

By kind of transfer, city of the organ that must act, and clock rule; nothing of any single case. How clocks stand is asked of the
database now and then; how long acting took is told with what the room says. An advisory clock is never overdue, and neither is a right that lapsed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.cases.laws import Laws, load_laws
from services.events.notice import ClockStopped
from services.events.registry import Event
from services.kernel.calendar import Calendar
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_day
from services.kernel.term import start_of_day
from services.members.jurisdiction import start_of
from services.members.registry import Registry
from services.runtime.clock_metrics import (
    ROOM_ACT_SECONDS,
    ROOM_OPEN_CLOCKS,
    ROOM_OVERDUE_CLOCKS,
    ROOM_PROVISIONAL_CLOCKS,
    ROOM_UNAPPLIED_CLOCKS,
    ROOM_WARNED_CLOCKS,
)
from services.runtime.metrics import Metrics
from services.runtime.postgres import Database
from services.transfers.listing import READY, Statement, owed, standing_sql

OUTSIDE: Final = "outside"
"""The city of a clock for which an organ outside the exchange must act."""
NO_CITY: Final = "none"
"""The city of an organ that serves no division."""
_GAUGES: Final = {
    "open": ROOM_OPEN_CLOCKS,
    "warned": ROOM_WARNED_CLOCKS,
    "overdue": ROOM_OVERDUE_CLOCKS,
    "provisional": ROOM_PROVISIONAL_CLOCKS,
    "unapplied": ROOM_UNAPPLIED_CLOCKS,
}

Place = tuple[str, str, str]
"""Kind, city, clock rule."""
Standing = Mapping[str, Mapping[Place, int]]
"""How many clocks, by what is counted (``_GAUGES``) and place."""


@dataclass(slots=True)
class CaseFigures:
    """Tells the metrics of one process of the room. ``registry`` gives the members as followed so far."""

    metrics: Metrics
    laws: Laws
    registry: Callable[[], Registry]
    _told: frozenset[tuple[str, Place]] = frozenset()

    def said(self, events: Iterable[Event]) -> None:
        """After what the room said was stored: notes how long each act took that stopped a clock. Does not block."""
        for event in events:
            if isinstance(event, ClockStopped):
                for place, seconds in act_times(event, self.registry()):
                    self.metrics.observe(ROOM_ACT_SECONDS, seconds, **_labels(place))

    def look(self, database: Database) -> None:
        """Asks how the clocks stand and tells it. Blocks; ``Transient`` in an outage."""
        registry = self.registry()
        with database.transaction() as connection:
            found = connection.execute(READY).fetchone()
            if found is None or not found[0]:
                return
            text, given = asked(self.laws, registry.calendar)
            rows = connection.execute(text.encode(), given).fetchall()
        self.tell(standing(rows, registry, frozenset(owed(self.laws.rules))))

    def tell(self, counted: Standing) -> None:
        """Sets the gauges; what was told before and is no more is told as nothing."""
        now = {(name, place): count for name, places in counted.items() for place, count in places.items()}
        for name, place in self._told - now.keys():
            self.metrics.set(_GAUGES[name], 0, **_labels(place))
        for (name, place), count in now.items():
            self.metrics.set(_GAUGES[name], count, **_labels(place))
        self._told = frozenset(now)


def figures_for(metrics: Metrics, registry: Callable[[], Registry]) -> CaseFigures:
    """The figures of a process of the room, by the tables of the release."""
    return CaseFigures(metrics, load_laws(SCHEMAS_DIR / "codes"), registry)


def asked(laws: Laws, calendar: Calendar) -> Statement:
    """The statement that counts the clocks that have not ended, and its parameters."""
    rules = sorted({rule.id for rule in laws.rules.rules})
    return standing_sql(), {"rules": rules, "settled": settled_until(calendar)}


def settled_until(calendar: Calendar) -> int:
    """Up to when an end in working days is settled by the notices that are published: 25 December of the last year (calendar.py)."""
    last = calendar.last_year
    return 0 if last is None else start_of_day(parse_day(f"{last}-12-25"))


def standing(rows: Iterable[tuple[Any, ...]], registry: Registry, owing: frozenset[str]) -> Standing:
    """The counts of the rows by place: kind, rule, organ that must act (None: outside), and a count for each gauge. Pure.

    A clock for which several organs must act is counted for each.
    """
    counted: dict[str, Counter[Place]] = {name: Counter() for name in _GAUGES}
    for kind, rule, participant, *counts in rows:
        place = (kind, city_of(participant, registry), rule)
        for name, count in zip(_GAUGES, counts, strict=True):
            if count and (name != "overdue" or rule in owing):
                counted[name][place] += count
    return counted


def act_times(event: ClockStopped, registry: Registry) -> list[tuple[Place, float]]:
    """How long the organs that had to act took from the trigger to the stop; nothing where the duty fell away. Pure."""
    verdict = event.verdict
    if verdict.state not in ("met", "late") or verdict.started_at is None or verdict.ended_at is None:
        return []
    seconds = max(0.0, (verdict.ended_at - verdict.started_at) / 1000)
    cities = sorted({city_of(actor, registry) for actor in event.actors or (None,)})
    return [((event.kind, city, event.rule), seconds) for city in cities]


def city_of(participant: str | None, registry: Registry) -> str:
    """The code of the city of an organ, or of the province where it lies in none (``start_of``)."""
    if participant is None:
        return OUTSIDE
    known = registry.participant(participant)
    if known is None or known.division is None:
        return NO_CITY
    return start_of(known.division, "prefecture")


def _labels(place: Place) -> dict[str, str]:
    return dict(zip(("kind", "city", "clock"), place, strict=True))
