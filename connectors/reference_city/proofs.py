"""Whether a caller is who it says: fixed token, HMAC over the request, or OAuth 2.0 client credentials."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping

from .config import Proof

_SPREAD_MS = 300_000


class Guard:
    """Checks the proof that the configuration asks for. Tokens that it gave out are forgotten at a restart."""

    def __init__(self, proof: Proof, clock: Callable[[], int]) -> None:
        self._proof = proof
        self._clock = clock
        self._tokens: dict[str, int] = {}
        self._given = 0

    def allows(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Whether the request may come in."""
        match self._proof.kind:
            case "none":
                return True
            case "token":
                return hmac.compare_digest(headers.get("authorization", ""), f"Bearer {self._proof.secret}")
            case "hmac":
                return self._hmac_fits(method, target, body, headers)
            case _:
                token = headers.get("authorization", "").removeprefix("Bearer ")
                return self._tokens.get(token, 0) > self._clock()

    def token_for(self, basic: str) -> tuple[str, int] | None:
        """A new token and its life in seconds for a client that proves itself; None for another."""
        try:
            given = base64.b64decode(basic.removeprefix("Basic "), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        if not hmac.compare_digest(given.encode(), f"{self._proof.client_id}:{self._proof.secret}".encode()):
            return None
        self._given += 1
        seed = f"{self._proof.secret}/{self._given}/{self._clock()}".encode()
        token = hashlib.sha256(seed).hexdigest()
        now = self._clock()
        self._tokens = {t: until for t, until in self._tokens.items() if until > now}
        self._tokens[token] = now + self._proof.token_life_s * 1000
        return token, self._proof.token_life_s

    def _hmac_fits(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> bool:
        at = headers.get("x-timestamp", "")
        if headers.get("x-app-id") != self._proof.client_id or not at.isdigit():
            return False
        if abs(int(at) - self._clock()) > _SPREAD_MS:
            return False
        text = "\n".join((method, target, at, hashlib.sha256(body).hexdigest()))
        wanted = base64.b64encode(hmac.new(self._proof.secret.encode(), text.encode(), hashlib.sha256).digest())
        return hmac.compare_digest(headers.get("x-signature", ""), wanted.decode())
