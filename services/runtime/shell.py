"""The real clock and the real randomness behind the kernel's ports."""

from __future__ import annotations

import os
import time


class SystemClock:
    """The clock of the machine."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000


class SystemEntropy:
    """The operating system's random source."""

    __slots__ = ()

    def draw(self, size: int) -> bytes:
        """That many unpredictable bytes."""
        return os.urandom(size)
