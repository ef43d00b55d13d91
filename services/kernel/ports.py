"""Ports through which time, randomness and keys enter; the fakes that tests use stand beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC; may step back a little, callers must stand it."""
        ...


class Entropy(Protocol):
    """Where randomness comes from."""

    def draw(self, size: int) -> bytes:
        """That many unpredictable bytes."""
        ...


class Signer(Protocol):
    """A private key of a participant; the key itself never leaves it."""

    @property
    def key_id(self) -> str:
        """``<participant>#<16 hex digits>``: the name the members log knows the public key by."""
        ...

    @property
    def suite(self) -> str:
        """Name of the signature suite, ``ed25519`` for one."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature over the message; deterministic for Ed25519 (RFC 8032)."""
        ...


@dataclass(slots=True)
class SettableClock:
    """A clock that stands still until it is set or advanced."""

    at_ms: int = 1_790_000_000_000

    def now_ms(self) -> int:
        """The set time."""
        return self.at_ms

    def advance(self, by_ms: int) -> None:
        """Moves the clock on."""
        self.at_ms += by_ms


@dataclass(slots=True)
class CountedEntropy:
    """Bytes that are different at every draw and the same in every run; for tests only."""

    drawn: int = 0

    def draw(self, size: int) -> bytes:
        """The next ``size`` bytes of a counter."""
        self.drawn += 1
        return self.drawn.to_bytes(size, "big") if size >= 8 else (self.drawn % 256).to_bytes(1, "big") * size
