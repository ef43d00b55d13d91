"""The guard of the reference city: who comes in with which proof."""

import asyncio
import base64

import pytest

from connectors.kit.auth import HmacHeader
from connectors.reference_city.config import Proof
from connectors.reference_city.proofs import Guard
from services.kernel.ports import SettableClock

CLOCK = SettableClock()


def allowed(proof: Proof, headers: dict[str, str], body: bytes = b"x") -> bool:
    lower = {name.lower(): value for name, value in headers.items()}
    return Guard(proof, CLOCK.now_ms).allows("POST", "/a?b=1", body, lower)


def test_without_a_proof_asked_for_everybody_comes_in() -> None:
    assert allowed(Proof(), {})


@pytest.mark.parametrize(("header", "comes_in"), [("Bearer s", True), ("Bearer t", False), ("", False)])
def test_a_token_is_compared(header: str, comes_in: bool) -> None:
    assert allowed(Proof("token", secret="s"), {"Authorization": header}) is comes_in


def test_the_nodes_hmac_is_understood_and_a_changed_body_is_not() -> None:
    made = asyncio.run(HmacHeader("ipx", b"s", CLOCK).headers("POST", "/a?b=1", b"x"))
    proof = Proof("hmac", "ipx", "s")
    assert allowed(proof, made)
    assert not allowed(proof, made, b"y")
    assert not allowed(proof, {**made, "X-Timestamp": str(CLOCK.now_ms() - 400_000)})
    assert not allowed(Proof("hmac", "other", "s"), made)
    assert not allowed(proof, {})


def test_a_token_is_given_for_the_clients_secret_and_ends() -> None:
    clock = SettableClock()
    guard = Guard(Proof("oauth2", "ipx", "s", token_life_s=10), clock.now_ms)
    basic = f"Basic {base64.b64encode(b'ipx:s').decode()}"
    given = guard.token_for(basic)
    assert given is not None
    headers = {"authorization": f"Bearer {given[0]}"}
    assert guard.allows("GET", "/", b"", headers)
    clock.advance(10_000)
    assert not guard.allows("GET", "/", b"", headers)
    for wrong in (f"Basic {base64.b64encode(b'ipx:x').decode()}", "Basic !", "Basic gA=="):
        assert guard.token_for(wrong) is None
