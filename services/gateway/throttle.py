"""Token buckets: how much one participant, or one address that fails to prove itself, may ask for in a second.

Pure: the caller passes the time. A bucket may go into debt, so that a bulk batch larger than the burst is taken once and
then paid for, instead of never being possible.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    level: float
    at_s: float


class Throttle:
    """Buckets by name, each filling at ``rate_per_s`` up to ``burst``; holds at most ``limit`` names.

    A name that is forgotten starts with a full bucket again: the oldest names go first, and a full bucket is what they
    would have by then, unless more than ``limit`` names are active within one filling time.
    """

    __slots__ = ("_buckets", "_burst", "_limit", "_rate_per_s")

    def __init__(self, rate_per_s: float, burst: float, *, limit: int = 10_000) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._limit = limit
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, cost: float, now_s: float) -> float:
        """0 when the name may go on, and the cost is taken; otherwise the seconds until it may ask again."""
        wait_s = self.wait_s(name, now_s)
        if wait_s == 0.0:
            self._buckets[name].level -= cost
        return wait_s

    def wait_s(self, name: str, now_s: float) -> float:
        """Seconds until the bucket of the name holds one token; 0 when it does now. Takes nothing."""
        bucket = self._buckets.get(name)
        if bucket is None:
            self._make_room()
            bucket = self._buckets[name] = _Bucket(self._burst, now_s)
        elapsed_s = max(0.0, now_s - bucket.at_s)
        bucket.level = min(self._burst, bucket.level + elapsed_s * self._rate_per_s)
        bucket.at_s = now_s
        return 0.0 if bucket.level >= 1.0 else (1.0 - bucket.level) / self._rate_per_s

    def charge(self, name: str, cost: float, now_s: float) -> None:
        """Takes the cost whatever is there: for what is known only after it was done, a failed attempt for one."""
        self.wait_s(name, now_s)
        self._buckets[name].level -= cost

    def _make_room(self) -> None:
        while len(self._buckets) >= self._limit:
            del self._buckets[next(iter(self._buckets))]
