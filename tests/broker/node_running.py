"""Processes of a city for tests: its case system (the reference city) and its node, on loopback, in a directory of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from click.testing import CliRunner

from services.codec.http import HttpClient
from services.commands.node import command as node
from services.kernel.errors import Transient
from tests.broker.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
START_S = 30
T = TypeVar("T")


def until(condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """What the condition gives as soon as it is true; fails at the timeout."""
    return wait_until(condition, timeout_s)


@dataclass
class RunningCity:
    """A reference city system."""

    name: str
    url: str
    folder: Path
    process: subprocess.Popen[str]
    http: HttpClient

    def control(self, **trouble: Any) -> None:
        """Tells it to have a trouble."""
        reply = self.http.send("POST", "/control", body=json.dumps(trouble).encode())
        assert reply.status == 200, reply.body

    def enter(self, *clues: Mapping[str, Any]) -> None:
        """Its officers enter clues."""
        reply = self.http.send("POST", "/desk/clues", body=json.dumps(list(clues)).encode())
        assert reply.status == 200, reply.body

    def act(self, number: str, **step: Any) -> None:
        """An officer does a step."""
        reply = self.http.send("POST", "/desk/actions", body=json.dumps({"number": number, **step}).encode())
        assert reply.status == 200, reply.body

    def holdings(self) -> dict[str, Any]:
        """All it holds."""
        found: dict[str, Any] = self.http.send("GET", "/desk/holdings").json()
        return found

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def running_city(
    folder: Path, *, dialect: str = "flat", port: int = 0, rules: str = "", more: str = ""
) -> Iterator[RunningCity]:
    """``python -m connectors.reference_city`` in the folder; the same folder again finds its database again."""
    folder.mkdir(parents=True, exist_ok=True)
    name = folder.name
    (folder / "city.toml").write_text(
        f'name = "{name}"\ndivision = "320100"\ndialect = "{dialect}"\nshort = "{name[:2].upper()}"\n{rules}\n{more}\n'
    )
    argv = [
        sys.executable,
        "-m",
        "connectors.reference_city",
        "--config",
        str(folder / "city.toml"),
        "--port",
        str(port),
    ]
    with (folder / "city.log").open("a") as log:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "city.log").read_text()[-2000:]
    url = json.loads(line)["url"]
    city = RunningCity(name, url, folder, process, HttpClient(url, timeout_s=10))
    try:
        yield city
    finally:
        city.http.close()
        _end(process)


@dataclass
class RunningNode:
    """A node process."""

    config: Path
    port: int
    process: subprocess.Popen[bytes]
    http: HttpClient

    def get(self, path: str) -> Any:
        """What the health server says."""
        return self.http.send("GET", path)

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            return self.get("/livez").status == 200
        except Transient:
            return False

    def checks(self) -> dict[str, Any]:
        """Each health check."""
        found: dict[str, Any] = self.get("/readyz").json()["checks"]
        return found

    def command(self, *argv: str) -> Any:
        """``ipx node … --json`` about it."""
        return node_command(self.config, *argv)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(10)

    def ended(self) -> int:
        """Its exit code once it has ended."""
        return self.process.wait(30)

    def log(self) -> str:
        """What it logged."""
        return (self.config.parent / "node.log").read_text("utf-8")


def node_command(config: Path, *argv: str) -> Any:
    """``ipx node <command> --config … --json``, within this process; the message of what it refuses is asserted on."""
    done = CliRunner().invoke(node, [argv[0], "--config", str(config), "--json", *argv[1:]])
    assert done.exit_code == 0, repr(done.exception)
    return json.loads(done.stdout)


@contextmanager
def running_node(
    config: Path, *, environ: Mapping[str, str] | None = None, fault_at: str = ""
) -> Iterator[RunningNode]:
    """``ipx node run``; with ``fault_at`` it ends itself there as by kill -9."""
    from services.platform.ports import any_free

    port = any_free()
    settings = {
        **{name: value for name, value in os.environ.items() if not name.startswith("IPX_")},
        "IPX_STATE_DIR": str(config.parent / "state"),
        "IPX_METRICS_PORT": str(port),
        **(environ or {}),
        **({"IPX_FAULT_AT": fault_at} if fault_at else {}),
    }
    with (config.parent / "node.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services", "node", "run", "--config", str(config)],
            env=settings,
            stdout=log,
            stderr=log,
            cwd=ROOT,
        )
    node = RunningNode(config, port, process, HttpClient(f"http://127.0.0.1:{port}", timeout_s=5))
    try:
        until(lambda: process.poll() is not None or node.is_up(), START_S)
        assert process.poll() is None or fault_at, node.log()[-3000:]
        yield node
    finally:
        node.http.close()
        _end(process)


def _end(process: subprocess.Popen[Any]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
