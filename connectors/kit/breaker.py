"""Circuit breaker of one target: after some failures in a row nobody knocks for a while, then one tries first.

::

    closed ──failures in a row──▶ open ──rest over──▶ half-open ──success──▶ closed
                                   ▲                     └──failure──▶ open (a longer rest)

A refusal for a business reason is a success here: the system answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.kernel.ports import Clock


class Circuit(StrEnum):
    """State of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """After how many failures in a row it opens, and for how long; the rest doubles up to ``most_rest_s``."""

    failures: int = 5
    rest_s: float = 2.0
    most_rest_s: float = 60.0


class Breaker:
    """Not shared between threads. Ask ``wait_s`` before a call, tell ``succeeded`` or ``failed`` after it."""

    __slots__ = ("_clock", "_in_a_row", "_opened", "_probing", "_rule", "_until_ms")

    def __init__(self, rule: BreakerRule, clock: Clock) -> None:
        self._rule = rule
        self._clock = clock
        self._in_a_row = 0
        self._opened = 0
        self._until_ms: int | None = None
        self._probing = False

    @property
    def state(self) -> Circuit:
        """Closed, open, or half-open when the rest is over and nothing has succeeded since."""
        if self._until_ms is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self._clock.now_ms() < self._until_ms else Circuit.HALF_OPEN

    def admit(self) -> bool:
        """Whether a call may be made now; in the half-open state one call at a time may."""
        state = self.state
        if state is Circuit.CLOSED:
            return True
        if state is Circuit.OPEN or self._probing:
            return False
        self._probing = True
        return True

    def wait_s(self) -> float:
        """How long the rest lasts still; 0 when it does not rest."""
        return 0.0 if self._until_ms is None else max(0.0, (self._until_ms - self._clock.now_ms()) / 1000)

    def succeeded(self) -> None:
        """The system answered."""
        self._in_a_row = self._opened = 0
        self._until_ms = None
        self._probing = False

    def released(self) -> None:
        """The call was not made after all: nothing is known, and another may try."""
        self._probing = False

    def failed(self) -> None:
        """The system did not answer, or answered nonsense."""
        probed, self._probing = self._probing, False
        self._in_a_row += 1
        # calls that were on their way when it opened fail late; they say nothing new and do not lengthen the rest
        if probed or (self._until_ms is None and self._in_a_row >= self._rule.failures):
            rest_s = min(self._rule.most_rest_s, self._rule.rest_s * 2 ** min(self._opened, 20))
            self._opened += 1
            self._until_ms = self._clock.now_ms() + round(rest_s * 1000)
