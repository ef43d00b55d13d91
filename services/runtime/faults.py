"""Fault points: where a crash test makes a process die as by kill -9, named in the code and armed from outside.

``IPX_FAULT_AT=admission.step9`` ends the process the first time the point is reached, ``admission.step9:40`` the 40th time; the
exit status is 137. Nothing is flushed, closed or unwound. Without the variable a point costs a function call.
"""

from __future__ import annotations

import os
import threading

VARIABLE = "IPX_FAULT_AT"
EXIT_STATUS = 137


class FaultPoint:
    """One armed point, counted down by whichever thread reaches it."""

    def __init__(self, armed: str) -> None:
        name, colon, count = armed.partition(":")
        self.name = name
        self._left = int(count) if colon else 1
        self._lock = threading.Lock()

    def is_due(self, point: str) -> bool:
        """Whether this reaching of the point is the one to die at."""
        if point != self.name:
            return False
        with self._lock:
            self._left -= 1
            return self._left == 0


_armed = FaultPoint(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def reach(point: str) -> None:
    """Marks a place in a numbered procedure; does nothing unless this very point was armed at the start."""
    if _armed is not None and _armed.is_due(point):
        os._exit(EXIT_STATUS)
