"""A clock that a test moves: every process of one machine reads the same file, so that the time of all of them moves together.

The file says in one line how far the time of the exchange is from the machine's: ``offset_ms: 86400000``. It is replaced as a whole
and looked at anew whenever somebody asks for the time, which costs one look at the file's entry in its directory. The time runs on
from there. It is moved forward only while anything runs: a file that is broken, gone or set back is ``Corrupt`` and ends the process;
at the start it is ``BadSettings``. The machine's time is never taken in its place.

Only for trials on one machine: ``CommonSettings`` refuses the setting unless every part is reached at loopback.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from services.kernel.errors import BadSettings, Corrupt

_LINE = re.compile(r"offset_ms: (0|-?[1-9][0-9]{0,13})\n")
_LONGEST = 64
_Mark = tuple[int, int, int]


def format_offset(offset_ms: int) -> str:
    """The text of a clock file."""
    return f"offset_ms: {offset_ms}\n"


def parse_offset(text: str) -> int:
    """The offset that a clock file says, in ms; ``ValueError`` for anything but the one line."""
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError(f"expected one line `offset_ms: N`, found {text[:_LONGEST]!r}")
    return int(found[1])


def write_offset(path: Path, offset_ms: int) -> None:
    """Moves the clock of everybody who reads this file; replaced as a whole, so that nobody reads half of it."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(format_offset(offset_ms), encoding="ascii")
    fresh.replace(path)


class MovedClock:
    """The machine's clock and the offset of the file. Safe between threads. See the module for what a broken file does."""

    __slots__ = ("_lock", "_mark", "_offset_ms", "_path", "_read_ms", "_told")

    def __init__(
        self,
        path: Path,
        told: Callable[[int], None] = lambda _offset_ms: None,
        *,
        machine_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """``told`` hears the offset at the start and whenever it has changed. ``BadSettings`` without a good file."""
        self._path = path
        self._told = told
        self._read_ms = machine_ms
        self._lock = threading.Lock()
        try:
            self._mark, self._offset_ms = _mark_of(path), parse_offset(_text_of(path))
        except (OSError, ValueError) as error:
            raise BadSettings(f"IPX_CLOCK_FILE {path}: {error}") from error
        told(self._offset_ms)

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC by the moved clock; ``Corrupt`` when the file no longer says them."""
        try:
            mark = _mark_of(self._path)
            if mark != self._mark:
                self._follow(mark)
        except (OSError, ValueError) as error:
            raise Corrupt(f"the clock file {self._path} cannot be used any more: {error}") from error
        return self._read_ms() + self._offset_ms

    def _follow(self, mark: _Mark) -> None:
        with self._lock:
            if mark == self._mark:
                return
            offset_ms = parse_offset(_text_of(self._path))
            if offset_ms < self._offset_ms:
                raise Corrupt(
                    f"the clock was set back from {self._offset_ms} to {offset_ms} ms while the exchange runs"
                )
            moved, self._offset_ms, self._mark = offset_ms != self._offset_ms, offset_ms, mark
        if moved:
            self._told(offset_ms)


def _mark_of(path: Path) -> _Mark:
    entry = path.stat()
    return entry.st_mtime_ns, entry.st_ino, entry.st_size


def _text_of(path: Path) -> str:
    with path.open("r", encoding="ascii", newline="") as file:
        return file.read(_LONGEST)
