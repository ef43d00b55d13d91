"""Keys of participants: made from a seed, written as one line, read back; the private part never logged.

Two suites, each with lines of its own (``services/ledger/FORMAT.md`` section 3): Ed25519, and SM2 over SM3 (国密). What signs for the exchange
itself, and its root key, is Ed25519: :func:`parse_private` and :func:`parse_public` take no other. A participant may have either.
"""

from __future__ import annotations

import base64
import re
from binascii import a2b_base64
from dataclasses import dataclass, field

import nacl.bindings

from services.codec import sm2
from services.codec.signature import SINGLE, key_id_of
from services.kernel.errors import BadSettings
from services.kernel.parties import PARTICIPANT_PATTERN

_PRIVATE = "ipx-private-key/v1"
_PUBLIC = "ipx-public-key/v1"
_SM2_PRIVATE = "ipx-sm2-private-key/v1"
_SM2_PUBLIC = "ipx-sm2-public-key/v1"
_LINE = re.compile(
    rf"({_PRIVATE}|{_PUBLIC}|{_SM2_PRIVATE}) ({PARTICIPANT_PATTERN}) ([A-Za-z0-9+/]{{42}}[AEIMQUYcgkosw048]=)"
    rf"|({_SM2_PUBLIC}) ({PARTICIPANT_PATTERN}) ([A-Za-z0-9+/]{{85}}[AQgw]==)"
)  # 32 and 64 bytes, canonical


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A participant's public key: 32 bytes of Ed25519, or the 64 of a point of SM2, x ‖ y."""

    participant: str
    data: bytes

    @property
    def key_id(self) -> str:
        """The name that the members log knows it by."""
        return key_id_of(self.participant, self.data)

    @property
    def suite(self) -> str:
        """``ed25519`` or ``sm2-sm3``, as its length says."""
        return sm2.SUITE if len(self.data) == sm2.KEY_BYTES else SINGLE

    def line(self) -> str:
        """``ipx-public-key/v1 <participant> <base64>``, or ``ipx-sm2-public-key/v1 …``."""
        form = _SM2_PUBLIC if self.suite == sm2.SUITE else _PUBLIC
        return f"{form} {self.participant} {base64.b64encode(self.data).decode()}"


@dataclass(frozen=True, slots=True)
class Ed25519Signer:
    """The signer port over a key held in memory."""

    public: PublicKey
    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Key id of the public part."""
        return self.public.key_id

    @property
    def suite(self) -> str:
        """``ed25519``."""
        return SINGLE

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature (RFC 8032, deterministic)."""
        return nacl.bindings.crypto_sign(message, self.secret)[:64]

    def private_line(self) -> str:
        """``ipx-private-key/v1 <participant> <base64 seed>``: for a key file that only its owner may read."""
        return f"{_PRIVATE} {self.public.participant} {base64.b64encode(self.secret[:32]).decode()}"


@dataclass(frozen=True, slots=True)
class Sm2Signer:
    """The signer port over an SM2 key held in memory. Two signatures of one message differ, so no part of the exchange has one."""

    public: PublicKey
    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Key id of the public part."""
        return self.public.key_id

    @property
    def suite(self) -> str:
        """``sm2-sm3``."""
        return sm2.SUITE

    def sign(self, message: bytes) -> bytes:
        """r ‖ s, 64 bytes (GB/T 32918.2). Blocks for about 3 ms."""
        return sm2.sign(self.secret, self.public.data, message)

    def private_line(self) -> str:
        """``ipx-sm2-private-key/v1 <participant> <base64 of the 32-byte number>``: for a key file that only its owner may read."""
        return f"{_SM2_PRIVATE} {self.public.participant} {base64.b64encode(self.secret).decode()}"


ParticipantSigner = Ed25519Signer | Sm2Signer
"""A key that a participant may sign its statements with."""


def signer_from_seed(participant: str, seed: bytes) -> Ed25519Signer:
    """The key pair of a 32-byte seed."""
    public, secret = nacl.bindings.crypto_sign_seed_keypair(seed)
    return Ed25519Signer(PublicKey(participant, public), secret)


def sm2_signer(participant: str, secret: bytes) -> Sm2Signer:
    """The key pair of an SM2 private key; ``BadSettings`` when it is none, or where the extra that signs with it is not installed."""
    if not sm2.available():
        raise BadSettings(sm2.MISSING)
    public = sm2.public_key_of(secret)
    if public is None:
        raise BadSettings("expected an SM2 private key: 32 bytes, a number from 1 to n-2")
    return Sm2Signer(PublicKey(participant, public), secret)


def parse_private(line: str) -> Ed25519Signer:
    """Reads an Ed25519 private key line, with or without its line end; ``BadSettings`` for anything else (the line itself is never repeated)."""
    _form, participant, data = _parse(line, _PRIVATE)
    return signer_from_seed(participant, data)


def parse_public(line: str) -> PublicKey:
    """Reads an Ed25519 public key line, with or without its line end; ``BadSettings`` for anything else."""
    _form, participant, data = _parse(line, _PUBLIC)
    return PublicKey(participant, data)


def parse_participant_private(line: str) -> ParticipantSigner:
    """The same for a private key line of either suite."""
    form, participant, data = _parse(line, _PRIVATE, _SM2_PRIVATE)
    return signer_from_seed(participant, data) if form == _PRIVATE else sm2_signer(participant, data)


def parse_participant_public(line: str) -> PublicKey:
    """The same for a public key line of either suite; an SM2 key must be a point of the curve. Needs no extra."""
    form, participant, data = _parse(line, _PUBLIC, _SM2_PUBLIC)
    if form == _SM2_PUBLIC and not sm2.is_public_key(data):
        raise BadSettings("this SM2 public key is not a point of the curve (GB/T 32918.5)")
    return PublicKey(participant, data)


def _parse(line: str, *forms: str) -> tuple[str, str, bytes]:
    match = _LINE.fullmatch(line.removesuffix("\n"))
    form, participant, data = ("", "", "") if match is None else (part for part in match.groups() if part is not None)
    if form not in forms:
        raise BadSettings(f"expected a key line: {' or '.join(forms)}, then <participant> <base64 of the key>")
    return form, participant, a2b_base64(data)
