"""The crew of a demo: what dies is started again, what a killed demo left is ended by the next, two never meet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from services.demo.crew import MOST_QUICK_ENDS, Crew, Role
from services.kernel.errors import Transient

WAITING = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)")
ENDING = (sys.executable, "-c", "print('broken: no configuration', flush=True)")


def runs(pid: int) -> bool:
    """Whether the process does something still; one that waits to be buried does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(come: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not come():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_dies_is_started_again_and_everything_ends_with_the_crew(tmp_path: Path) -> None:
    with Crew(tmp_path, tmp_path / "logs") as crew:
        crew.start([Role("a", WAITING), Role("b", WAITING)])
        first = crew.pid("a")
        os.kill(first, signal.SIGKILL)
        until(lambda: not runs(first))
        crew.tend()
        pids = [crew.pid("a"), crew.pid("b")]
        assert first not in pids
        assert (crew.starts("a"), crew.starts("b")) == (2, 1)
        assert crew.failed() is None
    assert not any(runs(pid) for pid in pids)


def test_settings_of_one_start_are_gone_at_the_next(tmp_path: Path) -> None:
    shows = (sys.executable, "-c", "import os; print('fault', os.environ.get('IPX_FAULT_AT'), flush=True)")
    log = tmp_path / "logs" / "a.log"
    with Crew(tmp_path, tmp_path / "logs") as crew:
        crew.start([Role("a", WAITING)])
        crew._running["a"].role = Role("a", shows)
        crew.restart("a", {"IPX_FAULT_AT": "x"})
        until(lambda: "fault x" in log.read_text())
        until(lambda: crew.tend() or "fault None" in log.read_text())


def test_a_process_that_ends_whenever_it_is_started_is_named_with_its_last_words(tmp_path: Path) -> None:
    with Crew(tmp_path, tmp_path / "logs") as crew:
        crew.start([Role("a", ENDING)])
        until(lambda: crew.tend() or crew.failed())
        assert crew.starts("a") > MOST_QUICK_ENDS
        assert "broken: no configuration" in (crew.failed() or "")


def test_the_next_crew_ends_what_a_killed_demo_left(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from services.demo.crew import Crew, Role\n"
        f"crew = Crew(Path({str(tmp_path)!r}), Path({str(tmp_path / 'logs')!r})); crew.start([Role('a', {WAITING!r})])\n"
        "print(crew.pid('a'), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    left = int(killed.stdout)
    assert runs(left)
    with Crew(tmp_path, tmp_path / "logs"):
        assert not runs(left)


def test_two_crews_of_one_directory_never_meet(tmp_path: Path) -> None:
    with Crew(tmp_path, tmp_path / "logs"), pytest.raises(Transient, match="another demo"):
        Crew(tmp_path, tmp_path / "logs")
    with Crew(tmp_path, tmp_path / "logs"):
        pass
