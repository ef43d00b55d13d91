"""Conducts one run: plays the scenarios, follows the log until everything has come to rest, then counts offline.

1 remember where every topic ends · 2 play what must be alone, one after another · 3 play the others together, following
logs, inboxes and proposals · 4 at rest: every step made, every published event decided, every copy for an organ with a
node committed or rejected, every expected end come, and nothing new for a moment · 5 read everything again from the
beginning, with a fresh client, and count from that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.demo.desk import Desk
from services.demo.ends import Trail
from services.demo.play import Play
from services.demo.reading import Reader
from services.demo.scenario import Scenario
from services.demo.tally import Place, Tally
from services.demo.telling import Told, in_the_log, outstanding, told_of
from services.kernel.errors import Transient
from services.runtime.settings import CommonSettings
from services.runtime.topics import Topics

FAMILIES = ("clues", "receipts")
REST_S = 1.0
"""How long nothing new may come before a run counts as at rest."""
READ_WITHIN_S = 180.0
_LOOK_EVERY_S = 0.15


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is, for the progress bar."""

    steps: int
    steps_made: int
    copies: int
    copies_ended: int
    cases_ended: frozenset[str]
    """Cases whose every step was made and whose every end has come."""
    about: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that ended: the cases in words, the offline tally, what did not come."""

    cases: tuple[Told, ...]
    tally: Tally
    seconds: float
    outstanding: tuple[str, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """Every expected end that did not come, named; empty when all is right."""
        ends = [f"{c.name}: {e.en or e.end} ({e.end} of {e.clue})" for c in self.cases for e in c.missing]
        numbers = [f"{self.tally.gaps} gaps"] if self.tally.gaps else []
        numbers += [f"{self.tally.repeats} repeats"] if self.tally.repeats else []
        return (*ends, *numbers, *self.outstanding)


class Conductor:
    """One run over a running exchange and running cities. Use once."""

    def __init__(
        self,
        settings: CommonSettings,
        desks: Mapping[str, Desk],
        run: str,
        *,
        tend: Callable[[], None] = lambda: None,
        watch: Callable[[Standing], None] = lambda _standing: None,
    ) -> None:
        """``tend`` is called all along (it keeps nodes alive), ``watch`` is told of progress."""
        self._settings = settings
        self._desks = desks
        self._run = run
        self._tend = tend
        self._watch = watch
        self._topics = Topics(settings.exchange_name)
        self._hosted = frozenset(desks)

    def conduct(self, scenarios: Sequence[Scenario], *, within_s: float) -> Outcome:
        """Plays them to the end or to the limit. Blocks; ``Transient`` when Kafka stays away at the beginning."""
        began = time.monotonic()
        plays = [Play(scenario, self._run, self._desks) for scenario in scenarios]
        with Reader(self._settings) as reader:
            marks = reader.ends(self._read_topics(reader))  # (1)
            tally = Tally(self._topics, marks)
            reader.start(marks)
            until = began + within_s
            for alone in (play for play in plays if play.scenario.alone):  # (2)
                self._follow(reader, tally, plays, (alone,), until)
            self._follow(reader, tally, plays, tuple(plays), until)  # (3) (4)
        seconds = time.monotonic() - began
        left = outstanding(plays, Trail(tally), self._hosted)
        counted = self.count(marks)  # (5)
        trail = Trail(counted)
        return Outcome(tuple(told_of(p, trail, p.screens(trail)) for p in plays), counted, seconds, left)

    def count(self, marks: Mapping[Place, int]) -> Tally:
        """Everything that logs and inboxes hold, read by a client of its own from the beginning."""
        tally = Tally(self._topics, marks)
        with Reader(self._settings) as reader:
            for record in reader.read_to(reader.ends(self._read_topics(reader)), within_s=READ_WITHIN_S):
                tally.take(record)
        return tally

    def _read_topics(self, reader: Reader) -> frozenset[str]:
        """Logs, the proposals that are counted, and every inbox."""
        known = reader.topics()
        wanted = {self._topics.log(family) for family in FAMILIES} | {self._topics.proposals(FAMILIES[0])}
        return frozenset(t for t in known if t in wanted or self._topics.inbox_owner(t) is not None)

    def _follow(
        self, reader: Reader, tally: Tally, plays: Sequence[Play], active: Sequence[Play], until: float
    ) -> None:
        """Until the active plays are at rest, or the time is over."""
        quiet_since, looked = time.monotonic(), 0.0
        while time.monotonic() < until:
            came = self._poll(reader, tally)
            now = time.monotonic()
            if came:
                quiet_since = now
            if now - looked < _LOOK_EVERY_S:
                continue
            looked = now
            self._tend()
            trail = Trail(tally)
            for play in active:
                if play.advance(trail):
                    quiet_since = now
            self._watch(self._standing(plays, tally, trail))
            rested = now - quiet_since >= (REST_S if len(active) == len(plays) else 0.0)
            if rested and not outstanding(active, trail, self._hosted):
                return

    def _poll(self, reader: Reader, tally: Tally) -> bool:
        """Takes what has come; a broker that is away is waited for."""
        try:
            records = reader.poll(100)
        except Transient:
            time.sleep(0.2)
            return False
        for record in records:
            tally.take(record)
        return bool(records)

    def _standing(self, plays: Sequence[Play], tally: Tally, trail: Trail) -> Standing:
        pairs = {(e.statement.id, d.recipient) for e in tally.entries.values() for d in e.deliveries}
        hosted = {pair for pair in pairs if pair[1] in self._hosted}
        at = next((play for play in plays if not play.is_done), None)
        return Standing(
            steps=sum(len(play.scenario.steps) for play in plays),
            steps_made=sum(play.at for play in plays),
            copies=len(hosted),
            copies_ended=len(hosted & (tally.committed | set(tally.declined))),
            cases_ended=frozenset(p.scenario.name for p in plays if p.is_done and not in_the_log(p.missing(trail, {}))),
            about="" if at is None else at.waits_for,
        )
