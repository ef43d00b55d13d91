"""Whether a log partition holds a settled record that is not folded yet, whatever the consumer says.

Two readers of the answer: the ticker (nothing unfolded: what was admitted by then is all known) and the watch over a
consumer that brings nothing (something unfolded: it stands still).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from services.runtime.log_probe import End
from services.runtime.planner import Place, Position


class Logs(Protocol):
    """What is asked of the log probe."""

    def ends(self, places: Iterable[Place]) -> dict[Place, End]:
        """Where the partitions end."""
        ...

    def first_from(self, place: Place, offset: int, end: int) -> int | None:
        """The first settled record from an offset on, before an end."""
        ...


class Backlog:
    """Remembers how far it has looked in vain, so that transaction markers are looked through once. One thread."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._empty_up_to: dict[Place, int] = {}

    def ends(self, places: Iterable[Place]) -> dict[Place, End]:
        """Where the partitions end now; ``Transient`` while Kafka is away."""
        return self._logs.ends(places)

    def holds_unfolded(self, place: Place, positions: Mapping[Place, Position], end: End) -> bool:
        """Whether a settled record stands between the position and that end; ``Transient`` while Kafka is away."""
        start = max(positions.get(place, Position()).next_offset, self._empty_up_to.get(place, 0))
        if start < end.settled:
            if self._logs.first_from(place, start, end.settled) is not None:
                return True
            self._empty_up_to[place] = end.settled
        return False

    def unfolded_in(self, places: Iterable[Place], positions: Mapping[Place, Position]) -> Place | None:
        """The first of the partitions that holds an unfolded record; None when there is none."""
        ends = self.ends(places)
        return next((place for place in sorted(ends) if self.holds_unfolded(place, positions, ends[place])), None)
