"""The cities' own processes: case systems and nodes, started together, kept alive, stopped together.

Whoever conducts a run owns them. Their ids are written down, so that a crew whose conductor was killed is ended by the next
one before it starts its own; a lock keeps two crews of one directory apart.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from services.kernel.errors import Transient
from services.platform.launch import last_lines
from services.platform.processes import created_at, is_alive, wait_gone

STOP_WITHIN_S = 10.0
QUICK_S = 5.0
MOST_QUICK_ENDS = 3
_TAIL_LINES = 12
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Role:
    """One process: its name, what is run, with which settings."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Running:
    role: Role
    process: subprocess.Popen[bytes]
    since_s: float
    starts: int = 1
    quick_ends: int = 0
    """How often it has ended within seconds of its start, one after another."""


class Crew:
    """Some processes of one directory. ``close`` ends them all; use as a context manager."""

    def __init__(self, root: Path, logs: Path) -> None:
        """``Transient`` when another crew of this directory is at work. Ends what a killed one left."""
        self._root = root
        self._logs = logs
        self._running: dict[str, _Running] = {}
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        logs.mkdir(parents=True, exist_ok=True)
        self._lock = _take_lock(root / "crew.lock")
        self._end_leftovers()

    def start(self, roles: Iterable[Role]) -> None:
        """Starts processes; returns at once."""
        for role in roles:
            self._running[role.name] = _Running(role, self._spawn(role), time.monotonic())
        self._write_down()

    def tend(self) -> None:
        """Starts again what has ended by itself, as an operating system's service manager would."""
        ended = [running for running in self._running.values() if running.process.poll() is not None]
        now = time.monotonic()
        for running in ended:
            running.quick_ends = running.quick_ends + 1 if now - running.since_s < QUICK_S else 0
            running.process, running.since_s = self._spawn(running.role), now
            running.starts += 1
        if ended:
            self._write_down()

    def restart(self, name: str, once: Mapping[str, str] | None = None) -> None:
        """Ends a process and starts it again; ``once`` are settings of this one start, gone when it is started again."""
        running = self._running[name]
        _end([running.process])
        running.process, running.since_s = self._spawn(running.role, once or _NOTHING), time.monotonic()
        self._write_down()

    def starts(self, name: str) -> int:
        """How often a role was started because it had ended by itself, and once more for the first start."""
        return self._running[name].starts

    def pid(self, name: str) -> int:
        """The process id of a role now."""
        return self._running[name].process.pid

    def failed(self) -> str | None:
        """What is wrong with a role that ends at once whenever it is started: its name and the end of its log."""
        for running in self._running.values():
            if running.quick_ends > MOST_QUICK_ENDS:
                lines = "\n".join(f"  {line}" for line in last_lines(self._log(running.role.name), _TAIL_LINES))
                return f"{running.role.name} ends again and again; last lines of its log:\n{lines}"
        return None

    def close(self) -> None:
        """Ends every process, gracefully first; blocks until they have gone."""
        _end([running.process for running in self._running.values()])
        self._running.clear()
        self._write_down()
        self._lock.close()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_about: object) -> None:
        self.close()

    def _spawn(self, role: Role, once: Mapping[str, str] = _NOTHING) -> subprocess.Popen[bytes]:
        with self._log(role.name).open("ab") as log:
            return subprocess.Popen(
                role.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **role.env, **once},
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    @property
    def _list(self) -> Path:
        return self._root / "crew.json"

    def _write_down(self) -> None:
        rows = [[r.process.pid, created_at(r.process.pid)] for r in self._running.values()]
        self._list.write_text(json.dumps(rows), encoding="utf-8")

    def _end_leftovers(self) -> None:
        for pid, created in _read_list(self._list):
            if is_alive(pid, created):
                os.kill(pid, signal.SIGTERM)
                if not wait_gone(pid, created, STOP_WITHIN_S):
                    os.kill(pid, signal.SIGKILL)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    until = time.monotonic() + STOP_WITHIN_S
    for process in processes:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _read_list(path: Path) -> Sequence[tuple[int, float | None]]:
    try:
        return [(int(pid), created) for pid, created in json.loads(path.read_text("utf-8"))]
    except (FileNotFoundError, ValueError):
        return []


def _take_lock(path: Path) -> IO[str]:
    file = path.open("a", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Transient(f"another demo uses {path.parent}; wait for its end, or give --state-dir another") from error
    return file
