"""Time stamps of RFC 3161 over a checkpoint: read, compared, and verified by the authorities that the verifier names.

The library is the optional extra ``stamp`` (rfc3161-client); without it a stamp is not looked at, and said to be so. Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.kernel.errors import BadSettings, Refused

try:
    import rfc3161_client
    from cryptography import x509
except ImportError:  # the extra is not installed
    rfc3161_client = None  # type: ignore[assignment]

_GRANTED = b"\x30\x03\x02\x01\x00"  # PKIStatusInfo { status granted }
_SHA256 = "2.16.840.1.101.3.4.2.1"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a token says: over which digest, and when (UTC)."""

    digest: bytes
    at: datetime
    response: Any


def is_available() -> bool:
    """Whether the library is here."""
    return rfc3161_client is not None


def imprint_of(note_text: bytes) -> bytes:
    """What is stamped: SHA-256 of the text of the checkpoint, without its signature lines."""
    return hashlib.sha256(note_text).digest()


def read_stamp(token: bytes) -> Stamp:
    """Reads a token (the CMS structure, as ``openssl ts -token_in`` takes it); refuses ``bad-stamp`` what is none, or not over SHA-256."""
    try:
        response = rfc3161_client.decode_timestamp_response(_sequence(_GRANTED + token))
        said = response.tst_info
        if response.time_stamp_token() != token:
            raise Refused("bad-stamp", "the time stamp is followed by other bytes", field="stamp")
        if said.message_imprint.hash_algorithm.dotted_string != _SHA256:
            raise Refused("bad-stamp", "the time stamp is not over SHA-256", field="stamp")
        return Stamp(bytes(said.message_imprint.message), said.gen_time, response)
    except (ValueError, TypeError, OverflowError) as error:
        raise Refused("bad-stamp", "the bytes are not a time stamp of RFC 3161", field="stamp") from error


def authorities(pem: bytes) -> list[Any]:
    """The certificates of a file of authorities; ``BadSettings`` when it has none."""
    if rfc3161_client is None:
        raise BadSettings("time stamps are verified with the extra `stamp`, which is not installed here")
    try:
        return list(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise BadSettings("the file of time-stamping authorities has no certificate in PEM form") from error


def check_stamp(stamp: Stamp, roots: list[Any]) -> None:
    """Refuses ``bad-stamp`` a token that no certificate under these roots signed, for time stamping and valid at its time."""
    verifier = rfc3161_client.VerifierBuilder(roots=list(roots)).build()
    try:
        verifier.verify(stamp.response, stamp.digest)
    except (rfc3161_client.VerificationError, ValueError) as error:
        raise Refused("bad-stamp", f"the time stamp does not verify: {error}"[:300], field="stamp") from error


def _sequence(content: bytes) -> bytes:
    """DER: a SEQUENCE of this content."""
    size = len(content)
    if size < 0x80:
        return bytes((0x30, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x30, 0x80 | len(length))) + length + content
