"""The time this system goes by: the machine's, or in a trial the one that a file of the trial moves.

The file says in one line how far the time of the trial is from the machine's, ``offset_ms: 86400000``, and is looked at whenever
somebody asks. A file that is gone or says something else is an error: the machine's time is never taken in its place.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

_LINE = re.compile(r"offset_ms: (-?[0-9]{1,14})\n")


class BadClock(RuntimeError):
    """The file of the trial says no time."""


def clock_of(file: Path | None) -> Callable[[], int]:
    """Milliseconds since 1970 UTC at every call; with a file ``BadClock`` while it says no time."""
    if file is None:
        return machine_ms

    def moved_ms() -> int:
        try:
            found = _LINE.fullmatch(file.read_text("ascii"))
        except (OSError, ValueError) as error:
            raise BadClock(f"{file}: {error}") from error
        if found is None:
            raise BadClock(f"{file}: expected one line `offset_ms: N`")
        return machine_ms() + int(found[1])

    moved_ms()
    return moved_ms


def machine_ms() -> int:
    """The machine's time."""
    return time.time_ns() // 1_000_000
