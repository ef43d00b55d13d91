"""Exchanges that start at the same moment on one machine: each gets ports of its own, and none gives up."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.platform.ports import LOOPBACK, HeldPorts, any_free
from tests.conftest import run_ipx

AT_ONCE = 3
ROUNDS = 1
UP_WITHIN_S = 150

CLAIM_UNTIL_TOLD = """\
import sys
from services.platform.ports import HeldPorts
held = HeldPorts()
print(held.take(int(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def environ_of(state_dir: Path) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("IPX_")}
    return {**others, "IPX_STATE_DIR": str(state_dir)}


@contextmanager
def state_directories(count: int) -> Iterator[list[Path]]:
    """Fresh ones, with nothing running in them afterwards."""
    made = [Path(tempfile.mkdtemp(prefix="ipx-ports-")) for _ in range(count)]
    try:
        yield made
    finally:
        for state_dir in made:
            run_ipx("down", environ=environ_of(state_dir), timeout_s=60)
            shutil.rmtree(state_dir, ignore_errors=True)


def start_at_once(state_dirs: list[Path], only: str) -> list[tuple[int, str]]:
    argv = [sys.executable, "-m", "services", "up", "--only", only]
    started = [
        subprocess.Popen(argv, env=environ_of(state_dir), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for state_dir in state_dirs
    ]
    said = [process.communicate(timeout=UP_WITHIN_S)[1] for process in started]
    return [(process.returncode, text) for process, text in zip(started, said, strict=True)]


def ports_of(state_dir: Path) -> list[int]:
    return list(json.loads((state_dir / "state.json").read_text("utf-8"))["ports"].values())


def restarts_of(state_dir: Path) -> int:
    return sum(part["restarts"] for part in json.loads((state_dir / "state.json").read_text("utf-8"))["parts"].values())


@pytest.mark.parametrize("only", [*["postgres"] * ROUNDS, "kafka,postgres"])
def test_exchanges_that_start_at_the_same_moment_choose_apart(only):
    with state_directories(AT_ONCE if only == "postgres" else 2) as state_dirs:
        ended = start_at_once(state_dirs, only)
        assert [code for code, _ in ended] == [0] * len(state_dirs), "\n".join(text for _, text in ended)
        ports = [port for state_dir in state_dirs for port in ports_of(state_dir)]
        assert len(set(ports)) == len(ports)
        assert [restarts_of(state_dir) for state_dir in state_dirs] == [0] * len(state_dirs)


def test_a_claimed_port_is_nobody_elses_until_its_process_ends_however_it_ends():
    port = any_free()
    holder = subprocess.Popen(
        [sys.executable, "-c", CLAIM_UNTIL_TOLD, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        here = HeldPorts()
        assert not here.take(port)
    finally:
        holder.kill()
        holder.communicate(timeout=10)
    assert here.take(port)
    here.close()


def test_a_claim_does_not_keep_the_part_from_listening():
    held = HeldPorts()
    port = any_free()
    assert held.take(port)
    with socket.create_server((LOOPBACK, port)):
        held.close()
        assert not held.take(port)  # somebody listens
    assert held.take(port)
    held.close()
