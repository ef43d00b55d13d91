"""One participant at one city's system: what the loops of the node share about it, and the bells that wake them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from connectors.kit.breaker import BreakerRule
from connectors.kit.dialect import Dialect
from connectors.kit.port import CitySystem
from connectors.kit.retry import Backoff, Limits
from services.kernel.parties import division_of

_BACKOFF, _LIMITS, _BREAKER = Backoff(), Limits(), BreakerRule()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast and how long the node tries."""

    poll_s: float = 2.0
    concurrency: int = 8
    backoff: Backoff = _BACKOFF
    limits: Limits = _LIMITS
    breaker: BreakerRule = _BREAKER
    hold_s: float = 30.0
    committed_within_s: int = 86_400
    """The time limit of a delivery whose agreement names none."""


@dataclass(frozen=True, slots=True)
class Bells:
    """Rung when there is something to do, so that nobody has to look all the time."""

    outbox: asyncio.Event = field(default_factory=asyncio.Event)
    target: asyncio.Event = field(default_factory=asyncio.Event)
    pull: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Site:
    """A participant whose key the node holds, its city's system if it has one, and how to speak with it."""

    participant: str
    city: CitySystem | None
    dialect: Dialect | None
    pace: Pace = Pace()
    bells: Bells = field(default_factory=Bells)

    @property
    def connector(self) -> str:
        """Name of the connector; ``-`` without one."""
        return "-" if self.city is None else self.city.name

    @property
    def division(self) -> str:
        """Division of the participant, or its whole id where it has none (customs)."""
        return division_of(self.participant) or self.participant


async def wait_for(bell: asyncio.Event, limit_s: float) -> bool:
    """Waits until the bell rings, and stills it; False when the limit came first."""
    try:
        async with asyncio.timeout(max(limit_s, 0.0)):
            await bell.wait()
    except TimeoutError:
        return False
    bell.clear()
    return True
