"""Event ids: UUIDv7 where an event is born, UUIDv8 where it is derived (RFC 9562)."""

from __future__ import annotations

import hashlib
import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


def _text(value: int) -> str:
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def uuid7(now_ms: int, entropy: bytes) -> str:
    """A UUIDv7 from a time in ms and ten random bytes (RFC 9562 section 5.7)."""
    if len(entropy) != 10:
        raise ValueError("a UUIDv7 takes ten random bytes")
    value = (now_ms & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(entropy, "big")
    return _text(value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def uuid8(*parts: str) -> str:
    """The UUIDv8 (RFC 9562 section 5.8) of some parts: the same parts, in the same order, give the same id.

    Each part is length-prefixed, so that no two lists collide.
    """
    digest = hashlib.sha256(b"ipx-derived-id/v1\n")
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    value = int.from_bytes(digest.digest()[:16], "big")
    return _text(value & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62)


def derived_id(room: str, subject: str, cause: str, ordinal: int) -> str:
    """The id of what a room says of a subject because of a cause.

    The subject is in it since an event id is unique in its log partition alone: somebody may say two things under one id, of two subjects.
    """
    return uuid8(room, subject, cause, str(ordinal))


def is_event_id(text: str) -> bool:
    """Whether the text is a UUIDv7 or UUIDv8 in lower case with dashes, the only form taken."""
    return _UUID.fullmatch(text) is not None
