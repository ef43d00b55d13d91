"""What a conductor plays: something with steps and ends, whatever it is about. Kept by ``play.py`` and ``hand_over_play.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.demo.ends import Trail
from services.demo.scenario import Expectation


class Played(Protocol):
    """One story in one run."""

    at: int

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def titles(self) -> tuple[str, str]:
        """Its title in Chinese and English."""
        ...

    @property
    def alone(self) -> bool:
        """Whether no other is played meanwhile."""
        ...

    @property
    def size(self) -> int:
        """How many steps it has; ``at`` of them are made."""
        ...

    @property
    def things(self) -> int:
        """How many clues or cases it is about."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether every step was made."""
        ...

    @property
    def waits_for(self) -> str:
        """The step that is not made yet, in words."""
        ...

    @property
    def waits_until(self) -> int | None:
        """The time of the step at hand, when it has not come."""
        ...

    def advance(self, trail: Trail) -> bool:
        """Makes what can be made now, without waiting; whether anything was."""
        ...

    def missing(self, trail: Trail, screens: Mapping[str, str]) -> tuple[Expectation, ...]:
        """The ends that have not come."""
        ...

    def ends(self, trail: Trail) -> tuple[Expectation, ...]:
        """Every end that must come."""
        ...

    def awaited(self, trail: Trail) -> tuple[Expectation, ...]:
        """Ends that may still come, so that the run is not over."""
        ...

    def screens(self, trail: Trail) -> dict[str, str]:
        """What the systems show that the ends speak of."""
        ...
