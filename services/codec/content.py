"""Content commitment: what the source signs of the content, so that a redacted copy still verifies.

Specification: ``services/ledger/FORMAT.md`` section 2. Open fields share one digest; each restricted field has its own,
salted, so that a withheld value cannot be guessed from its digest.
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

from services.codec.schema import EventSchema, Value
from services.kernel.errors import Refused
from services.kernel.ports import Entropy

SALT_BYTES = 16
_OPEN_TAG = b"ipx-open/v1\n"
_FIELD_TAG = b"ipx-field/v1\n"
_CONTENT_TAG = b"ipx-content/v1\n"
_SALT = r"[A-Za-z0-9+/]{21}[AQgw]=="  # 16 bytes, the trailing bits zero: the one base64 text of them
_DIGEST = r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="  # 32 bytes


@dataclass(frozen=True, slots=True)
class Disclosure:
    """For each restricted field either its salt (shown) or its digest (withheld)."""

    salts: Mapping[str, bytes]
    digests: Mapping[str, bytes]


NOTHING_RESTRICTED = Disclosure({}, {})


def new_disclosure(schema: EventSchema, entropy: Entropy) -> Disclosure:
    """Fresh salts for every restricted field of the schema: everything shown."""
    if not schema.restricted:
        return NOTHING_RESTRICTED
    return Disclosure({name: entropy.draw(SALT_BYTES) for name in schema.restricted}, {})


def field_digest(salt: bytes, encoded: bytes) -> bytes:
    """Digest of one restricted field: SHA-256 over a tag, its salt and its Avro encoding."""
    return hashlib.sha256(_FIELD_TAG + salt + encoded).digest()


def content_digest(schema: EventSchema, parts: list[bytes], disclosure: Disclosure) -> bytes:
    """The commitment, from the segments' bytes (``EventSchema.encode_parts``) and the disclosure.

    Refuses ``bad-disclosure`` when a restricted field has neither salt nor digest, or is withheld and yet has a value.
    """
    return commitment(schema, parts, disclosure)[0]


def commitment(schema: EventSchema, parts: list[bytes], disclosure: Disclosure) -> tuple[bytes, list[bytes]]:
    """The same, and the digest of each restricted field in the order of the schema: what a copy without it carries."""
    if not schema.restricted:
        opened = hashlib.sha256(_OPEN_TAG + parts[0] if parts else _OPEN_TAG).digest()
        return hashlib.sha256(_CONTENT_TAG + schema.digest + opened).digest(), []
    opened_bytes = [_OPEN_TAG]
    digests = []
    for segment, encoded in zip(schema.segments, parts, strict=True):
        name = segment.restricted
        if name is None:
            opened_bytes.append(encoded)
        elif (salt := disclosure.salts.get(name)) is not None:
            digests.append(field_digest(salt, encoded))
        elif (digest := disclosure.digests.get(name)) is None:
            raise Refused("bad-disclosure", f"restricted field {name} has neither a salt nor a digest", field=name)
        elif encoded != b"\x00":
            raise Refused("bad-disclosure", f"restricted field {name} is withheld and yet has a value", field=name)
        else:
            digests.append(digest)
    opened = hashlib.sha256(b"".join(opened_bytes)).digest()
    return hashlib.sha256(b"".join((_CONTENT_TAG, schema.digest, opened, *digests))).digest(), digests


def redact(
    schema: EventSchema, value: Value, parts: list[bytes], disclosure: Disclosure, withheld: Collection[str]
) -> tuple[Value, list[bytes], Disclosure]:
    """A copy without the withheld fields: null for the value, digest for the salt. The commitment stays the same.

    Refuses ``bad-disclosure`` to withhold what the schema does not restrict: it would be shown.
    """
    open_fields = set(withheld).difference(schema.restricted)
    if open_fields:
        raise Refused("bad-disclosure", f"not restricted in {schema.name}: {', '.join(sorted(open_fields))}")
    salts = dict(disclosure.salts)
    digests = dict(disclosure.digests)
    redacted = list(parts)
    shown = dict(value)
    for position, segment in enumerate(schema.segments):
        name = segment.restricted
        if name is not None and name in withheld and name in salts:
            digests[name] = field_digest(salts.pop(name), parts[position])
            redacted[position] = b"\x00"
            shown[name] = None
    return shown, redacted, Disclosure(salts, digests)


def withhold(
    schema: EventSchema, parts: list[bytes], line: str, digests: list[bytes], withheld: Collection[str]
) -> tuple[bytes, str]:
    """Body and disclosure line of a copy, as ``redact`` would give them, from a disclosure line and the digests of ``commitment``.

    Refuses ``bad-disclosure`` to withhold what the schema does not restrict: it would be shown.
    """
    if not set(withheld).issubset(schema.restricted):
        raise Refused("bad-disclosure", f"{schema.name} does not restrict all of {', '.join(sorted(withheld))}")
    items = line.split(",")
    for position, name in enumerate(schema.restricted):
        if name in withheld:
            items[position] = f"{name}=d:{b2a_base64(digests[position], newline=False).decode()}"
    shown = [b"\x00" if s.restricted in withheld else p for s, p in zip(schema.segments, parts, strict=True)]
    return b"".join(shown), ",".join(items)


def format_disclosure(schema: EventSchema, disclosure: Disclosure) -> str:
    """One line, fields in schema order: ``name=s:<base64 salt>`` or ``name=d:<base64 digest>``; ``-`` when none."""
    items = []
    for name in schema.restricted:
        salt = disclosure.salts.get(name)
        kind, data = ("s", salt) if salt is not None else ("d", disclosure.digests[name])
        items.append(f"{name}={kind}:{b2a_base64(data, newline=False).decode()}")
    return ",".join(items) or "-"


def parse_disclosure(schema: EventSchema, text: str) -> Disclosure:
    """Inverse of :func:`format_disclosure`; refuses ``bad-disclosure`` anything that it would not write."""
    match = _line_pattern(schema.restricted).fullmatch(text)
    if match is None:
        wanted = ", ".join(schema.restricted) or "none"
        raise Refused(
            "bad-disclosure",
            f"expected one salt or digest for each restricted field in order: {wanted}",
            field="ipxsalts",
        )
    if not schema.restricted:
        return NOTHING_RESTRICTED
    salts: dict[str, bytes] = {}
    digests: dict[str, bytes] = {}
    found = match.groups()
    for position, name in enumerate(schema.restricted):
        salt, digest = found[2 * position], found[2 * position + 1]
        if salt is not None:
            salts[name] = a2b_base64(salt)
        else:
            digests[name] = a2b_base64(digest)
    return Disclosure(salts, digests)


@lru_cache(maxsize=1024)
def _line_pattern(restricted: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(",".join(rf"{name}=(?:s:({_SALT})|d:({_DIGEST}))" for name in restricted) or "-")
