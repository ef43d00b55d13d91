"""The newest records of every inbox, ready to be sent: what long polls are answered from.

Pure data structure, used by one thread. A ring covers the offsets ``[start, end)`` of an inbox topic without a hole that
could hold a record; what is older is read from Kafka. Records are kept as the JSON text they are sent as, because a
record is asked for once as a rule and its text is smaller in memory than its headers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

_OVERHEAD_BYTES = 150  # of the objects around one item


@dataclass(frozen=True, slots=True)
class Item:
    """One record: its offset and its structured CloudEvent as JSON."""

    offset: int
    json: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some records in order, and the offset that follows them."""

    items: tuple[bytes, ...]
    next_offset: int


@dataclass(frozen=True, slots=True)
class RingLimits:
    """How much is kept for one inbox, and for all of them together."""

    records: int = 2_000
    record_bytes: int = 4 << 20
    total_bytes: int = 48 << 20


class Ring:
    """The newest records of one inbox."""

    __slots__ = ("_items", "end", "size_bytes", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self.size_bytes = 0
        self._items: deque[Item] = deque()

    def append(self, item: Item) -> None:
        """Adds a record; one that stands before the end is left out, it is here already."""
        if item.offset >= self.end:
            self._items.append(item)
            self.end = item.offset + 1
            self.size_bytes += len(item.json) + _OVERHEAD_BYTES

    def drop_oldest(self) -> None:
        """Forgets the oldest record."""
        item = self._items.popleft()
        self.start = item.offset + 1
        self.size_bytes -= len(item.json) + _OVERHEAD_BYTES

    def page(self, after: int, limit: int, limit_bytes: int) -> Page | None:
        """Records from ``after`` on, at least one if there is one; None when ``after`` is older than the ring."""
        if after < self.start:
            return None
        behind = 0
        for item in reversed(self._items):  # a poller is near the end, as a rule
            if item.offset < after:
                break
            behind += 1
        found: list[bytes] = []
        taken_bytes = 0
        next_offset = after
        for position in range(len(self._items) - behind, len(self._items)):
            item = self._items[position]
            taken_bytes += len(item.json)
            if len(found) == limit or (found and taken_bytes > limit_bytes):
                break
            found.append(item.json)
            next_offset = item.offset + 1
        return Page(tuple(found), next_offset)

    def __len__(self) -> int:
        return len(self._items)


class Rings:
    """The rings of the inboxes that are followed, within :class:`RingLimits`."""

    __slots__ = ("_limits", "_rings", "size_bytes")

    def __init__(self, limits: RingLimits) -> None:
        self._limits = limits
        self._rings: dict[str, Ring] = {}
        self.size_bytes = 0

    def open(self, participant: str, start: int) -> None:
        """Begins a ring at ``start``; replaces one that is there (its topic was made anew)."""
        old = self._rings.get(participant)
        self.size_bytes -= old.size_bytes if old else 0
        self._rings[participant] = Ring(start)

    def close(self, participant: str) -> None:
        """Forgets a ring: its inbox is not followed any more."""
        old = self._rings.pop(participant, None)
        self.size_bytes -= old.size_bytes if old else 0

    def get(self, participant: str) -> Ring | None:
        """The ring of a participant, or None when its inbox is not followed (yet)."""
        return self._rings.get(participant)

    def extend(self, participant: str, items: Iterable[Item]) -> None:
        """Adds records of one inbox in order and forgets the oldest past the limits; none of an inbox that was closed."""
        ring = self._rings.get(participant)
        if ring is None:
            return
        self.size_bytes -= ring.size_bytes
        for item in items:
            ring.append(item)
            while len(ring) > self._limits.records or ring.size_bytes > self._limits.record_bytes:
                ring.drop_oldest()
        self.size_bytes += ring.size_bytes
        while self.size_bytes > self._limits.total_bytes:
            self._shrink_the_largest()

    def __len__(self) -> int:
        return len(self._rings)

    def _shrink_the_largest(self) -> None:
        largest = max(self._rings.values(), key=lambda ring: ring.size_bytes)
        before = largest.size_bytes
        for _ in range(max(1, len(largest) // 8)):
            largest.drop_oldest()
        self.size_bytes -= before - largest.size_bytes
