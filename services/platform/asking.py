"""One kept-alive client for the questions the platform asks its parts; a client of its own for each costs 30 ms a question."""

from __future__ import annotations

from functools import cache

from services.codec.http import HttpClient, Reply

TIMEOUT_S = 2.0


def ask(url: str) -> Reply:
    """The answer of a part; ``Transient`` when there is none in two seconds. Blocks."""
    return _client().send("GET", url)


@cache
def _client() -> HttpClient:
    return HttpClient(timeout_s=TIMEOUT_S)
