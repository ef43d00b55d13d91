"""The access log: one line a request, without body, token, query or path values, written some milliseconds late.

A line through the logging of ``services/runtime`` costs a quarter of the time in which an event is taken, so these lines
are made here, in the same form, and written together; a process that is killed loses those of the last tenth of a second.
Probes are not told: they say the same thing every second.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO, Literal

from services.gateway.exchange import Incoming
from services.kernel.instants import format_instant
from services.kernel.ports import Clock
from services.runtime.logging import KEYS

UNTOLD = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
_LATE_S = 0.1
_HELD_BYTES = 65_536
_encode = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode

Later = Callable[[float, Callable[[], None]], object]
"""``loop.call_later``: seconds, and what to call then."""


class AccessLog:
    """Collects lines and writes them; used by the event loop alone. ``flush`` before the process ends."""

    def __init__(
        self, clock: Clock, later: Later, *, form: Literal["json", "text"] = "json", out: BinaryIO | None = None
    ) -> None:
        self._clock = clock
        self._later = later
        self._form = form
        self._out = out
        self._lines: list[bytes] = []
        self._size = 0

    def tell(self, incoming: Incoming, route: str, status: int, seconds: float) -> None:
        """Notes one request."""
        if route in UNTOLD:
            return
        line: dict[str, object] = {
            "event": "request",
            "level": "info",
            "timestamp": format_instant(self._clock.now_ms()),
            "process": "gateway",
            "method": incoming.method,
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
            "trace_id": incoming.trace.trace_id,
        }
        if incoming.principal is not None:
            line["participant"] = incoming.principal
        line |= {name: value for name, value in incoming.notes.items() if name in KEYS}
        self._write_soon(self._formatted(line))

    def flush(self) -> None:
        """Writes what is held."""
        lines, self._lines, self._size = self._lines, [], 0
        if lines:
            out = self._out or sys.stderr.buffer
            out.write(b"".join(lines))
            out.flush()

    def _formatted(self, line: Mapping[str, object]) -> bytes:
        if self._form == "json":
            return _encode(line).encode() + b"\n"
        head = f"{line['timestamp']} {line['level']:7} {line['process']}: {line['event']}"
        told = [
            f"{name}={value}" for name, value in line.items() if name not in ("timestamp", "level", "process", "event")
        ]
        return " ".join([head, *told]).encode() + b"\n"

    def _write_soon(self, line: bytes) -> None:
        if not self._lines:
            self._later(_LATE_S, self.flush)
        self._lines.append(line)
        self._size += len(line)
        if self._size > _HELD_BYTES:
            self.flush()
