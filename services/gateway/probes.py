"""``/livez``, ``/readyz``, ``/healthz`` and ``/metrics`` on the gateway's own port.

Anybody may see whether a part is well; why it is not, and the figures, only who asks from this machine: both tell of the
inside and of who sends how much. (With a TLS proxy in front the caller is whom the proxy names, never the proxy.)
"""

from __future__ import annotations

import json

from services.gateway.exchange import Incoming, Reply
from services.kernel.errors import Refused
from services.runtime.health import Checks
from services.runtime.metrics import EXPOSITION_TYPE, GATEWAY_INBOX_POLLS, Metrics

STOPPING = "stopping"
_LOCAL = frozenset(("127.0.0.1", "::1"))


class Probes:
    """The handlers."""

    def __init__(self, checks: Checks, metrics: Metrics, waiting_polls: object) -> None:
        self._checks = checks
        self._metrics = metrics
        self._waiting_polls = waiting_polls

    async def live(self, incoming: Incoming) -> Reply:
        """``GET /livez``: 200 as long as the process answers."""
        return Reply(200, b'{"status":"live"}')

    async def ready(self, incoming: Incoming) -> Reply:
        """``GET /readyz``: every part that the gateway needs; 503 when one is away or the gateway is stopping."""
        report = self._checks.report()
        return Reply(report.status, self._told(incoming, report.document()))

    async def health(self, incoming: Incoming) -> Reply:
        """``GET /healthz``: the same report, always with 200: for people and for dashboards."""
        return Reply(200, self._told(incoming, self._checks.report().document()))

    async def metrics(self, incoming: Incoming) -> Reply:
        """``GET /metrics``: the Prometheus text, for this machine; refuses ``forbidden`` everyone else."""
        if incoming.peer not in _LOCAL:
            raise Refused("forbidden", "the figures are shown on the machine itself")
        self._checks.report()
        self._metrics.set(GATEWAY_INBOX_POLLS, self._polls())
        return Reply(200, self._metrics.exposition(), EXPOSITION_TYPE.encode())

    def _polls(self) -> float:
        return float(getattr(self._waiting_polls, "waiting", 0))

    def _told(self, incoming: Incoming, document: dict[str, object]) -> bytes:
        if incoming.peer not in _LOCAL and isinstance(document["checks"], dict):
            document["checks"] = {name: {"ok": check["ok"]} for name, check in document["checks"].items()}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
