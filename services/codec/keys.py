"""Ed25519 keys of participants: made from a seed, written as one line, read back; the private part never logged."""

from __future__ import annotations

import base64
import re
from binascii import a2b_base64
from dataclasses import dataclass, field

import nacl.bindings

from services.codec.signature import SINGLE, key_id_of
from services.kernel.errors import BadSettings
from services.kernel.parties import PARTICIPANT_PATTERN

_PRIVATE = "ipx-private-key/v1"
_PUBLIC = "ipx-public-key/v1"
_LINE = re.compile(
    rf"({_PRIVATE}|{_PUBLIC}) ({PARTICIPANT_PATTERN}) ([A-Za-z0-9+/]{{42}}[AEIMQUYcgkosw048]=)"  # 32 bytes, canonical
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A participant's public key (32 bytes)."""

    participant: str
    data: bytes

    @property
    def key_id(self) -> str:
        """The name that the members log knows it by."""
        return key_id_of(self.participant, self.data)

    def line(self) -> str:
        """``ipx-public-key/v1 <participant> <base64>``."""
        return f"{_PUBLIC} {self.participant} {base64.b64encode(self.data).decode()}"


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


def signer_from_seed(participant: str, seed: bytes) -> Ed25519Signer:
    """The key pair of a 32-byte seed."""
    public, secret = nacl.bindings.crypto_sign_seed_keypair(seed)
    return Ed25519Signer(PublicKey(participant, public), secret)


def parse_private(line: str) -> Ed25519Signer:
    """Reads a private key line, with or without its line end; ``BadSettings`` for anything else (the line itself is never repeated)."""
    participant, data = _parse(line, _PRIVATE)
    return signer_from_seed(participant, data)


def parse_public(line: str) -> PublicKey:
    """Reads a public key line, with or without its line end; ``BadSettings`` for anything else."""
    return PublicKey(*_parse(line, _PUBLIC))


def _parse(line: str, form: str) -> tuple[str, bytes]:
    match = _LINE.fullmatch(line.removesuffix("\n"))
    if match is None or match[1] != form:
        raise BadSettings(f"expected a key line: {form} <participant> <base64 of 32 bytes>")
    return match[2], a2b_base64(match[3])
