"""How a node proves itself to a city's system: header makers, one for each scheme. Mutual TLS needs no header.

A maker sees the request as it goes out and returns the headers to add. Secrets are read from files at start, are never
logged and stand in no representation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

from services.codec.http import AsyncHttpClient
from services.kernel.errors import Transient
from services.kernel.ports import Clock

_TOKEN_BYTES = 65_536
_SPARE_S = 30


class HeaderMaker(Protocol):
    """Makes the headers that prove who asks."""

    async def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """Headers for this request; ``Transient`` when the proof cannot be had now."""
        ...

    def forget(self) -> None:
        """The system said that the proof is not good (401): the next one is made afresh."""
        ...


@dataclass(frozen=True, slots=True)
class NoProof:
    """For systems that rest on the network or on mutual TLS."""

    async def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """None."""
        return {}

    def forget(self) -> None:
        """Nothing to forget."""


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A fixed token in a header, ``Authorization: Bearer …`` for one."""

    token: str = field(repr=False)
    header: str = "Authorization"
    prefix: str = "Bearer "

    async def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """The token."""
        return {self.header: f"{self.prefix}{self.token}"}

    def forget(self) -> None:
        """Nothing to forget: a person must replace it."""


@dataclass(frozen=True, slots=True)
class HmacHeader:
    """HMAC-SHA256 over method, target, time in ms and body digest, one a line; base64 in a header.

    The names of the three headers are the city's.
    """

    key_id: str
    secret: bytes = field(repr=False)
    clock: Clock
    id_header: str = "X-App-Id"
    time_header: str = "X-Timestamp"
    signature_header: str = "X-Signature"

    async def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """Id, time and signature."""
        at = str(self.clock.now_ms())
        text = "\n".join((method, target, at, hashlib.sha256(body).hexdigest()))
        made = hmac.new(self.secret, text.encode(), hashlib.sha256).digest()
        return {
            self.id_header: self.key_id,
            self.time_header: at,
            self.signature_header: base64.b64encode(made).decode(),
        }

    def forget(self) -> None:
        """Nothing to forget."""


@dataclass(slots=True)
class ClientCredentials:
    """OAuth 2.0 client credentials (RFC 6749 section 4.4): a token is asked for once and kept until shortly before its end."""

    http: AsyncHttpClient
    url: str
    client_id: str
    secret: str = field(repr=False)
    clock: Clock
    scope: str | None = None
    _token: str | None = field(default=None, repr=False)
    _good_until_ms: int = 0

    async def headers(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """The bearer token; ``Transient`` when the token service is away or answers otherwise than RFC 6749 says."""
        if self._token is None or self.clock.now_ms() >= self._good_until_ms:
            await self._ask()
        return {"Authorization": f"Bearer {self._token}"}

    def forget(self) -> None:
        """Drops the token."""
        self._token = None

    async def _ask(self) -> None:
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        proof = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        reply = await self.http.send(
            "POST",
            self.url,
            body=urlencode(form).encode(),
            headers={"Authorization": f"Basic {proof}", "Content-Type": "application/x-www-form-urlencoded"},
            most_bytes=_TOKEN_BYTES,
        )
        try:
            document = json.loads(reply.body)
            token, life_s = document["access_token"], int(document.get("expires_in", 300))
        except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
            raise Transient(f"the token service answered {reply.status} without a token") from error
        if reply.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Transient("the token service gave a token that no header can carry")
        self._token = token
        self._good_until_ms = self.clock.now_ms() + max(life_s - _SPARE_S, 1) * 1000
