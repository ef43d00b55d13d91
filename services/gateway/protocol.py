"""uvicorn's HTTP protocol with the two limits it lacks: the size of the head of a request, and the time it may take.

Without them one connection can fill the memory with headers, or be held open for ever with half a request line
(uvicorn limits neither with httptools). A connection that passes either limit is answered with 400, or closed.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEADERS = 100


class BoundedProtocol(HttpToolsProtocol):
    """One connection, with a bounded head."""

    head_max_bytes: ClassVar[int] = 65_536
    head_timeout_s: ClassVar[float] = 10.0
    _head_bytes: int = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection: its first request must come in time."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection ended."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; while a head is incomplete all of them count, so that a head without an end is cut too."""
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > self.head_max_bytes and not self.transport.is_closing():
            self._stop_timer()
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """A request begins, the first or a later one of the connection."""
        super().on_message_begin()
        if self._head_timer is None:
            self._start_timer()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._stop_timer()
        if len(self.headers) > _HEADERS or sum(len(n) + len(v) for n, v in self.headers) > self.head_max_bytes:
            raise ValueError("the head of the request is too large")  # httptools makes it a parser error: 400
        super().on_headers_complete()

    def _start_timer(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
