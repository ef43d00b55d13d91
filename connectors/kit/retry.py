"""When to try again: exponential backoff with jitter, and the limit past which a person must look. Pure.

The next attempt of a delivery is a row in the node's database, not a sleeping task, so a restart forgets no wait; a
library that retries around a call (stamina) cannot give that, and is used nowhere here.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.ports import Entropy

_MOST_EXPONENT = 60


@dataclass(frozen=True, slots=True)
class Backoff:
    """The wait before attempt n + 1 is ``first_s * factor ** (n - 1)``, at most ``most_s``, less up to ``jitter`` of it."""

    first_s: float = 0.5
    factor: float = 2.0
    most_s: float = 60.0
    jitter: float = 0.5

    def delay_s(self, attempts: int, chance: float) -> float:
        """Seconds to wait after that many attempts (1 or more); ``chance`` is from 0 (whole wait) up to 1."""
        whole = min(self.most_s, self.first_s * self.factor ** min(max(attempts, 1) - 1, _MOST_EXPONENT))
        return whole * (1.0 - self.jitter * chance)


@dataclass(frozen=True, slots=True)
class Limits:
    """Past either of these a delivery becomes a dead letter; it is kept, listed and can be driven again."""

    attempts: int = 50
    age_s: float = 86_400.0

    def passed(self, attempts: int, age_s: float) -> bool:
        """Whether trying ends now."""
        return attempts >= self.attempts or age_s >= self.age_s


def chance(entropy: Entropy) -> float:
    """A number from 0 up to, not including, 1."""
    return int.from_bytes(entropy.draw(6), "big") / (1 << 48)
