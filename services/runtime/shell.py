"""The real clock and the real randomness behind the kernel's ports."""

from __future__ import annotations

import os
import time
from pathlib import Path

from services.kernel.instants import format_instant
from services.kernel.ports import Clock
from services.runtime.logging import get_logger
from services.runtime.metrics import HEALTH_CLOCK_MOVED, Metrics
from services.runtime.moved_clock import MovedClock


class SystemClock:
    """The clock of the machine."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000


class RunningClock:
    """Time that only passes: for waits and rests, which no setting of a clock may shorten or lengthen."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Milliseconds since some moment before this process began."""
        return time.monotonic_ns() // 1_000_000


class SystemEntropy:
    """The operating system's random source."""

    __slots__ = ()

    def draw(self, size: int) -> bytes:
        """That many unpredictable bytes."""
        return os.urandom(size)


def clock_of(clock_file: Path | None, metrics: Metrics | None = None) -> Clock:
    """The clock that a process goes by: the machine's, or on a machine of trials the one that ``IPX_CLOCK_FILE`` moves.

    ``clock_file`` is that of the settings, which refuse one where a part is on another machine.

    Everything that takes a time takes it from here. That a clock is moved is said in the log and in ``metrics``, at the start and
    whenever it moves.
    """
    if clock_file is None:
        return SystemClock()

    def told(offset_ms: int) -> None:
        now_ms = time.time_ns() // 1_000_000 + offset_ms
        get_logger("clock").warning(
            "the clock is moved", seconds=offset_ms / 1000, where=format_instant(max(0, now_ms))
        )
        if metrics is not None:
            metrics.set(HEALTH_CLOCK_MOVED, offset_ms / 1000)

    return MovedClock(clock_file, told)
