"""How often a process that works in batches looks for garbage in rings: seldom, since batches leave none."""

from __future__ import annotations

import gc
from typing import Final

_THRESHOLD: Final = (100_000, 20, 100)


def look_seldom() -> None:
    """For a process whose parts are made: they are looked at no more, and what comes after them seldom.

    Folding a batch makes many small objects and not one ring; looking for rings took a fifteenth of the CPU time of decoding, folding and signing.
    """
    gc.freeze()
    gc.set_threshold(*_THRESHOLD)
