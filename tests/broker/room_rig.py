"""Starts, kills and questions the counting room of ``counting_room.py`` on a test exchange, and says what it must hold."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from services.codec.envelope import envelope_from_record
from services.events.receipt import Delivered
from tests.broker import running
from tests.broker.counting_room import EVERY, RECIPIENT
from tests.broker.log_writer import EPOCH_MS, RELEASED, LogWriter, Said
from tests.broker.running import ROOT, Started
from tests.broker.waiting import wait_until

PARTITIONS = 4


class Worker(Started):
    """One process of a room."""

    def __init__(self, exchange, argv: tuple[str, ...], *, cwd: Path = ROOT, **environ: str) -> None:
        own = {"PYTHONPATH": str(ROOT), "IPX_LOG_FORMAT": "text", **environ}
        super().__init__(exchange, argv, own, name="worker", cwd=cwd)


class Rig:
    """A test exchange with a log writer and the counting room."""

    def __init__(self, exchange) -> None:
        self.exchange = exchange
        self.writer = LogWriter(exchange)
        self.by_subject: dict[str, list[str]] = {}
        self.written = 0

    def start(self, *, cwd: Path = ROOT, **environ: str) -> Worker:
        """A worker of the counting room."""
        return Worker(self.exchange, ("-m", "tests.broker.counting_room"), cwd=cwd, **environ)

    @contextmanager
    def running(self, *, cwd: Path = ROOT, **environ: str) -> Iterator[Worker]:
        """A worker that is stopped in good order at the end."""
        worker = self.start(cwd=cwd, **environ)
        try:
            yield worker
        finally:
            worker.stop()

    def said(self, count: int, *, subjects: int = 40) -> list[Said]:
        """That many receipts over some subjects; a subject stays in its partition."""
        made = []
        for number in range(self.written, self.written + count):
            subject = number % subjects
            event = Delivered(
                event=self.writer.next_id(), recipient=RECIPIENT, log="x.clues/0", number=number, delivered_at=EPOCH_MS
            )
            made.append(Said(event, f"CL-{subject}", subject % PARTITIONS, EPOCH_MS + number))
        return made

    def write(self, count: int, **more) -> None:
        """Appends that many entries in one transaction, and remembers what must come of them."""
        said = self.said(count, **more)
        for one, event_id in zip(said, self.writer.write(said), strict=True):
            self.by_subject.setdefault(one.subject, []).append(event_id)
        self.written += count

    def write_aborted(self, count: int) -> None:
        """Appends entries in a transaction that is aborted: they are in the topic, and are nothing."""
        self.writer.write(self.said(count), commit=False)

    def query(self, statement: str) -> list[tuple]:
        """Rows; none while the tables are not made or the server is away."""
        try:
            with psycopg.connect(self.exchange.postgres_dsn, connect_timeout=3) as connection:
                return connection.execute(statement).fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.OperationalError):
            return []

    def throw_away(self) -> None:
        """Empties every table of the room at once, as a lost database would be."""
        with psycopg.connect(self.exchange.postgres_dsn) as connection:
            connection.execute("lock table counting.position, counting.state, counting.outbox")
            for table in ("position", "state", "outbox"):
                connection.execute(f"delete from counting.{table}")

    def folded(self) -> int:
        """Entries folded so far."""
        rows = self.query("select coalesce(sum(next_seq), 0)::int from counting.position")
        return rows[0][0] if rows else 0

    def wait_folded(self, count: int | None = None, *, within_s: float = 60) -> float:
        """Waits until that many entries (all written ones) are folded; says how long it took."""
        wanted = self.written if count is None else count
        started = time.monotonic()
        wait_until(lambda: self.folded() >= wanted, within_s, lambda: f"{self.folded()} of {wanted} entries are folded")
        return time.monotonic() - started

    def check(self) -> None:
        """States, positions and outbox are those of a run that nothing disturbed."""
        states = dict(self.query("select key, state from counting.state"))
        assert {key: state["entries"] for key, state in states.items()} == {
            subject: len(ids) for subject, ids in self.by_subject.items()
        }
        assert {key: state["digest"] for key, state in states.items()} == {
            subject: digest_of(ids) for subject, ids in self.by_subject.items()
        }
        expected = {(ids[n - 1], n) for ids in self.by_subject.values() for n in range(EVERY, len(ids) + 1, EVERY)}
        emitted = [emission for emission in self.emitted() if emission[1]]
        assert len(emitted) == len(set(emitted)), "an emission stands twice in the outbox"
        assert set(emitted) == expected

    def emitted(self) -> list[tuple[str, int]]:
        """Cause and number of every emission in the outbox, in order."""
        found = []
        for headers, value in self.query("select headers, value from counting.outbox order by n"):
            _, envelope = envelope_from_record([(name, text.encode()) for name, text in headers], bytes(value))
            body = RELEASED.with_digest(envelope.statement.schema).decode(envelope.body)
            found.append((envelope.statement.cause, body["number"]))
        return found


def digest_of(ids: list[str]) -> str:
    """What the counting room holds of a subject after these entries."""
    digest = ""
    for event_id in ids:
        digest = hashlib.sha256(f"{digest}{event_id}".encode()).hexdigest()
    return digest


def readyz(port: str) -> tuple[int, dict]:
    """Status and checks of ``/readyz``; 0 while nothing listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}


def free_port() -> str:
    """A port of loopback that is free now, as a setting is written."""
    return str(running.free_port())


def pause_until(condition, *, within_s: float, what: str) -> None:
    """Waits for something to become so."""
    wait_until(condition, within_s, what)


@contextmanager
def away(platform, part: str) -> Iterator[None]:
    """The part is killed, and its supervisor held, so that it stays away until the block ends."""
    supervisor = platform.state().pid
    os.kill(supervisor, signal.SIGSTOP)
    try:
        os.kill(platform.state().parts[part].pid, signal.SIGQUIT if part == "postgres" else signal.SIGKILL)
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)
