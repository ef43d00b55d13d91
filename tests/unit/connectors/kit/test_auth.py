"""Proofs of identity: what header, when a new token is asked for, and that no secret is shown."""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field

import pytest

from connectors.kit.auth import ClientCredentials, HmacHeader, NoProof, StaticToken
from services.codec.http import Reply
from services.kernel.errors import Transient
from services.kernel.ports import SettableClock


@dataclass
class TokenService:
    """Stands in for the HTTP client: answers token requests."""

    reply: Reply = field(default_factory=lambda: token("t1"))
    asked: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)

    async def send(self, method: str, url: str, *, body: bytes, headers: dict[str, str], most_bytes: int) -> Reply:
        assert (method, url) == ("POST", "/oauth/token")
        self.asked.append((body, headers))
        return self.reply


def token(value: object, life_s: int = 300, status: int = 200) -> Reply:
    return Reply(status, {}, json.dumps({"access_token": value, "expires_in": life_s}).encode())


def headers(maker: object, body: bytes = b"x") -> dict[str, str]:
    return asyncio.run(maker.headers("POST", "/a?b=c", body))  # type: ignore[attr-defined]


def test_no_proof_adds_nothing() -> None:
    assert headers(NoProof()) == {}


def test_a_static_token_stands_in_its_header() -> None:
    assert headers(StaticToken("s")) == {"Authorization": "Bearer s"}
    assert headers(StaticToken("s", "X-Key", "")) == {"X-Key": "s"}


def test_an_hmac_covers_method_target_time_and_body() -> None:
    clock = SettableClock(1_000)
    made = headers(HmacHeader("ipx", b"secret", clock))
    text = f"POST\n/a?b=c\n1000\n{hashlib.sha256(b'x').hexdigest()}"
    wanted = base64.b64encode(hmac.new(b"secret", text.encode(), hashlib.sha256).digest()).decode()
    assert made == {"X-App-Id": "ipx", "X-Timestamp": "1000", "X-Signature": wanted}
    assert headers(HmacHeader("ipx", b"secret", clock), b"y")["X-Signature"] != wanted


def test_a_token_is_asked_for_once_and_again_shortly_before_its_end() -> None:
    clock, service = SettableClock(), TokenService()
    maker = ClientCredentials(service, "/oauth/token", "ipx", "s3cret", clock, scope="clues")
    assert headers(maker) == {"Authorization": "Bearer t1"}
    clock.advance(269_000)
    service.reply = token("t2")
    assert headers(maker) == {"Authorization": "Bearer t1"}
    clock.advance(1_000)
    assert headers(maker) == {"Authorization": "Bearer t2"}
    assert len(service.asked) == 2
    body, sent = service.asked[0]
    assert body == b"grant_type=client_credentials&scope=clues"
    assert base64.b64decode(sent["Authorization"].removeprefix("Basic ")) == b"ipx:s3cret"


def test_a_token_that_was_refused_is_forgotten() -> None:
    service = TokenService()
    maker = ClientCredentials(service, "/oauth/token", "ipx", "s", SettableClock())
    headers(maker)
    maker.forget()
    headers(maker)
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {}, b"<html>"),
        Reply(200, {}, b"[]"),
        Reply(200, {}, b"{}"),
        token("t", status=401),
        token(7),
        token("a\nb"),
        token("甲"),
    ],
)
def test_a_token_service_that_answers_otherwise_is_transient(reply: Reply) -> None:
    maker = ClientCredentials(TokenService(reply), "/oauth/token", "ipx", "s", SettableClock())
    with pytest.raises(Transient):
        headers(maker)


def test_no_secret_stands_in_a_representation() -> None:
    made = (
        StaticToken("hidden"),
        HmacHeader("ipx", b"hidden", SettableClock()),
        ClientCredentials(TokenService(), "/oauth/token", "ipx", "hidden", SettableClock()),
    )
    assert all("hidden" not in repr(maker) for maker in made)
