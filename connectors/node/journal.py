"""The node's database: SQLite in WAL mode, written by one thread, many changes in one commit.

Whoever wants something changed hands in a function; the thread runs the functions that are waiting one after another within one
transaction, each behind a savepoint of its own, signs the receipts that they ask for with one batch signature for each
participant, stores them in the same transaction, and answers when it is on the disk. So a receipt exists exactly when the state
that it reports does, and a commit (an fsync) is paid once for many events.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from connectors.kit import dead_letters
from connectors.node.receipts import Receipt
from services.kernel.errors import BadSettings, Corrupt, IpxError, Transient

VERSION: Final = "1"
_SCHEMA: Final = Path(__file__).with_name("store.sql").read_text("utf-8")
_MOST_IN_A_COMMIT: Final = 1024
_APPLICATION_ID: Final = 0x49505831  # IPX1

T = TypeVar("T")
StoreReceipts = Callable[[sqlite3.Connection, list[Receipt]], None]


class DatabaseAway(Transient):
    """The database file could not be written or read now: disk full, locked, gone."""


@dataclass(slots=True)
class Change:
    """What a function works with: the connection, inside a transaction, and the receipts to be signed at its end."""

    db: sqlite3.Connection
    receipts: list[Receipt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Job:
    run: Callable[[Change], Any]
    future: asyncio.Future[Any]


_Result = tuple[_Job, Any, BaseException | None]


def open_database(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """The database file, made if it is not there; ``BadSettings`` when it is not one of a node, or of another version."""
    try:
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        mode = "ro" if read_only else "rwc"
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
        )
        db.execute("pragma busy_timeout = 10000")
        known = db.execute("pragma application_id").fetchone()[0]
        if known not in (0, _APPLICATION_ID):
            raise BadSettings(f"{path} is not the database of a node")
        if not read_only:
            _prepare(db)
        version = db.execute("select value from about where name = 'version'").fetchone()
    except sqlite3.Error as error:
        raise BadSettings(f"{path} cannot be opened as the database of a node: {error}") from error
    if version is None or version[0] != VERSION:
        raise BadSettings(f"{path} is of version {version and version[0]}, this node writes version {VERSION}")
    return db


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute(f"pragma application_id = {_APPLICATION_ID}")
    # one transaction: who looks meanwhile sees all of it or nothing, and it is one write to the disk, not one for each table
    db.executescript("\n".join(("begin immediate;", _SCHEMA, dead_letters.TABLE)))
    db.execute("insert or ignore into about values ('version', ?)", (VERSION,))
    db.execute("commit")


class Journal:
    """Use from the event loop: ``await journal.change(function)``. Close it with ``await journal.close()``."""

    def __init__(self, path: Path, store_receipts: StoreReceipts) -> None:
        self._db = open_database(path)
        self._store_receipts = store_receipts
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._ending = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="node-journal", daemon=True)
        self._thread.start()

    async def change(self, run: Callable[[Change], T]) -> T:
        """Runs the function within a transaction and returns what it returned once that is committed.

        An error that it raises undoes its own change alone. ``DatabaseAway`` when the database fails: nothing was changed.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._ending:
            if self._closed:
                raise Corrupt("the journal has stopped")
            self._jobs.put(_Job(run, future))
        return await future

    async def close(self) -> None:
        """Ends the thread after what was handed in before, and closes the file."""
        with self._ending:
            self._closed = True
            self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._db.close()

    def _work(self) -> None:
        try:
            ended = False
            while not ended:
                jobs, ended = self._next_jobs()
                if jobs:
                    self._run(jobs)
        finally:
            self._refuse_the_rest()

    def _refuse_the_rest(self) -> None:
        """Nobody may be left waiting for a thread that has ended."""
        with self._ending:
            self._closed = True
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    _answer([(job, None, Corrupt("the journal has stopped"))])

    def _next_jobs(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) >= _MOST_IN_A_COMMIT:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _run(self, jobs: list[_Job]) -> None:
        stopped: BaseException = Corrupt("a change ended in a way that nobody foresaw; the node stops")
        results: list[_Result] = [(job, None, stopped) for job in jobs]  # stands if a bug ends this thread
        try:
            self._db.execute("begin immediate")
            receipts: list[Receipt] = []
            done = [self._one(job, receipts) for job in jobs]
            if receipts:
                self._store_receipts(self._db, receipts)
            self._db.execute("commit")
            results = done
        except (sqlite3.Error, IpxError) as error:
            away = error if isinstance(error, Corrupt) else DatabaseAway(f"{type(error).__name__}: {error}")
            results = [(job, None, away) for job in jobs]
        finally:
            if self._db.in_transaction:
                self._db.execute("rollback")
            _answer(results)

    def _one(self, job: _Job, receipts: list[Receipt]) -> _Result:
        self._db.execute("savepoint one")
        change = Change(self._db)
        try:
            value = job.run(change)
        except IpxError as error:
            self._db.execute("rollback to one")
            self._db.execute("release one")
            return job, None, error
        self._db.execute("release one")
        receipts.extend(change.receipts)
        return job, value, None


def _answer(results: list[_Result]) -> None:
    loop = results[0][0].future.get_loop()

    def tell() -> None:
        for job, value, error in results:
            if job.future.done():  # whoever asked was cancelled; the change is made all the same
                continue
            if error is None:
                job.future.set_result(value)
            else:
                job.future.set_exception(error)

    if not loop.is_closed():
        loop.call_soon_threadsafe(tell)
