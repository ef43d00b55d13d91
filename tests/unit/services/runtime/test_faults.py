from __future__ import annotations

import os
import subprocess
import sys

from services.runtime.faults import EXIT_STATUS, VARIABLE, FaultPoint


def _reaches(armed: str | None, *points: str) -> int:
    script = f"from services.runtime.faults import reach\nfor point in {points!r}: reach(point)\n"
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if armed is not None:
        environ[VARIABLE] = armed
    return subprocess.run([sys.executable, "-c", script], env=environ, check=False).returncode


def test_an_armed_point_ends_the_process_at_once() -> None:
    assert _reaches("admission.step9", "admission.step8", "admission.step9") == EXIT_STATUS


def test_nothing_happens_without_the_variable() -> None:
    assert _reaches(None, "admission.step9") == 0


def test_other_points_are_passed() -> None:
    assert _reaches("admission.step9", "admission.step8", "admission.step10.commit") == 0


def test_a_counted_point_is_passed_until_its_turn() -> None:
    point = FaultPoint("room.store:3")
    assert [point.is_due("room.store") for _ in range(4)] == [False, False, True, False]
    assert not FaultPoint("room.store:3").is_due("room.fold")
