"""Time stamps of RFC 3161 over a checkpoint: asked for, read, compared, and verified by the authorities that the verifier names.

The library is the optional extra ``stamp`` (rfc3161-client); without it a stamp is not looked at, and said to be so. What CMS leaves unsigned
in a token (version numbers, the name of the signature algorithm, unsigned attributes) is held to the one value it can have. Pure.
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
_SIGNED_DATA_VERSION = 3  # RFC 5652 section 5.1: the content is not of type data
_SIGNER_VERSION = 1  # section 5.3: the signer is named by issuer and serial number
_SEQUENCE, _SET, _OID, _CONTEXT_0 = 0x30, 0x31, 0x06, 0xA0
_RSA = bytes.fromhex("2a864886f70d010101")
_ALGORITHMS = {
    bytes.fromhex(f"60864801650304020{digest}"): (
        bytes.fromhex(f"2a8648ce3d04030{digest + 1}"),  # ecdsa-with-SHA256, 384, 512
        bytes.fromhex(f"2a864886f70d01010{digest + 10:x}"),  # sha256WithRSAEncryption, 384, 512
        _RSA,
    )
    for digest in (1, 2, 3)
}
"""Digest algorithm of the signer (SHA-256, 384, 512) and the names its signature algorithm may have."""


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


def request_for(note_text: bytes) -> Any:
    """The query for an authority (``as_bytes()`` gives its bytes): over SHA-256, with a nonce, asking for its certificate.

    ``BadSettings`` without the library.
    """
    _require()
    builder = rfc3161_client.TimestampRequestBuilder().data(note_text)
    return builder.hash_algorithm(rfc3161_client.HashAlgorithm.SHA256).build()


def token_in(reply: bytes, request: Any) -> bytes:
    """The token in an authority's reply to a query; refuses ``bad-stamp`` a refusal, another nonce, other bytes stamped.

    Its signature is not looked at: which authority is to be believed is for the verifier to say.
    """
    try:
        response = rfc3161_client.decode_timestamp_response(reply)
        if rfc3161_client.PKIStatus(response.status) != rfc3161_client.PKIStatus.GRANTED:
            raise Refused("bad-stamp", "the authority did not grant the time stamp", field="stamp")
        if response.tst_info.nonce != request.nonce:
            raise Refused("bad-stamp", "the time stamp is the answer to another query", field="stamp")
        token = bytes(response.time_stamp_token())
    except (ValueError, TypeError, OverflowError) as error:
        sentence = "the authority did not answer with a time stamp of RFC 3161"
        raise Refused("bad-stamp", sentence, field="stamp") from error
    if read_stamp(token).digest != bytes(request.message_imprint.message):
        raise Refused("bad-stamp", "the authority stamped other bytes", field="stamp")
    return token


def read_stamp(token: bytes) -> Stamp:
    """Reads a token (the CMS structure, as ``openssl ts -token_in`` takes it).

    Refuses ``bad-stamp`` what is none, is not over SHA-256, or has anything else than it must where nothing is signed.
    """
    try:
        response = rfc3161_client.decode_timestamp_response(_tagged(_SEQUENCE, _GRANTED + token))
        said = response.tst_info
        if bytes(response.time_stamp_token()) != token:
            raise Refused("bad-stamp", "the time stamp is followed by other bytes", field="stamp")
        if said.message_imprint.hash_algorithm.dotted_string != _SHA256:
            raise Refused("bad-stamp", "the time stamp is not over SHA-256", field="stamp")
        _check_unsigned(token, response.signed_data)
        return Stamp(bytes(said.message_imprint.message), said.gen_time, response)
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise Refused("bad-stamp", "the bytes are not a time stamp of RFC 3161", field="stamp") from error


def authorities(pem: bytes) -> list[Any]:
    """The certificates of a file of authorities; ``BadSettings`` when it has none, and without the library."""
    _require()
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


def _require() -> None:
    if rfc3161_client is None:
        raise BadSettings("time stamps need the extra `stamp` (rfc3161-client), which is not installed here")


def _check_unsigned(token: bytes, signed_data: Any) -> None:
    """Version numbers, the name of the signature algorithm and unsigned attributes: no signature covers them."""
    signers = signed_data.signer_infos
    if len(signers) != 1:
        raise ValueError("a time stamp has one signer")
    if signed_data.version != _SIGNED_DATA_VERSION or next(iter(signers)).version != _SIGNER_VERSION:
        raise ValueError("a version number of CMS that a time stamp does not have")
    content = _children(_children(token)[0][1])[1]  # ContentInfo: type, [0] content
    signed = _children(_children(content[1])[0][1])
    signer = _children(
        _children(signed[-1][1])[0][1]
    )  # SignerInfo: version, sid, digest, [0] attributes, algorithm, signature
    if len(signer) != 6 or [signer[3][0], signer[4][0]] != [_CONTEXT_0, _SEQUENCE]:
        raise ValueError("the signer has unsigned attributes, or no signed ones")
    digest, algorithm = _children(signer[2][1]), _children(signer[4][1])
    if algorithm[0][1] not in _ALGORITHMS.get(digest[0][1], ()):
        raise ValueError("the name of the signature algorithm is not that of the digest")


def _children(content: bytes) -> list[tuple[int, bytes]]:
    """DER: tag and content of each element, one after the other."""
    found, at = [], 0
    while at < len(content):
        tag, length, at = content[at], content[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(content[at : at + count], "big"), at + count
        if at + length > len(content):
            raise ValueError("an element ends after what holds it")
        found.append((tag, content[at : at + length]))
        at += length
    return found


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
