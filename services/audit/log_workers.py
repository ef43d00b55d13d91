"""Runs of records looked at in processes of their own: what the interpreter lock would put one after the other is done side by side.

A worker is made anew (``spawn``), so it inherits no broker client and no lock. It is told the members log as bytes, and folds it itself: nothing that
another process believes is believed. With no process the same is done here.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from services.audit.log_check import Examiner, Plain, Stretch, stretch_of
from services.codec.envelope import envelope_from_record
from services.codec.keys import PublicKey
from services.codec.released import load_released
from services.kernel.codes import load_code_tables
from services.kernel.errors import Transient
from services.members.history import History
from services.members.jurisdiction import routes_of

RUN = 1_000
_AHEAD = 3
"""Runs that wait for each process, so that none is idle and few are held in memory."""
_IN_THE_WORKER: list[Examiner | None] = [None]


@dataclass(frozen=True, slots=True)
class Ground:
    """All that a worker needs to judge records of one exchange; ``members`` are the verified records of the members log."""

    members_log: str
    members: tuple[Plain, ...]
    root: PublicKey
    schemas_dir: Path

    def examiner(self) -> Examiner:
        """Reads schemas and tables and folds the members log; blocks for a moment."""
        released = load_released(self.schemas_dir / "released")
        routes = routes_of(load_code_tables(self.schemas_dir / "codes"))
        history = History(log=self.members_log, schema_of=released.with_digest, root=self.root)
        for _, headers, value in self.members:
            history.append(envelope_from_record(headers, value)[1])
        return Examiner(history, released, routes, self.root)


class Workers:
    """Some processes, or none; started when the first run comes to them. Use as a context manager."""

    def __init__(self, processes: int, ground: Ground | None) -> None:
        """``ground`` is None when only steps 1 to 3 are asked for."""
        self._processes = processes
        self._ground = ground
        self._pool: ProcessPoolExecutor | None = None
        self._here: Examiner | None = None

    def stretches(self, log: str, records: Iterable[Plain]) -> Iterator[Stretch]:
        """The stretches of a log in order. ``Transient`` when a process ended."""
        runs = _runs(records)
        first = next(runs, None)
        if first is None:
            return
        second = next(runs, None)
        if self._processes == 0 or second is None:  # a short log is not worth a process
            for run in (first, *(() if second is None else (second,)), *runs):
                yield stretch_of(log, run, self._examiner())
            return
        yield from self._beside(log, _chained(first, second, runs))

    def close(self) -> None:
        """Ends the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _beside(self, log: str, runs: Iterator[Sequence[Plain]]) -> Iterator[Stretch]:
        pool = self._started()
        waiting: deque[Future[Stretch]] = deque()
        try:
            for run in runs:
                waiting.append(pool.submit(_work, log, run))
                if len(waiting) >= _AHEAD * self._processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise Transient("a process that looks at records has ended; try again") from error
        finally:
            for future in waiting:
                future.cancel()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(self._ground,)
            )
        return self._pool

    def _examiner(self) -> Examiner | None:
        if self._here is None and self._ground is not None:
            self._here = self._ground.examiner()
        return self._here


def _runs(records: Iterable[Plain]) -> Iterator[list[Plain]]:
    rest = iter(records)
    while run := list(islice(rest, RUN)):
        yield run


def _chained(first: list[Plain], second: list[Plain], runs: Iterator[list[Plain]]) -> Iterator[list[Plain]]:
    yield first
    yield second
    yield from runs


def _begin(ground: Ground | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the process that asks; it ends this one
    _IN_THE_WORKER[0] = None if ground is None else ground.examiner()


def _work(log: str, run: Sequence[Plain]) -> Stretch:
    return stretch_of(log, run, _IN_THE_WORKER[0])
