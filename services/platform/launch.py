"""What ``ipx up``, ``ipx down`` and ``ipx status`` do; the commands only show it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from services.kernel.errors import Transient
from services.platform import artifacts, maven
from services.platform.daemon import ALREADY_UP, take_lock
from services.platform.layout import Layout, cache_dir
from services.platform.parts import PARTS
from services.platform.processes import end_leftovers, is_alive, wait_gone
from services.platform.state import Condition, PartState, PlatformState, read_state

TAIL_LINES = 20
START_WITHIN_S = 180.0
FAILED_STARTS = 3
"""A part that ended so often without having been ready once has failed; later ends are restarted without limit."""

FAILED_STEPS = 5
"""The same for a step of the preparation, which may also fail because a service has only just come up."""

STOP_WITHIN_S = 90.0
_LOOK_EVERY_S = 0.1
_SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What ``stop`` ended: the parts that ran, and whether their supervisor had to be done without."""

    parts: tuple[str, ...]
    supervisor_was_gone: bool


def is_up(layout: Layout) -> bool:
    """Whether a supervisor holds the state directory now."""
    if not layout.lock_file.exists():
        return False
    lock = take_lock(layout)
    if lock is None:
        return True
    lock.close()
    return False


def fetch_artifacts(
    layout: Layout, chosen_cache: Path | None, progress: artifacts.Progress, *, parts: Collection[str] | None = None
) -> None:
    """Every pinned file (of these parts) is in the cache and checked when this returns. Blocks; needs the network the
    first time only."""
    artifacts.install(artifacts.load_lock(parts=parts), cache_dir(layout, chosen_cache), maven.fetch, progress)


def start(
    layout: Layout,
    only: Iterable[str],
    environ: Mapping[str, str],
    watch: Callable[[PlatformState], None],
    *,
    within_s: float = START_WITHIN_S,
) -> PlatformState:
    """Starts a supervisor and returns when every part is ready; ``watch`` is told of each change. Blocks.

    When a part fails or the time is over, everything is stopped again and ``Transient`` names the part, the end of its
    log and what to do.
    """
    layout.root.mkdir(parents=True, exist_ok=True, mode=0o700)
    layout.logs.mkdir(exist_ok=True)
    with ExitStack() as undo:
        undo.callback(stop, layout)
        process = _spawn(layout, only, environ)
        state = _wait_until_ready(layout, process, watch, time.monotonic() + within_s)
        undo.pop_all()
        return state


def stop(layout: Layout) -> Stopped:
    """Ends the supervisor and all parts, in reverse order, and waits for it. Nothing of ours runs when it returns."""
    state = read_state(layout.state_file)
    if state is None:
        return Stopped((), supervisor_was_gone=False)
    running = tuple(name for name, part in state.parts.items() if is_alive(part.pid, part.created))
    if state.pid is not None and is_alive(state.pid, state.created):
        os.kill(state.pid, signal.SIGTERM)
        if not wait_gone(state.pid, state.created, STOP_WITHIN_S):
            os.kill(state.pid, signal.SIGKILL)
            wait_gone(state.pid, state.created, STOP_WITHIN_S)
        end_leftovers(read_state(layout.state_file) or state)
        return Stopped(running, supervisor_was_gone=False)
    return Stopped(end_leftovers(state), supervisor_was_gone=bool(running))


def last_lines(path: Path, count: int = TAIL_LINES) -> tuple[str, ...]:
    """The end of a log; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - count * 2_000))
            return tuple(file.read().decode("utf-8", "replace").splitlines()[-count:])
    except FileNotFoundError:
        return ()


def failed_part(state: PlatformState) -> str | None:
    """A part that ended ``FAILED_STARTS`` times without having been ready once; None while there is hope."""
    for name, part in state.parts.items():
        if part.restarts >= FAILED_STARTS and not part.was_ready:
            return name
    return "bootstrap" if f"failed {FAILED_STEPS} times" in state.bootstrap else None


def late_part(state: PlatformState) -> str:
    """What keeps the others waiting when the time is over: a part that is itself not waiting, else the preparation."""
    busy = (name for name in state.not_ready if state.parts[name].condition is not Condition.WAITING)
    return next(busy, "bootstrap" if state.bootstrap != "done" else next(iter(state.not_ready), _SUPERVISOR))


def explain(layout: Layout, name: str, part: PartState | None, reason: str | None = None) -> str:
    """Which part did not start, why, the end of its log, and what to do."""
    advice = next((known.what_to_do for known in PARTS if known.name == name), "read the log")
    why = part.error if part and part.error else reason or "it did not say why"
    lines = [f"{name} did not start: {why}", f"last lines of {layout.log(name)}:"]
    lines += [f"  {line}" for line in last_lines(layout.log(name))]
    return "\n".join([*lines, f"what to do: {advice}"])


def _spawn(layout: Layout, only: Iterable[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "services.platform.daemon", "--state-dir", str(layout.root), "--only", ",".join(only)]
    with layout.log(_SUPERVISOR).open("ab") as log:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            start_new_session=True,
        )


def _wait_until_ready(
    layout: Layout, process: subprocess.Popen[bytes], watch: Callable[[PlatformState], None], deadline: float
) -> PlatformState:
    shown: PlatformState | None = None
    while True:
        code = process.poll()
        if code == 0:
            raise Transient("stopped by somebody else while it was starting")
        if code is not None and code != ALREADY_UP:
            raise Transient(explain(layout, _SUPERVISOR, None))
        state = read_state(layout.state_file)
        if state is not None and (code == ALREADY_UP or state.pid == process.pid):
            if state != shown:
                watch(state)
                shown = state
            failed = failed_part(state)
            if failed is not None:
                raise Transient(explain(layout, failed, state.parts.get(failed), state.bootstrap))
            if not state.not_ready and state.bootstrap == "done":
                return state
        if time.monotonic() > deadline:
            late = late_part(state) if state else _SUPERVISOR
            raise Transient(explain(layout, late, state.parts.get(late) if state else None))
        time.sleep(_LOOK_EVERY_S)
