"""Time enters a room here: ticks for states whose due time has come, once the logs vouch for what was admitted by then.

A tick may only say what every replay would say. So before the states due at ``d`` are ticked, every entry admitted at
or before ``d`` must have been folded. That is known when a later entry of the same partition has been folded, or when
the partition was looked at ``grace_s`` after ``d``, had no open transaction, and nothing in it was unfolded. The grace
covers the moment between admission's taking the time and its first write; past that, an open transaction shows.
"""

from __future__ import annotations

from typing import Protocol

from services.kernel.ports import Clock
from services.runtime.backlog import Backlog, Logs
from services.runtime.planner import Place, Position, horizon_of
from services.runtime.runner import TICKED_AT_ONCE


class Ticks(Protocol):
    """What the ticker needs of the runner."""

    def first_due(self) -> int | None:
        """The earliest due time of any state."""
        ...

    def positions(self) -> dict[Place, Position]:
        """How far each partition has been folded, by whichever worker."""
        ...

    def tick(self, until_ms: int) -> int:
        """Ticks some of the states due by then; says how many."""
        ...


class Ticker:
    """Ticks what is due; blocking, called every second or so. ``Transient`` when a part is away: call again later."""

    def __init__(self, ticks: Ticks, logs: Logs, places: tuple[Place, ...], *, clock: Clock, grace_ms: int) -> None:
        self._ticks = ticks
        self._backlog = Backlog(logs)
        self._places = places
        self._clock = clock
        self._grace_ms = grace_ms

    def tick(self) -> int:
        """Ticks every state that is due and vouched for; says how many."""
        now_ms = self._clock.now_ms()
        first_due = self._ticks.first_due()
        if first_due is None or first_due > now_ms:
            return 0
        horizon_ms = min(now_ms, horizon_of(self._ticks.positions(), {}, self._places))
        if first_due > horizon_ms and first_due <= now_ms - self._grace_ms:
            # the positions are read after the ends, so that they can only be further on than what is asked for
            ends = self._backlog.ends(self._places)
            positions = self._ticks.positions()
            probed = {
                place: now_ms - self._grace_ms
                for place, end in ends.items()
                if end.is_settled and not self._backlog.holds_unfolded(place, positions, end)
            }
            horizon_ms = min(now_ms, horizon_of(positions, probed, self._places))
        count = 0
        while first_due is not None and first_due <= horizon_ms:
            ticked = self._ticks.tick(horizon_ms)
            count += ticked
            if ticked < TICKED_AT_ONCE:  # the rest, if any, is held by another worker
                break
            first_due = self._ticks.first_due()
        return count
