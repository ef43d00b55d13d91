"""RFC 6962 section 2.1 word for word, and nothing of ours: MTH, PATH, PROOF and SUBPROOF over the entries D[0:n].

Slow on purpose: each definition is the recursive one of the RFC. What is hashed once over the same entries is remembered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


class Definitions:
    """The four definitions over D, whose entry ``n`` is ``entry(n)``; D[a:b] is written as its bounds."""

    def __init__(self, entry: Callable[[int], bytes]) -> None:
        self._entry = entry
        self.mth = cache(self._mth)

    def _mth(self, a: int, b: int) -> bytes:
        if a == b:
            return hashlib.sha256(b"").digest()
        if b - a == 1:
            return hashlib.sha256(b"\x00" + self._entry(a)).digest()
        k = split(b - a)
        return hashlib.sha256(b"\x01" + self.mth(a, a + k) + self.mth(a + k, b)).digest()

    def path(self, m: int, a: int, b: int) -> list[bytes]:
        """PATH(m, D[a:b])."""
        if b - a == 1:
            return []
        k = split(b - a)
        if m < k:
            return [*self.path(m, a, a + k), self.mth(a + k, b)]
        return [*self.path(m - k, a + k, b), self.mth(a, a + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D[n]) for 0 < m < n."""
        return self.subproof(m, 0, n, True)

    def subproof(self, m: int, a: int, b: int, known: bool) -> list[bytes]:
        """SUBPROOF(m, D[a:b], known)."""
        n = b - a
        if m == n:
            return [] if known else [self.mth(a, b)]
        k = split(n)
        if m <= k:
            return [*self.subproof(m, a, a + k, known), self.mth(a + k, b)]
        return [*self.subproof(m - k, a + k, b, False), self.mth(a, a + k)]


class Sparse(Definitions):
    """The same over as many entries as one likes: all are empty but one, so a stretch without it has one root for its length."""

    def __init__(self, place: int) -> None:
        super().__init__(lambda n: b"here" if n == place else b"")
        self._place = place
        self._empty = cache(self._empty_of)

    def _mth(self, a: int, b: int) -> bytes:
        return super()._mth(a, b) if a <= self._place < b else self._empty(b - a)

    def _empty_of(self, n: int) -> bytes:
        if n <= 1:
            return hashlib.sha256(b"\x00" * n).digest()
        k = split(n)
        return hashlib.sha256(b"\x01" + self._empty(k) + self._empty(n - k)).digest()
