"""Conducts one run: plays the scenarios, follows the log until everything has come to rest, then counts offline.

1 remember where every topic ends · 2 play what must be alone, one after another · 3 play the others together, following
logs, inboxes and proposals · 4 at rest: every step made, every published event decided, every copy for an organ with a
node committed or rejected, every expected end come, and nothing new for a moment (where every story waits for a time, the clock is moved
to the first of them, once nothing is on the way) · 5 read everything again from the
beginning, with a fresh client, and count from that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.demo.ends import Trail
from services.demo.moving import MovedTime
from services.demo.played import Played
from services.demo.reading import Reader
from services.demo.tally import COUNTED_FAMILIES, MEMBERS, Place, Tally
from services.demo.telling import Told, on_the_way, outstanding, told_of
from services.kernel.errors import Transient
from services.runtime.settings import CommonSettings
from services.runtime.topics import Topics

FAMILIES = (*COUNTED_FAMILIES, "receipts", MEMBERS)
REST_S = 1.0
"""How long nothing new may come before a run counts as at rest."""
MOVE_AFTER_S = 0.25
"""How long nothing new may come before the clock is moved."""
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
        hosted: Iterable[str],
        *,
        time_of_run: MovedTime | None = None,
        tend: Callable[[], None] = lambda: None,
        watch: Callable[[Standing], None] = lambda _standing: None,
    ) -> None:
        """``hosted`` are the organs with a node here. ``tend`` is called all along (it keeps nodes alive), ``watch`` is told of progress.

        ``time_of_run`` is the clock that may be moved; without it no story may wait for a time.
        """
        self._settings = settings
        self._time = time_of_run
        self._tend = tend
        self._watch = watch
        self._topics = Topics(settings.exchange_name)
        self._hosted = frozenset(hosted)

    def conduct(self, plays: Sequence[Played], *, within_s: float) -> Outcome:
        """Plays them to the end or to the limit. Blocks; ``Transient`` when Kafka stays away at the beginning."""
        began = time.monotonic()
        with Reader(self._settings) as reader:
            marks = reader.ends(self._read_topics(reader))  # (1)
            tally = Tally(self._topics, marks)
            reader.start({place: 0 if place[0] == self._topics.log(MEMBERS) else mark for place, mark in marks.items()})
            until = began + within_s
            for alone in (play for play in plays if play.alone):  # (2)
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
        wanted = {self._topics.log(family) for family in FAMILIES} | {
            self._topics.proposals(family) for family in COUNTED_FAMILIES
        }
        return frozenset(t for t in known if t in wanted or self._topics.inbox_owner(t) is not None)

    def _follow(
        self, reader: Reader, tally: Tally, plays: Sequence[Played], active: Sequence[Played], until: float
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
            if now - quiet_since >= MOVE_AFTER_S and self._moved_on(active, trail):
                quiet_since = now
            rested = now - quiet_since >= (REST_S if len(active) == len(plays) else 0.0)
            if rested and not outstanding(active, trail, self._hosted):
                return

    def _moved_on(self, active: Sequence[Played], trail: Trail) -> bool:
        """Moves the clock to the first time that is waited for, when everything waits for one and nothing is on the way."""
        times = [play.waits_until for play in active if not play.is_done]
        ahead = [at_ms for at_ms in times if at_ms is not None]
        if self._time is None or not ahead or len(ahead) < len(times) or on_the_way(trail, self._hosted):
            return False
        self._time.move_to(min(ahead))
        return True

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

    def _standing(self, plays: Sequence[Played], tally: Tally, trail: Trail) -> Standing:
        pairs = {(e.statement.id, d.recipient) for e in tally.entries.values() for d in e.deliveries}
        hosted = {pair for pair in pairs if pair[1] in self._hosted}
        at = next((play for play in plays if not play.is_done), None)
        return Standing(
            steps=sum(play.size for play in plays),
            steps_made=sum(play.at for play in plays),
            copies=len(hosted),
            copies_ended=len(hosted & (tally.committed | set(tally.declined))),
            cases_ended=frozenset(p.name for p in plays if p.is_done and not p.awaited(trail)),
            about="" if at is None else at.waits_for,
        )
