"""Processes by id and start time together, since the operating system gives an id out again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import psutil

from services.platform.state import PlatformState

_CLOSE_S = 0.05
"""Start times are told in hundredths of a second."""


def created_at(pid: int) -> float | None:
    """When the process began (seconds since 1970), or None when there is none with this id."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int | None, created: float | None) -> bool:
    """Whether the very process that was recorded still runs; a zombie does not."""
    if pid is None or created is None:
        return False
    try:
        process = psutil.Process(pid)
        return bool(abs(process.create_time() - created) < _CLOSE_S and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_gone(pid: int, created: float | None, timeout_s: float) -> bool:
    """Waits for a process to end, reaped by its parent or not; False when it still runs after the timeout."""
    until = time.monotonic() + timeout_s
    while is_alive(pid, created):
        if time.monotonic() > until:
            return False
        time.sleep(_CLOSE_S)
    return True


def end_leftovers(state: PlatformState, within_s: float = 15.0) -> tuple[str, ...]:
    """Ends the recorded parts that still run although their supervisor does not; says which. Blocks."""
    ended = [name for name, part in state.parts.items() if is_alive(part.pid, part.created)]
    for name in reversed(ended):
        pid, created = state.parts[name].pid, state.parts[name].created
        assert pid is not None
        # PostgreSQL takes SIGTERM as "when all clients have gone"; SIGINT is its fast and clean stop
        _signal(pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
        if not wait_gone(pid, created, within_s):
            _signal(pid, signal.SIGKILL)
            wait_gone(pid, created, within_s)
    return tuple(ended)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
