"""The clock that a process goes by is the machine's unless the setting says otherwise, and then it is said aloud."""

from __future__ import annotations

import ast
import io
import json
import time
from pathlib import Path

import pytest

from services.kernel.errors import BadSettings
from services.runtime.logging import configure
from services.runtime.metrics import HEALTH_CLOCK_MOVED, Metrics
from services.runtime.moved_clock import write_offset
from services.runtime.shell import RunningClock, SystemClock, clock_of

ROOT = Path(__file__).resolve().parents[4]
HOUR_MS = 3_600_000
OUTSIDE_THE_EXCHANGE = {"services/platform/daemon.py", "services/demo/moving.py"}
"""The supervisor tells since when a part of this machine runs, and whoever moves the clock must know how far from the machine's it is."""


def test_without_the_setting_the_clock_is_that_of_the_machine():
    assert isinstance(clock_of(None), SystemClock)
    assert abs(clock_of(None).now_ms() - time.time() * 1000) < HOUR_MS


def test_a_moved_clock_is_told_in_the_log_and_in_the_metrics_whenever_it_moves(tmp_path):
    out, metrics = io.StringIO(), Metrics("room")
    configure("room-transfers", out=out)
    write_offset(tmp_path / "clock", HOUR_MS)
    clock = clock_of(tmp_path / "clock", metrics)
    assert abs(clock.now_ms() - SystemClock().now_ms() - HOUR_MS) < HOUR_MS / 60
    assert metrics.value(HEALTH_CLOCK_MOVED) == 3600
    write_offset(tmp_path / "clock", 2 * HOUR_MS)
    clock.now_ms()
    assert metrics.value(HEALTH_CLOCK_MOVED) == 7200
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["seconds"]) for line in lines] == [
        ("the clock is moved", "warning", 3600.0),
        ("the clock is moved", "warning", 7200.0),
    ]


def test_a_setting_without_a_file_is_refused_and_no_time_is_told(tmp_path):
    with pytest.raises(BadSettings, match="IPX_CLOCK_FILE"):
        clock_of(tmp_path / "clock")


def test_a_running_clock_never_steps_back():
    clock = RunningClock()
    seen = [clock.now_ms() for _ in range(100)]
    assert seen == sorted(seen)


def test_nobody_but_the_shell_makes_the_clock_of_the_machine():
    makers = set()
    for path in [p for folder in ("services", "connectors") for p in (ROOT / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "SystemClock":
                makers.add(str(path.relative_to(ROOT)))
    assert makers == {"services/runtime/shell.py", *OUTSIDE_THE_EXCHANGE}
