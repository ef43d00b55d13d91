"""One HTTP exchange as the handlers see it: what came in, and the reply that goes out. No ASGI in the handlers.

Reads a body within limits: the declared length is checked before a byte is read, the counted length while it streams, so
that no body is held that would be refused; all bodies together stay within one budget.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from services.kernel.errors import Refused, Transient

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON_TYPE = b"application/json"
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_NO_TRACE = "0" * 32
_LENGTH = re.compile(rb"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: status, body, content type and further headers."""

    status: int
    body: bytes
    content_type: bytes = JSON_TYPE
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """A W3C trace context: the id under which one event is found in every log, and the header that carries it."""

    trace_id: str
    header: str


@dataclass(slots=True)
class Incoming:
    """A request without its body."""

    method: str
    path: str
    query_string: bytes
    headers: Mapping[bytes, bytes]
    """By lower-case name; a name that stands more than once has its last value, and ``pairs`` has them all."""
    pairs: Sequence[tuple[bytes, bytes]]
    peer: str
    trace: Trace
    receive: Receive
    path_values: Mapping[str, str] = field(default_factory=dict)
    disconnected: bool = False
    principal: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    """Fields for the access line: figures and codes, never content."""

    def query(self, allowed: tuple[str, ...]) -> dict[str, str]:
        """The query parameters; refuses ``bad-request`` an unknown or repeated one, since neither was meant."""
        if not self.query_string:
            return {}
        try:
            pairs = parse_qsl(
                self.query_string.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=16
            )
        except (UnicodeDecodeError, ValueError) as error:
            raise Refused("bad-request", "the query is not of the form name=value&name=value") from error
        found: dict[str, str] = {}
        for name, value in pairs:
            if name not in allowed:
                raise Refused(
                    "bad-request",
                    f"unknown query parameter {name[:40]!r}; known are {', '.join(allowed)}",
                    field=name[:40],
                )
            if name in found:
                raise Refused("bad-request", f"query parameter {name} stands twice", field=name)
            found[name] = value
        return found


def whole_number(text: str | None, name: str, default: int, least: int, most: int) -> int:
    """A query parameter as a number within bounds; refuses ``bad-request`` anything else."""
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 18 and least <= int(text) <= most:
        return int(text)
    raise Refused(
        "bad-request", f"{name}: expected a whole number from {least} to {most}, got {text[:40]!r}", field=name
    )


def read_trace(header: bytes | None, fresh: Callable[[int], bytes]) -> Trace:
    """The caller's trace (W3C Trace Context level 1), or a new one when there is none or it is not of the form."""
    text = header.decode("latin-1") if header is not None else ""
    match = _TRACEPARENT.fullmatch(text)
    if match is not None and match[1] != _NO_TRACE and match[2] != _NO_TRACE[:16]:
        return Trace(match[1], text)
    drawn = fresh(24).hex()
    return Trace(drawn[:32], f"00-{drawn[:32]}-{drawn[32:]}-01")


class BodyBudget:
    """How many bytes of bodies are held at once, over all requests of the process."""

    __slots__ = ("_held", "_limit")

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._held

    def take(self, size: int) -> None:
        """Takes so many bytes; raises ``Transient`` when the budget has not got them now."""
        if self._held + size > self._limit:
            raise Transient("too many request bodies are being read at once")
        self._held += size

    def give_back(self, size: int) -> None:
        """Returns what was taken."""
        self._held -= size


def declared_length(incoming: Incoming, limit_bytes: int) -> int | None:
    """The declared length; refuses ``too-large`` one over the limit and ``bad-request`` one that is no number."""
    declared = incoming.headers.get(b"content-length")
    if declared is None:
        return None
    if _LENGTH.fullmatch(declared) is None:
        raise Refused("bad-request", "content-length is not a number", field="content-length")
    if int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    return int(declared)


class HeldBody:
    """The body of a request, counted in the budget for as long as the ``async with`` block lasts."""

    __slots__ = ("_budget", "_incoming", "_limit_bytes", "_taken", "_timeout_s")

    def __init__(self, incoming: Incoming, limit_bytes: int, budget: BodyBudget, timeout_s: float) -> None:
        self._incoming = incoming
        self._limit_bytes = limit_bytes
        self._budget = budget
        self._timeout_s = timeout_s
        self._taken = 0

    async def __aenter__(self) -> bytes:
        declared = declared_length(self._incoming, self._limit_bytes)
        whole = False
        try:
            if declared is not None:
                self._take(declared)
            async with asyncio.timeout(self._timeout_s):
                body = await self._read()
            whole = True
            return body
        except TimeoutError as error:
            raise Refused("timeout", f"the body did not arrive within {self._timeout_s:g} s") from error
        finally:
            if not whole:
                self._give_back()

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    async def _read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._incoming.receive()
            if message["type"] == "http.disconnect":
                self._incoming.disconnected = True
                raise Refused("bad-request", "the connection was closed before the body was complete")
            chunk = message.get("body", b"")
            if chunk:
                size += len(chunk)
                if size > self._limit_bytes:
                    raise _too_large(self._limit_bytes)
                if size > self._taken:
                    self._take(size - self._taken)
                chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _take(self, size: int) -> None:
        self._budget.take(size)
        self._taken += size

    def _give_back(self) -> None:
        self._budget.give_back(self._taken)
        self._taken = 0


def _too_large(limit_bytes: int) -> Refused:
    return Refused("too-large", f"the body may have {limit_bytes} bytes here")
