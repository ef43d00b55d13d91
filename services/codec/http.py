"""The one importer of httpx: every outgoing HTTP call is made by a client from here.

No client follows redirects, trusts environment proxies for loopback, or waits without a limit. A connection that cannot
be made or is cut is ``Transient``; a reply is the caller's to judge.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from services.kernel.errors import Transient

MAX_REPLY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, lower-case headers, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; ``ValueError`` when it is not."""
        return json.loads(self.body)


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=60)


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, {k.lower(): v for k, v in response.headers.items()}, response.content)


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
    ) -> None:
        self._client = httpx.Client(
            base_url=base_url, timeout=timeout_s, limits=_limits(connections), **_tls(certificate, authorities)
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Sends one request and reads the whole reply; ``Transient`` when there is none. Blocks up to the timeout."""
        try:
            return _reply(
                self._client.request(
                    method,
                    url,
                    content=body,
                    headers=dict(headers or {}),
                    params=dict(query) if query else None,
                    timeout=httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s,
                )
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Transient(f"{method} {url}: {type(error).__name__} {error}") from error

    def close(self) -> None:
        """Closes every connection."""
        self._client.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncHttpClient:
    """The same for asyncio; close it with ``await client.close()``."""

    def __init__(
        self,
        base_url: str = "",
        *,
        timeout_s: float = 10.0,
        connections: int = 64,
        certificate: str | tuple[str, str] | None = None,
        authorities: str | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url, timeout=timeout_s, limits=_limits(connections), **_tls(certificate, authorities)
        )

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Sends one request and reads the whole reply; ``Transient`` when there is none."""
        try:
            return _reply(
                await self._client.request(
                    method,
                    url,
                    content=body,
                    headers=dict(headers or {}),
                    params=dict(query) if query else None,
                    timeout=httpx.USE_CLIENT_DEFAULT if timeout_s is None else timeout_s,
                )
            )
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Transient(f"{method} {url}: {type(error).__name__} {error}") from error

    async def close(self) -> None:
        """Closes every connection."""
        await self._client.aclose()


def _tls(certificate: str | tuple[str, str] | None, authorities: str | None) -> dict[str, Any]:
    settings: dict[str, Any] = {"follow_redirects": False, "trust_env": False}
    if certificate is not None or authorities is not None:
        context = ssl.create_default_context(cafile=authorities)
        if certificate is not None:
            files = (certificate,) if isinstance(certificate, str) else certificate
            context.load_cert_chain(*files)
        settings["verify"] = context
    return settings
