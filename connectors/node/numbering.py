"""Step 8: whether the number of a copy is the next one of its log partition. Pure; arithmetic, nobody is asked.

Numbers are contiguous from 0 for each recipient and log partition (design section 4), so a smaller one is a copy that the node
has had, and a larger one says that copies are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Place(Enum):
    """Where a number stands against the one that is expected."""

    NEXT = "next"
    HAD = "had"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Gap:
    """Copies are missing: the number that came, and the one that should have."""

    log: str
    expected: int
    came: int


@dataclass(slots=True)
class Numbers:
    """The next number by log partition of one participant, moved on copy by copy within one transaction."""

    next: dict[str, int]

    @staticmethod
    def standing(known: Mapping[str, int]) -> Numbers:
        """From what is stored."""
        return Numbers(dict(known))

    def place(self, log: str, number: int) -> Place:
        """Where the number stands; a log partition not heard of yet begins with 0."""
        expected = self.next.get(log, 0)
        if number == expected:
            return Place.NEXT
        return Place.HAD if number < expected else Place.GAP

    def take(self, log: str, number: int) -> None:
        """The copy with the next number was taken."""
        assert self.next.get(log, 0) == number
        self.next[log] = number + 1

    def gap(self, log: str, number: int) -> Gap:
        """The gap before a number that is too large."""
        return Gap(log, self.next.get(log, 0), number)
