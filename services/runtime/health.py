"""Whether a process lives and can work: named checks, and the small loopback server that tells them.

``/livez`` says that the process answers; ``/readyz`` says each named check as JSON, 503 when one fails; ``/metrics`` is
the Prometheus text. The gateway, which has a web server of its own, uses the ``Checks`` object alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from services.kernel.errors import BadSettings
from services.runtime.metrics import EXPOSITION_TYPE, HEALTH_PASSING, Metrics

LOOPBACK = "127.0.0.1"
STARTING = "starting"


@dataclass(frozen=True, slots=True)
class Report:
    """All checks at one moment: name to None (passes) or to a short reason without any field value."""

    checks: dict[str, str | None]

    @property
    def ready(self) -> bool:
        """Whether every check passes."""
        return all(reason is None for reason in self.checks.values())

    @property
    def status(self) -> int:
        """The HTTP status of ``/readyz``: 200 or 503."""
        return 200 if self.ready else 503

    def document(self) -> dict[str, object]:
        """``{"status": "ready"|"not ready", "checks": {name: {"ok": bool, "reason": text|null}}}``."""
        checks = {name: {"ok": reason is None, "reason": reason} for name, reason in sorted(self.checks.items())}
        return {"status": "ready" if self.ready else "not ready", "checks": checks}


class Checks:
    """The named checks of a process. A check fails with ``starting`` until it is first told. Safe between threads."""

    def __init__(self, metrics: Metrics, *names: str) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._told: dict[str, str | None] = dict.fromkeys(names, STARTING)
        self._probes: dict[str, Callable[[], str | None]] = {}
        for name in names:
            metrics.set(HEALTH_PASSING, 0, check=name)

    def passed(self, name: str) -> None:
        """The part is there and works."""
        self._tell(name, None)

    def failed(self, name: str, reason: str) -> None:
        """The part is away or broken; ``reason`` is a code or a short sentence for operators."""
        self._tell(name, reason)

    def probe(self, name: str, ask: Callable[[], str | None]) -> None:
        """A check that is asked when somebody looks: None passes, else the reason. It must not block for long."""
        with self._lock:
            self._probes[name] = ask

    def reason(self, name: str) -> str | None:
        """Why the check fails, None when it passes."""
        return self.report().checks[name]

    def report(self) -> Report:
        """Every check now; asks the probes."""
        with self._lock:
            told, probes = dict(self._told), dict(self._probes)
        for name, ask in probes.items():
            told[name] = reason = ask()
            self._metrics.set(HEALTH_PASSING, reason is None, check=name)
        return Report(told)

    def _tell(self, name: str, reason: str | None) -> None:
        with self._lock:
            self._told[name] = reason
        self._metrics.set(HEALTH_PASSING, reason is None, check=name)


def answer(path: str, checks: Checks, metrics: Metrics) -> tuple[int, str, bytes]:
    """Status, content type and body for a path of the health server; 404 for any other path."""
    match path.partition("?")[0]:
        case "/livez":
            return 200, "application/json", b'{"status": "live"}\n'
        case "/readyz":
            report = checks.report()
            return report.status, "application/json", json.dumps(report.document()).encode() + b"\n"
        case "/metrics":
            checks.report()
            return 200, EXPOSITION_TYPE, metrics.exposition()
        case _:
            return 404, "application/json", b'{"status": "only /livez, /readyz and /metrics are here"}\n'


class HealthServer:
    """Serves ``/metrics``, ``/livez`` and ``/readyz`` on loopback from a thread of its own; a context manager.

    Port 0 is off: nothing listens. ``BadSettings`` when the port is taken.
    """

    def __init__(self, port: int, checks: Checks, metrics: Metrics) -> None:
        self._server: ThreadingHTTPServer | None = None
        if port:
            try:
                self._server = _Server((LOOPBACK, port), _handler(checks, metrics))
            except OSError as error:
                raise BadSettings(f"IPX_METRICS_PORT {port} cannot be bound on loopback: {error}") from error
            threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> HealthServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def _handler(checks: Checks, metrics: Metrics) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # a caller that says nothing does not hold a thread

        def do_GET(self) -> None:
            """Answers one request."""
            status, kind, body = answer(self.path, checks, metrics)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
            """Nothing: a probe every second is not news."""

    return Handler
