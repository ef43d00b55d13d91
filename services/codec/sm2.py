"""SM2 signatures over SM3: the arithmetic of suite ``sm2-sm3``, and the only place that imports its library.

GB/T 32918.2-2016 (signature), GB/T 32918.5-2017 (curve), GB/T 32905-2016 (SM3), GB/T 35276-2017 (the default user id 1234567812345678 in
ZA). The library is GmSSL by ``gmssl-pyx``, the optional extra ``gm``: without it whatever must sign, verify or hash is refused
``unknown-suite``, while keys can still be read and looked at. GmSSL draws the random number of a signature from the system
by itself, so two signatures of one message differ.
"""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any, Final

from services.kernel.errors import Refused

SUITE: Final = "sm2-sm3"
KEY_BYTES: Final = 64
SECRET_BYTES: Final = 32
DRAWN_BYTES: Final = SECRET_BYTES + 8
USER_ID: Final = b"1234567812345678"
MISSING: Final = (
    f"suite {SUITE} (国密) is not installed here: install the optional extra gm, pip install 'ipx[gm]', and start again"
)
_P: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_00000000_FFFFFFFF_FFFFFFFF
_A: Final = _P - 3
_B: Final = 0x28E9FA9E_9D9F5E34_4D5A9E4B_CF6509A7_F39789F5_15AB8F92_DDBCBD41_4D940E93
_N: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123
_G: Final = (
    0x32C4AE2C_1F198119_5F990446_6A39C994_8FE30BBF_F2660BE1_715A4589_334C74C7,
    0xBC3736A2_F4F6779C_59BDCEE3_6B692153_D0A9877C_C62A4740_02DF32E5_2139F0A0,
)
_Point = tuple[int, int] | None


@cache
def _found() -> ModuleType | None:
    try:
        return importlib.import_module("gmssl_pyx")
    except ImportError:
        return None


def available() -> bool:
    """Whether the extra ``gm`` is installed here."""
    return _found() is not None


def library() -> Any:
    """The library; refuses ``unknown-suite`` with what to do when it is not installed."""
    found = _found()
    if found is None:
        raise Refused("unknown-suite", MISSING, field="ipxsignature")
    return found


def sm3(data: bytes) -> bytes:
    """The 32-byte SM3 digest (GB/T 32905); refuses ``unknown-suite`` without the extra."""
    return bytes(library().sm3_hash(data))


def is_public_key(data: bytes) -> bool:
    """Whether these are the coordinates x ‖ y of a point of the curve, 32 bytes each. Needs no library."""
    if len(data) != KEY_BYTES:
        return False
    x, y = int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")
    return x < _P and y < _P and (y * y - (x * x + _A) * x - _B) % _P == 0


def secret_of(drawn: bytes) -> bytes:
    """A private key, 1 to n-2, from 40 random bytes: eight more than the key has, so that none is likelier than another."""
    if len(drawn) != DRAWN_BYTES:
        raise ValueError(f"expected {DRAWN_BYTES} random bytes, got {len(drawn)}")
    return (int.from_bytes(drawn, "big") % (_N - 2) + 1).to_bytes(SECRET_BYTES, "big")


def public_key_of(secret: bytes) -> bytes | None:
    """x ‖ y of the public part of a private key; None when it is none (1 to n-2, 32 bytes). About 10 ms, needs no library.

    Not in constant time: for reading one's own key file, once.
    """
    scalar = int.from_bytes(secret, "big")
    if len(secret) != SECRET_BYTES or not 1 <= scalar <= _N - 2:
        return None
    point, power = None, _G
    while scalar:
        if scalar & 1:
            point = _add(point, power)
        power = _add(power, power)
        scalar >>= 1
    assert point is not None  # the order of G is n, a prime
    return point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")


def sign(secret: bytes, public_key: bytes, message: bytes) -> bytes:
    """r ‖ s, 32 bytes each, over the message with ZA of the default user id; refuses ``unknown-suite`` without the extra."""
    der = bytes(library().sm2_sign(secret, public_key, message, USER_ID))
    end = 4 + der[3]
    r, s = int.from_bytes(der[4:end], "big"), int.from_bytes(der[end + 2 :], "big")
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(public_key: bytes, message: bytes, value: bytes) -> bool:
    """Whether r ‖ s is a good signature; refuses ``unknown-suite`` without the extra. About 0.6 ms, holds the interpreter lock.

    False for a key that is no point of the curve, for r or s outside 1 to n-1 (so there is one spelling of each signature), for r + s = n,
    and for other lengths. Unlike ECDSA, where (r, -s) is good whenever (r, s) is, another s needs another r here: r is the
    x-coordinate of sG + (r + s)P plus the digest, and the s enters twice.
    """
    gm = library()
    if len(value) != 64 or not is_public_key(public_key):
        return False
    r, s = int.from_bytes(value[:32], "big"), int.from_bytes(value[32:], "big")
    if not (0 < r < _N and 0 < s < _N) or r + s == _N:
        return False
    body = _der_integer(value[:32]) + _der_integer(value[32:])
    try:
        return bool(gm.sm2_verify(public_key, message, bytes((0x30, len(body))) + body, USER_ID))
    except gm.GmsslInnerError:
        return False


def _der_integer(part: bytes) -> bytes:
    digits = part.lstrip(b"\x00")
    if digits[0] & 0x80:
        digits = b"\x00" + digits
    return bytes((0x02, len(digits))) + digits


def _add(one: _Point, other: tuple[int, int]) -> tuple[int, int]:
    """Sum of two points of which the second is finite and not the negative of the first."""
    if one is None:
        return other
    (x1, y1), (x2, y2) = one, other
    slope = (3 * x1 * x1 + _A) * pow(2 * y1, -1, _P) if x1 == x2 else (y2 - y1) * pow(x2 - x1, -1, _P)
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P
