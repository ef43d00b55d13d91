"""When a part that ended is started again: after 0.2 s, doubled each time up to 5 s, from the beginning once it was stable."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
STABLE_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a part was started again since the supervisor began, and how long the next wait is."""

    count: int = 0
    next_delay_s: float = FIRST_DELAY_S

    def after(self, lived_s: float) -> tuple[Restarts, float]:
        """What is known after one more end of a part that lived this long, and how long to wait. There is no last try:
        a part whose database is away must be back when the database is."""
        delay = FIRST_DELAY_S if lived_s >= STABLE_AFTER_S else self.next_delay_s
        return Restarts(self.count + 1, min(delay * 2, LONGEST_DELAY_S)), delay
