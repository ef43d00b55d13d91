"""A process of the exchange that a test starts, asks, kills and stops."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.broker.waiting import wait_until
from tests.conftest import TestExchange

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
LOG_END = 3000


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Started:
    """A Python process beside an exchange; what it writes is in ``log``."""

    def __init__(
        self, exchange: TestExchange, argv: Sequence[str], environ: Mapping[str, str], *, name: str, cwd: Path = ROOT
    ) -> None:
        logs = exchange.state_dir / "logs"
        logs.mkdir(exist_ok=True)
        self.log = logs / f"{name}-{len(list(logs.iterdir()))}.log"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, *argv], cwd=cwd, env={**exchange.environ, **environ}, stdout=out, stderr=out
            )

    def end_of_log(self) -> str:
        """The last of what it wrote."""
        return self.log.read_text()[-LOG_END:]

    def require_running(self) -> None:
        """Fails with the end of the log when the process has ended."""
        assert self.process.poll() is None, self.end_of_log()

    def wait_end(self, timeout_s: float = START_S) -> int:
        """The exit status of a process that ends by itself."""
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """As kill -9."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """As the supervisor stops it; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Running(Started):
    """One process of ``ipx <argv>`` on an exchange, with a health server of its own."""

    argv: ClassVar[tuple[str, ...]]

    def __init__(self, exchange: TestExchange, **environ: str) -> None:
        self.port = free_port()
        own = {"IPX_METRICS_PORT": str(self.port), **environ}
        super().__init__(exchange, ("-m", "services", *self.argv), own, name=self.argv[0])

    def get(self, path: str) -> str:
        """What the health server answers; empty while nothing does."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as reply:
                return str(reply.read().decode())
        except urllib.error.HTTPError as error:
            return str(error.read().decode())
        except OSError:
            return ""

    def ready(self) -> dict[str, Any]:
        """The document of ``/readyz``; empty while nothing answers."""
        said = self.get("/readyz")
        return dict(json.loads(said)) if said else {}

    def reason(self, check: str) -> str | None:
        """Why a check of ``/readyz`` fails; None when it passes, or nothing answers."""
        checks = self.ready().get("checks")
        return checks[check]["reason"] if checks else None

    def metrics(self) -> str:
        """The text of ``/metrics``."""
        return self.get("/metrics")

    def wait_ready(self, timeout_s: float = START_S) -> Self:
        """Blocks until every check passes."""

        def is_ready() -> bool:
            self.require_running()
            return self.ready().get("status") == "ready"

        wait_until(is_ready, timeout_s, lambda: (self.ready(), self.end_of_log()))
        return self
