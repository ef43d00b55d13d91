"""Tokens: what proves a participant for a few minutes, and everything that does not."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings

from services.codec.keys import Ed25519Signer, sm2_signer
from services.codec.token import MAX_LIFE_S, MAX_TOKEN_BYTES, Proof, claimed_participant, issue, verify
from services.kernel.errors import Refused
from tests.unit.services.codec.samples import OTHER, SOURCE, mutated, signer

NOW_MS = 1_790_000_000_500
NOW_S = NOW_MS // 1000
SIGNER = signer()
STRANGER = signer(OTHER, seed=2)


@dataclass(frozen=True)
class Known:
    participant: str
    public_key: bytes


KEYS = {each.key_id: Known(each.public.participant, each.public.data) for each in (SIGNER, STRANGER)}


def key_of(key_id: str, at_ms: int) -> Known:
    assert at_ms >= NOW_MS - 10**7
    if key_id not in KEYS:
        raise Refused("unknown-key", f"there is no key {key_id}")
    return KEYS[key_id]


def segment(document: Any) -> str:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: Any = None, claims: Any = None, by: Ed25519Signer = SIGNER) -> str:
    """A token with another header or other claims, well signed."""
    headed = {"alg": "EdDSA", "kid": by.key_id, "typ": "JWT"} | (header or {})
    claimed = {"iss": by.public.participant, "aud": "ipx", "iat": NOW_S, "exp": NOW_S + 60} | (claims or {})
    signed = f"{segment(headed)}.{segment({name: held for name, held in claimed.items() if held is not None})}"
    return f"{signed}.{segment(by.sign(signed.encode()))}"


def is_refused(token: str, now_ms: int = NOW_MS, audience: str = "ipx") -> bool:
    with pytest.raises(Refused) as caught:
        verify(token, key_of, audience, now_ms)
    return (caught.value.code, caught.value.field) == ("unauthenticated", "authorization")


def test_a_token_proves_its_participant_until_it_expires() -> None:
    token = issue(SIGNER, "ipx", NOW_MS, life_s=120)
    proof = Proof(SOURCE, SIGNER.key_id, (NOW_S + 120) * 1000)
    assert verify(token, key_of, "ipx", NOW_MS) == proof
    assert verify(token, key_of, "ipx", proof.expires_ms - 1) == proof
    assert is_refused(token, proof.expires_ms)
    assert claimed_participant(token) == SOURCE


def test_any_jwt_library_can_issue_it() -> None:
    private = Ed25519PrivateKey.from_private_bytes(SIGNER.secret[:32])
    claims = {"iss": SOURCE, "aud": "ipx", "iat": NOW_S, "exp": NOW_S + 300}
    token = jwt.encode(claims, private, algorithm="EdDSA", headers={"kid": SIGNER.key_id})
    assert verify(token, key_of, "ipx", NOW_MS).participant == SOURCE


def test_a_clock_that_is_a_minute_ahead_is_stood() -> None:
    assert verify(forged(claims={"iat": NOW_S + 60, "exp": NOW_S + 90}), key_of, "ipx", NOW_MS)
    assert is_refused(forged(claims={"iat": NOW_S + 61, "exp": NOW_S + 90}))


@pytest.mark.parametrize("life_s", [0, -1, MAX_LIFE_S + 1])
def test_a_token_that_lives_too_long_is_not_issued(life_s: int) -> None:
    with pytest.raises(ValueError, match="lives"):
        issue(SIGNER, "ipx", NOW_MS, life_s=life_s)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"alg": "Ed25519"},
        {"alg": ["EdDSA"]},
        {"alg": None},
        {"kid": None},
        {"kid": 7},
        {"kid": SOURCE},
        {"kid": f"{SOURCE}#zzzz"},
        {"kid": "../../etc/passwd"},
        {"kid": f"{SOURCE}#{'0' * 16}"},
        {"typ": "at+jwt"},
        {"crit": ["exp"]},
        {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}},
        {"jku": "https://example.org/keys"},
        {"x5u": "https://example.org/cert"},
        {"b64": False},
        {"zip": "DEF"},
    ],
)
def test_another_header_proves_nothing(header: dict[str, Any]) -> None:
    assert is_refused(forged(header))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"},
        {"aud": ["ipx"]},
        {"aud": None},
        {"iss": OTHER},
        {"iss": None},
        {"iat": None},
        {"exp": None},
        {"iat": str(NOW_S)},
        {"iat": float(NOW_S)},
        {"exp": NOW_S + 60.5},
        {"iat": True},
        {"exp": NOW_S},
        {"exp": NOW_S - 1, "iat": NOW_S - 60},
        {"exp": NOW_S + MAX_LIFE_S + 1},
        {"iat": NOW_S - 10_000},
        {"iat": NOW_S + 61, "exp": NOW_S + 62},
        {"iat": NOW_S + 10, "exp": NOW_S + 5},
        {"iat": -(10**30), "exp": 10**30},
        {"nbf": NOW_S + 61},
        {"nbf": "soon"},
    ],
)
def test_other_claims_prove_nothing(claims: dict[str, Any]) -> None:
    assert is_refused(forged(claims=claims))


def test_a_token_is_good_for_one_exchange() -> None:
    assert is_refused(issue(SIGNER, "ipx", NOW_MS), audience="ipx2")


def test_a_key_speaks_for_its_owner_alone() -> None:
    assert is_refused(forged({"kid": SIGNER.key_id}, {"iss": SOURCE}, by=STRANGER))
    assert is_refused(forged({"kid": STRANGER.key_id}, {"iss": SOURCE}, by=STRANGER))
    assert is_refused(forged({"kid": STRANGER.key_id}, {"iss": OTHER}, by=SIGNER))


def test_the_owner_of_the_key_is_who_the_members_log_says() -> None:
    def moved(key_id: str, at_ms: int) -> Known:
        return Known(OTHER, KEYS[key_id].public_key)

    with pytest.raises(Refused) as caught:
        verify(issue(SIGNER, "ipx", NOW_MS), moved, "ipx", NOW_MS)
    assert caught.value.code == "unauthenticated"


def test_a_key_that_is_no_key_proves_nothing() -> None:
    with pytest.raises(Refused) as caught:
        verify(issue(SIGNER, "ipx", NOW_MS), lambda key_id, at_ms: Known(SOURCE, b"short"), "ipx", NOW_MS)
    assert caught.value.code == "unauthenticated"


TOKEN = issue(SIGNER, "ipx", NOW_MS)
HEAD, CLAIMS, SIGNED = TOKEN.split(".")
DEEP = b'{"a":' * 200
TWICE = b'{"alg":"EdDSA","alg":"none"}'


@pytest.mark.parametrize(
    "token",
    [
        "",
        "..",
        "Bearer x",
        f"{HEAD}.{CLAIMS}.",
        f"{HEAD}.{CLAIMS}",
        f"{TOKEN}.x",
        f"{TOKEN}=",
        f"{TOKEN}\n",
        f" {TOKEN}",
        f"{HEAD}.{CLAIMS}.{'A' * 86}",
        f"{HEAD}.{segment({'iss': OTHER})}.{SIGNED}",
        f"{segment([])}.{CLAIMS}.{SIGNED}",
        f"{segment(b'[' * 900)}.{CLAIMS}.{SIGNED}",
        f"{HEAD}.{segment(b'[' * 900)}.{SIGNED}",
        f"{HEAD}.{segment(DEEP)}.{SIGNED}",
        f"{segment(TWICE)}.{CLAIMS}.{SIGNED}",
        f"{segment(bytes([255]))}.{CLAIMS}.{SIGNED}",
        f"{HEAD}=.{CLAIMS}.{SIGNED}",
        f"{TOKEN[:-1]}{chr(ord(TOKEN[-1]) + 1)}",  # the same signature, its trailing bits set
        f"{HEAD}A.{CLAIMS}.{SIGNED}",
        "\ud800.a." + SIGNED,
        "x" * (MAX_TOKEN_BYTES + 1),
        ("a" * 900 + ".") * 2 + "A" * 86 + "é",
    ],
)
def test_other_texts_prove_nothing(token: str) -> None:
    assert is_refused(token)


@given(mutated(TOKEN.encode()))
@settings(max_examples=150, deadline=None)
def test_a_damaged_token_proves_nothing(data: bytes) -> None:
    token = data.decode("utf-8", "surrogateescape")
    claimed_participant(token)
    if token != TOKEN:
        assert is_refused(token)


def test_a_part_that_is_spelt_otherwise_proves_nothing_also_when_that_spelling_was_signed() -> None:
    for spare in range(3):
        claims = {"iss": SOURCE, "aud": "ipx", "iat": NOW_S, "exp": NOW_S + 60, "jti": "x" * spare}
        for twin in twins(segment(claims)):
            signed = f"{HEAD}.{twin}"
            assert is_refused(f"{signed}.{segment(SIGNER.sign(signed.encode()))}")


def twins(text: str) -> list[str]:
    """Other texts that decode to the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    padding = "=" * (-len(text) % 4)
    data = base64.urlsafe_b64decode(text + padding)
    found = (text[:-1] + last for last in alphabet if last != text[-1])
    return [twin for twin in found if base64.urlsafe_b64decode(twin + padding) == data]


def test_a_token_past_the_cap_proves_nothing_however_well_it_is_signed() -> None:
    assert verify(forged(claims={"jti": "x" * 1000}), key_of, "ipx", NOW_MS)
    assert is_refused(forged(claims={"jti": "x" * MAX_TOKEN_BYTES}))


def test_whom_a_token_names_is_told_without_proof() -> None:
    assert claimed_participant(forged(by=STRANGER)) == OTHER
    assert claimed_participant("nonsense") is None
    assert claimed_participant(forged({"kid": "../../etc/passwd#0"})) is None


def test_an_sm2_key_issues_no_token_and_none_is_proved_by_it() -> None:
    gm = sm2_signer(SOURCE, bytes(range(1, 33)))
    with pytest.raises(ValueError, match="signed with ed25519"):
        issue(gm, "ipx", NOW_MS)
    token = issue(SIGNER, "ipx", NOW_MS)
    with pytest.raises(Refused) as refused:
        verify(token, lambda key_id, at_ms: Known(SOURCE, gm.public.data), "ipx", NOW_MS)
    assert refused.value.code == "unauthenticated"
