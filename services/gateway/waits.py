"""Who waits for the outcome of which event: ``POST /v1/events?wait=``, resolved from the outcome records of admission.

Used by the event loop alone. An outcome names the statement that it is about, so a waiter is never answered with the
outcome of another statement that used the same id.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from services.events.receipt import OutcomeItem

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Awaited:
    """One event of a source whose outcome is wanted; ``statement`` is ``sha256:<hex>``."""

    source: str
    event: str
    statement: str


class Waits:
    """Waiters by source and event, and the last outcomes seen."""

    __slots__ = ("_recent", "_recent_limit", "_stopping", "_waiting")

    def __init__(self, recent_limit: int = 10_000) -> None:
        self._waiting: dict[Key, list[tuple[str, asyncio.Future[OutcomeItem]]]] = {}
        self._recent: OrderedDict[Key, OutcomeItem] = OrderedDict()
        self._recent_limit = recent_limit
        self._stopping = False

    def expect(self, awaited: Awaited) -> asyncio.Future[OutcomeItem]:
        """A future of the outcome, to be asked for before the event is produced and given to :meth:`forget`.

        It is cancelled when the gateway stops.
        """
        future: asyncio.Future[OutcomeItem] = asyncio.get_running_loop().create_future()
        if self._stopping:
            future.cancel()
        self._waiting.setdefault((awaited.source, awaited.event), []).append((awaited.statement, future))
        return future

    def forget(self, awaited: Awaited, future: asyncio.Future[OutcomeItem]) -> None:
        """Ends the wait, whether it was answered or not."""
        key = (awaited.source, awaited.event)
        left = [pair for pair in self._waiting.get(key, ()) if pair[1] is not future]
        if left:
            self._waiting[key] = left
        else:
            self._waiting.pop(key, None)

    def resolve(self, source: str, outcomes: Iterable[OutcomeItem]) -> None:
        """Answers whoever waits for one of these outcomes and remembers them."""
        for item in outcomes:
            key = (source, item.event)
            for statement, future in self._waiting.get(key, ()):
                if not future.done() and item.statement in (None, statement):
                    future.set_result(item)
            self._remember(key, item)

    def stop(self) -> None:
        """Ends every wait without an answer, now and from now on."""
        self._stopping = True
        for waiting in self._waiting.values():
            for _, future in waiting:
                future.cancel()

    def recent(self, source: str, event: str) -> OutcomeItem | None:
        """The outcome of an event, if it is among the last ones seen."""
        return self._recent.get((source, event))

    def __len__(self) -> int:
        return len(self._waiting)

    def _remember(self, key: Key, item: OutcomeItem) -> None:
        known = self._recent.get(key)
        if known is None or supersedes(item.outcome, known.outcome):
            self._recent[key] = item
        while len(self._recent) > self._recent_limit:
            self._recent.popitem(last=False)


def supersedes(new: str, old: str) -> bool:
    """Whether a later outcome of an id says more than an earlier one: what was admitted stays so, and an answer to a
    repeat (``duplicate``, ``conflict``) does not change what became of the first. A refused event may be sent again."""
    return old != "admitted" and new not in ("duplicate", "conflict")
