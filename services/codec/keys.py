"""Ed25519 keys of participants: made from a seed, written as one line, read back; the private part never logged."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

import nacl.bindings

from services.codec.signature import SINGLE, key_id_of
from services.kernel.errors import BadSettings

_PRIVATE = "ipx-private-key/v1"
_PUBLIC = "ipx-public-key/v1"


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
    """Reads a private key line; ``BadSettings`` for anything else (the line itself is never repeated)."""
    participant, data = _parse(line, _PRIVATE)
    return signer_from_seed(participant, data)


def parse_public(line: str) -> PublicKey:
    """Reads a public key line; ``BadSettings`` for anything else."""
    return PublicKey(*_parse(line, _PUBLIC))


def _parse(line: str, form: str) -> tuple[str, bytes]:
    words = line.split()
    try:
        if len(words) == 3 and words[0] == form:
            data = binascii.a2b_base64(words[2], strict_mode=True)
            if len(data) == 32:
                return words[1], data
    except binascii.Error as error:
        raise BadSettings(f"a key line of the form {form} has bad base64") from error
    raise BadSettings(f"expected a key line: {form} <participant> <base64 of 32 bytes>")
