"""The token by which a participant proves itself to the gateway: a short-lived JWT signed with its own key.

RFC 7519 and RFC 8037 (EdDSA over Ed25519), narrowed: the algorithm is EdDSA and nothing else, the header holds ``alg``, ``kid`` and
``typ`` alone, the audience is one exchange, the life at most five minutes. What is signed begins otherwise than a statement or a
batch root (``services/ledger/FORMAT.md`` section 3), so none can pass for another.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.codec.signature import SINGLE
from services.codec.strict_json import parse_json
from services.kernel.errors import Refused
from services.kernel.parties import check_key_id
from services.kernel.ports import Signer

MAX_TOKEN_BYTES: Final = 2048
MAX_LIFE_S: Final = 300
SKEW_S: Final = 60
_ALGORITHM: Final = "EdDSA"
_TOKEN = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]{85}[AQgw]")  # 64 bytes, the trailing bits zero


class Key(Protocol):
    """A public key of a participant, as the members log knows it."""

    @property
    def participant(self) -> str:
        """Whose key it is."""
        ...

    @property
    def public_key(self) -> bytes:
        """The 32 bytes."""
        ...


KeyOf = Callable[[str, int], Key]
"""The key with that id, valid at that instant in ms; refuses any other."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a token proved: who, by which key, until when."""

    participant: str
    key_id: str
    expires_ms: int


def issue(signer: Signer, audience: str, now_ms: int, life_s: int = 120) -> str:
    """A token for the exchange named ``audience``. ValueError for a life or a suite that :func:`verify` would not take."""
    if not 0 < life_s <= MAX_LIFE_S or signer.suite != SINGLE:
        raise ValueError(f"a token is signed with {SINGLE} and lives 1 to {MAX_LIFE_S} s")
    issued_s = now_ms // 1000
    header = {"alg": _ALGORITHM, "kid": signer.key_id, "typ": "JWT"}
    participant = signer.key_id.partition("#")[0]
    claims = {"iss": participant, "aud": audience, "iat": issued_s, "exp": issued_s + life_s}
    signed = f"{_segment(header)}.{_segment(claims)}"
    return f"{signed}.{_base64url(signer.sign(signed.encode()))}"


def claimed_participant(token: str) -> str | None:
    """Whom the token names, unverified: for counting failed attempts, and for nothing else."""
    try:
        return _read(token)[0].partition("#")[0]
    except Refused:
        return None


def verify(token: str, key_of: KeyOf, audience: str, now_ms: int) -> Proof:
    """What the token proves at ``now_ms``; refuses ``unauthenticated`` everything else, whatever the text is.

    (1) size and form · (2) header: EdDSA, a key id · (3) claims: for this exchange, issued by the owner of the key, not in the future
    by more than 60 s, expiring, and within five minutes · (4) key known and valid now · (5) signature.
    """
    # (1) size and form, (2) header
    key_id, claims = _read(token)
    # (3) claims
    expires_s = _check_claims(claims, key_id, audience, now_ms)
    # (4) key known and valid now
    try:
        key = key_of(key_id, now_ms)
    except Refused as refused:
        raise _unauthenticated(refused.message) from refused
    if key.participant != claims["iss"]:
        raise _unauthenticated("the key is not the issuer's")
    # (5) signature; the times were checked above, by our clock
    try:
        public = Ed25519PublicKey.from_public_bytes(key.public_key)
        jwt.decode(
            token,
            public,
            algorithms=[_ALGORITHM],
            audience=audience,
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except (jwt.PyJWTError, ValueError) as error:
        raise _unauthenticated("the signature of the token does not verify") from error
    return Proof(key.participant, key_id, expires_s * 1000)


def _read(token: str) -> tuple[str, dict[str, Any]]:
    """Key id and claims of a token that has the form of one; nothing of it is verified."""
    match = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN_BYTES else None
    if match is None:
        raise _unauthenticated(f"expected a JWT of at most {MAX_TOKEN_BYTES} bytes")
    header, claims = _object(match[1]), _object(match[2])
    if not {"alg", "kid"} <= header.keys() <= {"alg", "kid", "typ"} or header["alg"] != _ALGORITHM:
        raise _unauthenticated(f"the header of the token has alg {_ALGORITHM} and a kid, and no more than a typ")
    if header.get("typ", "JWT") != "JWT" or not isinstance(header["kid"], str) or check_key_id(header["kid"]):
        raise _unauthenticated("the kid of the token is not a key id")
    return header["kid"], claims


def _check_claims(claims: dict[str, Any], key_id: str, audience: str, now_ms: int) -> int:
    if claims.get("aud") != audience or claims.get("iss") != key_id.partition("#")[0]:
        raise _unauthenticated(f"expected a token for {audience}, issued by the owner of its key")
    issued_s, expires_s, begins_s = claims.get("iat"), claims.get("exp"), claims.get("nbf", 0)
    if type(issued_s) is not int or type(expires_s) is not int or type(begins_s) is not int:
        raise _unauthenticated("the token needs iat and exp, in whole seconds")
    if max(issued_s, begins_s) * 1000 > now_ms + SKEW_S * 1000:
        raise _unauthenticated(f"the token is of the future; the clocks differ by more than {SKEW_S} s")
    if not 0 < expires_s - issued_s <= MAX_LIFE_S:
        raise _unauthenticated(f"a token lives 1 to {MAX_LIFE_S} s")
    if expires_s * 1000 <= now_ms:
        raise _unauthenticated("the token has expired")
    return expires_s


def _object(segment: str) -> dict[str, Any]:
    try:
        data = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        found = parse_json(data, most_bytes=MAX_TOKEN_BYTES, most_depth=4)
    except (ValueError, Refused) as error:
        raise _unauthenticated("a part of the token is not JSON in base64url") from error
    if not isinstance(found, dict) or _base64url(data) != segment:
        raise _unauthenticated("a part of the token is not an object in canonical base64url")
    return found


def _segment(document: dict[str, Any]) -> str:
    return _base64url(json.dumps(document, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _unauthenticated(message: str) -> Refused:
    return Refused("unauthenticated", message, field="authorization")
