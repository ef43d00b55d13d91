"""The one importer of httpx: every outgoing HTTP call is made by a client from here.

No client follows redirects, trusts environment proxies for loopback, waits without a limit or reads a reply without one.
A connection that cannot be made or is cut is ``Transient``; a reply is the caller's to judge.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from services.kernel.errors import Transient

MAX_REPLY_BYTES = 64 << 20
_KNOWN_ADDRESSES = 1024


class TimedOut(Transient):
    """The other side did not answer within the limit; whether it did what was asked is not known."""


class ReplyTooLarge(Transient):
    """The reply is longer than the caller takes; reading stopped there."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, lower-case headers, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; ``ValueError`` when it is not."""
        return json.loads(self.body)


class HttpClient(AbstractContextManager["HttpClient"]):
    """A blocking client with keep-alive; use as a context manager or close it."""

    def __init__(
        self,
        base_url: str = "",
        *,
        timeout_s: float = 10.0,
        connections: int = 16,
        certificate: str | tuple[str, str] | None = None,
        authorities: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        settings = _settings(timeout_s, connections, certificate, authorities)
        self._client = httpx.Client(base_url=base_url, transport=transport, **settings)

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        most_bytes: int = MAX_REPLY_BYTES,
    ) -> Reply:
        """Sends one request and reads the whole reply; ``Transient`` when there is none.

        Blocks up to the timeout for each of connecting, sending and every read.
        """
        try:
            request = _request(self._client, method, url, body, headers, query, timeout_s)
            response = self._client.send(request, stream=True)
            try:
                chunks, size = [], _announced(response, most_bytes)
                for chunk in response.iter_bytes():
                    size = _counted(size, chunk, most_bytes)
                    chunks.append(chunk)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise _transient(method, url, error) from error
        return _reply(response, chunks)

    def close(self) -> None:
        """Closes every connection."""
        self._client.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncHttpClient:
    """The same for asyncio; close it with ``await client.close()``.

    Speaks to httpx's transport, without the layers of its client for cookies, redirects and proxies from the environment,
    none of which is wanted: that is 0.4 ms a request, a third of its cost.
    """

    def __init__(
        self,
        base_url: str = "",
        *,
        timeout_s: float = 10.0,
        connections: int = 64,
        certificate: str | tuple[str, str] | None = None,
        authorities: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._lanes = _Lanes(connections, _tls(certificate, authorities), transport)
        self._addresses: dict[str, httpx.URL] = {}

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        most_bytes: int = MAX_REPLY_BYTES,
    ) -> Reply:
        """Sends one request and reads the whole reply; ``Transient`` when there is none.

        The timeout holds for the whole exchange, so that a reply that drips one byte a second ends too.
        """
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(limit_s), self._lanes.free() as lane:
                request = self._request(method, url, body, headers, query, limit_s)
                response = await lane.handle_async_request(request)
                response.request = request
                try:
                    chunks, size = [], _announced(response, most_bytes)
                    async for chunk in response.aiter_bytes():
                        size = _counted(size, chunk, most_bytes)
                        chunks.append(chunk)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise TimedOut(f"{method} {url}: no whole answer within {limit_s} s") from error
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise _transient(method, url, error) from error
        return _reply(response, chunks)

    async def close(self) -> None:
        """Closes every connection."""
        await self._lanes.close()

    def _request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        limit_s: float,
    ) -> httpx.Request:
        address = self._address(url)
        return httpx.Request(
            method,
            address.copy_merge_params(query) if query else address,
            content=body,
            headers={"accept-encoding": "identity", **(headers or {})},
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), limit_s)},
        )

    def _address(self, url: str) -> httpx.URL:
        known = self._addresses.get(url)
        if known is None:
            known = httpx.URL(url if "://" in url else self._base_url + url)
            if "?" not in url and len(self._addresses) < _KNOWN_ADDRESSES:
                self._addresses[url] = known
        return known


class _Lanes:
    """Connections, one to a lane; the lane used last is taken first, so that only as many are open as are needed.

    One pool of many connections looks at each of them for every request, which for twelve costs more than the request.
    """

    def __init__(
        self, connections: int, verify: ssl.SSLContext | bool, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        # made once: to load the authorities again for every lane takes longer than all its requests
        self._verify = httpx.create_ssl_context(trust_env=False) if verify is True else verify
        self._given = transport
        self._room = asyncio.Semaphore(connections)
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._all: list[httpx.AsyncBaseTransport] = [] if transport is None else [transport]

    @asynccontextmanager
    async def free(self) -> AsyncIterator[httpx.AsyncBaseTransport]:
        """A lane that nobody uses; waits for one when all are in use."""
        async with self._room:
            lane = self._idle.pop() if self._idle else self._new()
            try:
                yield lane
            finally:
                self._idle.append(lane)

    def _new(self) -> httpx.AsyncBaseTransport:
        if self._given is not None:
            return self._given
        lane = httpx.AsyncHTTPTransport(limits=_limits(1), trust_env=False, verify=self._verify)
        self._all.append(lane)
        return lane

    async def close(self) -> None:
        for lane in self._all:
            await lane.aclose()


def _request(
    client: httpx.Client,
    method: str,
    url: str,
    body: bytes | None,
    headers: Mapping[str, str] | None,
    query: Mapping[str, str] | None,
    timeout_s: float | None,
) -> httpx.Request:
    return client.build_request(
        method,
        url,
        content=body,
        headers=headers,
        params=dict(query) if query else None,
        timeout=httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s,
    )


def _announced(response: httpx.Response, most_bytes: int) -> int:
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "deflate"):
        # one chunk of zstd, or of gzip within gzip, can unfold to gigabytes before it is counted
        raise ReplyTooLarge(f"the reply is encoded as {encoding[:40]!r}, which was not asked for")
    announced = response.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > most_bytes:
        raise ReplyTooLarge(f"the reply announces {announced} bytes, {most_bytes} are taken")
    return 0


def _counted(size: int, chunk: bytes, most_bytes: int) -> int:
    if size + len(chunk) > most_bytes:
        raise ReplyTooLarge(f"the reply has more than the {most_bytes} bytes that are taken")
    return size + len(chunk)


def _reply(response: httpx.Response, chunks: list[bytes]) -> Reply:
    return Reply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, b"".join(chunks))


def _transient(method: str, url: str, error: Exception) -> Transient:
    kind = TimedOut if isinstance(error, httpx.TimeoutException) else Transient
    return kind(f"{method} {url}: {type(error).__name__} {error}")


def _settings(
    timeout_s: float, connections: int, certificate: str | tuple[str, str] | None, authorities: str | None
) -> dict[str, Any]:
    return {
        "timeout": timeout_s,
        "limits": _limits(connections),
        "follow_redirects": False,
        "trust_env": False,
        "headers": {"accept-encoding": "identity"},
        "verify": _tls(certificate, authorities),
    }


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=60)


def _tls(certificate: str | tuple[str, str] | None, authorities: str | None) -> ssl.SSLContext | bool:
    if certificate is None and authorities is None:
        return True
    context = ssl.create_default_context(cafile=authorities)
    if certificate is not None:
        files = (certificate,) if isinstance(certificate, str) else certificate
        context.load_cert_chain(*files)
    return context
