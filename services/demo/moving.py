"""The clock of a run whose time is moved: by the file that every process of the exchange and the cities reads (``IPX_CLOCK_FILE``)."""

from __future__ import annotations

from pathlib import Path

from services.runtime.moved_clock import MovedClock, write_offset
from services.runtime.shell import SystemClock


class MovedTime:
    """Moves the time of everybody on this machine who reads the file; forward only once something runs."""

    def __init__(self, file: Path, start_ms: int) -> None:
        """The time begins there, now."""
        self._file = file
        write_offset(file, start_ms - SystemClock().now_ms())
        self._clock = MovedClock(file)

    @property
    def file(self) -> Path:
        """What ``IPX_CLOCK_FILE`` names."""
        return self._file

    def now_ms(self) -> int:
        """The time of the exchange."""
        return self._clock.now_ms()

    def move_to(self, at_ms: int) -> None:
        """Moves the time there; a time that has passed already is let be."""
        if at_ms > self.now_ms():
            write_offset(self._file, at_ms - SystemClock().now_ms())
