"""Waiting for what a process of its own does: asked again until it holds, and a failure when it does not in time.

The one place of this folder where a wait sleeps: another process has no event that a test could wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
ASK_EVERY_S = 0.05


def wait_until(
    holds: Callable[[], T], within_s: float, why: Callable[[], object] | str = "", *, every_s: float = ASK_EVERY_S
) -> T:
    """What ``holds`` gives as soon as it is true; fails with ``why``, asked only then, when it is not within the time."""
    deadline_s = time.monotonic() + within_s
    while not (found := holds()):
        if time.monotonic() >= deadline_s:
            raise AssertionError(f"not within {within_s} s: {why() if callable(why) else why}")
        time.sleep(every_s)
    return found
