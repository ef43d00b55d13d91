"""The measuring of ``ipx bench transfers``: verdicts, the pure fold, the room on PostgreSQL, ends that come all at once, a table of many cases.

Each part returns how many and how long. The room is its runner, as its worker calls it, with the proposer that signs: what is left out
is Kafka, which the room waits for and is not waited for by.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from services.codec.keys import signer_from_seed
from services.codec.released import ReleasedSchemas
from services.commands.made_cases import IN_FLIGHT, Log, OneRegistry, fold_in_memory, kept_states, openings, records
from services.kernel.calendar import Calendar
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule, ClockRules
from services.kernel.ports import Clock
from services.kernel.verdict import verdict
from services.members.registry import Registry
from services.runtime.garbage import look_seldom
from services.runtime.metrics import Metrics
from services.runtime.postgres import Database
from services.runtime.proposals import Proposer
from services.runtime.records import RawRecord, read_logged
from services.runtime.runner import Runner
from services.runtime.topics import Topics
from services.transfers import worker
from services.transfers.worker import ROOM

BATCH = 1_000
"""As many as the worker takes at once."""
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_COPY = "copy transfers.state (key, state, due_at) from stdin"


@dataclass(frozen=True, slots=True)
class Speed:
    """Things that were counted, and how long they took."""

    count: int
    seconds: float

    @property
    def per_s(self) -> float:
        """Things a second."""
        return round(self.count / self.seconds, 1) if self.seconds else 0.0


def verdicts_per_s(rules: ClockRules, calendar: Calendar, at_ms: int, seconds: float) -> Speed:
    """Verdicts with their explanation on clocks of every shipped rule: running, met, late, suspended, extended."""
    asked = [(rule, _moments(rule, at_ms, turn), at_ms + 9 * _DAY_MS) for rule in rules.rules for turn in range(8)]

    def judge_all() -> int:
        for rule, moments, now_ms in asked:
            verdict(rule, moments, calendar, now_ms)
        return len(asked)

    return _timed(judge_all, seconds)


def _moments(rule: ClockRule, at_ms: int, turn: int) -> list[Moment]:
    found = [Moment("happened", rule.trigger[0].id, at_ms, "t")]
    if turn % 2 and rule.stops:
        found.append(Moment("happened", rule.stops[0].id, at_ms + turn * _DAY_MS, "s"))
    if turn % 4 > 1 and rule.exclusions:
        found.append(Moment("suspended", rule.exclusions[0].id, at_ms + _DAY_MS, "x"))
        found.append(Moment("resumed", rule.exclusions[0].id, at_ms + 3 * _DAY_MS, "y"))
    if turn > 5 and rule.extensions:
        found.append(Moment("extended", rule.extensions[0].id, at_ms + _DAY_MS, "e", 3))
    return found


def _timed(work: Callable[[], int], seconds: float) -> Speed:
    work()
    count, begun = 0, time.perf_counter()
    while (taken := time.perf_counter() - begun) < seconds:
        count += work()
    return Speed(count, taken)


def pure_fold(made: Sequence[RawRecord], released: ReleasedSchemas, world: OneRegistry) -> tuple[Speed, int]:
    """The entries through the room's fold, states in memory; and how many events they derived."""
    entries = [read_logged(record, released.with_digest) for record in made]
    begun = time.perf_counter()
    events, emissions = fold_in_memory(entries, world)
    return Speed(events, time.perf_counter() - begun), emissions


@dataclass
class RoomRun:
    """The room's runner on a database of its own."""

    released: ReleasedSchemas
    registry: Registry
    clock: Clock
    dsn: str

    def __post_init__(self) -> None:
        self.world = OneRegistry(self.registry)
        self.database = Database(self.dsn, "bench-transfers")
        tables = Path(str(worker.__file__)).with_name("store.sql")
        self.database.ensure_schema(ROOM.name, tables.read_text("utf-8"))
        signer = signer_from_seed(ROOM.participant, bytes(32))
        self._runner = Runner(
            ROOM,
            self.database,
            world=self.world,
            proposer=Proposer(ROOM.name, Topics("bench"), signer, self.released.named, lambda _: 1),
            schema_of=self.released.with_digest,
            metrics=Metrics("room"),
            clock=self.clock,
        )

    def fold(self, made: Sequence[RawRecord]) -> Speed:
        """Decoded, folded, stored with position and outbox, in the worker's batches."""
        look_seldom()  # as the worker does
        begun = time.perf_counter()
        for at in range(0, len(made), BATCH):
            self._runner.fold(made[at : at + BATCH])
        return Speed(len(made), time.perf_counter() - begun)

    def tick(self, until_ms: int) -> Speed:
        """Every tick due by then, until nothing is due: how many states were ticked."""
        begun, count = time.perf_counter(), 0
        while (due := self._runner.first_due()) is not None and due <= until_ms:
            count += self._runner.tick(until_ms)
        return Speed(count, time.perf_counter() - begun)

    def warned(self, clocks: int) -> int:
        """Ticks up to just before the first end: every warning is told, no end is. How many events that told."""
        before = self.outbox()
        while (due := self._runner.first_due()) is not None and self.outbox() - before < clocks:
            self._runner.tick(due + _HOUR_MS)
        return self.outbox() - before

    def fold_again(self, made: Sequence[RawRecord]) -> Speed:
        """As :meth:`fold`, of a log that begins anew beside the states that are kept."""
        with self.database.transaction() as connection:
            connection.execute("truncate transfers.position, transfers.outbox")
        return self.fold(made)

    def outbox(self) -> int:
        """How many derived events wait to be published."""
        return int(self._one("select count(*) from transfers.outbox"))

    def clear(self) -> None:
        """An empty room again."""
        with self.database.transaction() as connection:
            connection.execute("truncate transfers.state, transfers.position, transfers.outbox")

    def fill(self, upto: int, log: Log, told: Callable[[int], None]) -> None:
        """Cases at every step of their stories, until the table has that many; none is due soon."""
        have = int(self._one("select count(*) from transfers.state"))
        patterns = [json.dumps(ROOM.encode(case), ensure_ascii=False) for case in kept_states(log, self.world)]
        due_ms = log.at_ms + 3_000 * _DAY_MS
        with psycopg.connect(self.dsn) as connection, connection.cursor().copy(_COPY) as copy:
            for number in range(have, upto):
                subject = f"TR-KEPT-{number:08d}"
                pattern = patterns[number % len(patterns)]
                copy.write_row((subject, pattern.replace("TR-PATTERN", subject, 1), due_ms + number))
                if number % 10_000 == 0:
                    told(number)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("vacuum analyze transfers.state")

    def _one(self, question: LiteralString) -> int:
        with self.database.transaction() as connection:
            row = connection.execute(question).fetchone()
        return 0 if row is None else row[0]


@contextmanager
def scratch_database(dsn: str, name: str) -> Iterator[str]:
    """A database of this name on the same server; it is gone at the end."""
    made = sql.Identifier(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(made))
    try:
        yield urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(made))


def mixed(log: Log, events: int, name: str) -> list[RawRecord]:
    """Entries of cases of that name, from the beginning of a partition."""
    log.seq = 0
    return list(records(log, max(events, IN_FLIGHT), prefix=f"TR-{name}"))


def burst(log: Log, clocks: int) -> list[RawRecord]:
    """Openings whose clocks all end in one second."""
    log.seq = 0
    return list(openings(log, clocks, prefix="TR-BURST"))
