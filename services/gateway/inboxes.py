"""Inboxes as the event loop sees them: pages at once or after a wait, cursors judged, what was read acknowledged.

A page comes from the ring when the cursor is within it, otherwise from Kafka. A long poll ends with the first news, at
its time limit, or when the gateway stops: then with what there is, never with an error.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Protocol

from services.gateway.cursor import START, format_cursor, parse_cursor
from services.gateway.exchange import Reply
from services.gateway.problems import RateLimited
from services.gateway.rings import Item, Page, Ring, Rings
from services.kernel.errors import Refused, Transient

PAGE_BYTES = 8 << 20
MAX_LIMIT = 1_000
_OPEN_WITHIN_S = 2.0


class OldRecords(Protocol):
    """Where records that are older than a ring are read; both calls block."""

    def read(self, participant: str, after: int, limit: int, limit_bytes: int) -> Page:
        """A page from ``after`` on."""
        ...

    def end(self, participant: str) -> int:
        """The offset after the last record."""
        ...


class Positions(Protocol):
    """Acknowledged offsets."""

    def note(self, participant: str, offset: int) -> None:
        """Everything before the offset is acknowledged."""
        ...

    def position(self, participant: str) -> int:
        """The offset acknowledged last; blocks."""
        ...


class Inboxes:
    """Rings, those who wait for their news, and the two places in Kafka behind them."""

    def __init__(
        self,
        rings: Rings,
        old: OldRecords,
        positions: Positions,
        follow: Callable[[str], None],
        *,
        polls_per_participant: int,
    ) -> None:
        self._rings = rings
        self._old = old
        self._positions = positions
        self._follow = follow
        self._polls_per_participant = polls_per_participant
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._opening: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._stopping = False

    @property
    def waiting(self) -> int:
        """How many requests wait for news now."""
        return sum(len(futures) for futures in self._waiting.values())

    async def followed(self, participant: str) -> Ring:
        """The ring of an inbox that is followed when this returns; ``Transient`` when it is not within two seconds."""
        self._follow(participant)
        ring = self._rings.get(participant)
        if ring is None:
            opening = self._opening[participant]
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            opening.add(future)
            try:
                async with asyncio.timeout(_OPEN_WITHIN_S):
                    await future
            except TimeoutError as error:
                raise Transient("the inbox is not followed yet") from error
            finally:
                opening.discard(future)
            ring = self._rings.get(participant)
        if ring is None:
            raise Transient("the gateway is stopping")
        return ring

    def open(self, participant: str, start: int) -> None:
        """An inbox is followed from this offset on."""
        self._rings.open(participant, start)
        for future in tuple(self._opening.pop(participant, ())):
            _end(future)

    def close(self, participant: str) -> None:
        """An inbox is not followed any more."""
        self._rings.close(participant)

    def extend(self, news: Mapping[str, list[Item]]) -> None:
        """Records came; whoever waits for them is woken."""
        for participant, items in news.items():
            self._rings.extend(participant, items)
            self._wake(participant)

    def stop(self) -> None:
        """Ends every wait, now and from now on."""
        self._stopping = True
        for participant in list(self._waiting):
            self._wake(participant)
        for future in [future for opening in self._opening.values() for future in opening]:
            _end(future)

    async def read(self, participant: str, after: str | None, limit: int, wait_s: float) -> Reply:
        """One page and the cursor that follows it, as JSON.

        Without a cursor: from what was acknowledged last; ``start``: from the oldest record kept. Refuses
        ``bad-request`` a cursor of another inbox or of a record that is not there yet; ``rate-limited`` more waits at
        once than a participant may have; ``Transient`` when Kafka is needed and away.
        """
        ring = await self.followed(participant)
        offset = await self._begin(participant, after, ring)
        page = await self._page(participant, ring, offset, limit)
        if not page.items and wait_s > 0:
            page = await self._wait(participant, ring, page.next_offset, limit, wait_s)
        cursor = format_cursor(participant, page.next_offset).encode()
        return Reply(200, b'{"items":[' + b",".join(page.items) + b'],"cursor":"' + cursor + b'"}')

    async def _begin(self, participant: str, after: str | None, ring: Ring) -> int:
        if after is None:
            return await asyncio.to_thread(self._positions.position, participant)
        if after == START:
            return 0
        offset = parse_cursor(after, participant)
        if offset > ring.end and offset > await asyncio.to_thread(self._old.end, participant):
            raise Refused("bad-request", "after: the cursor is ahead of everything in this inbox", field="after")
        self._positions.note(participant, offset)
        return offset

    async def _page(self, participant: str, ring: Ring, offset: int, limit: int) -> Page:
        page = ring.page(offset, limit, PAGE_BYTES)
        if page is None:
            page = await asyncio.to_thread(self._old.read, participant, offset, limit, PAGE_BYTES)
            if not page.items:  # news may have come while Kafka was asked
                page = ring.page(page.next_offset, limit, PAGE_BYTES) or page
        return page

    async def _wait(self, participant: str, ring: Ring, offset: int, limit: int, wait_s: float) -> Page:
        waiting = self._waiting[participant]
        if len(waiting) >= self._polls_per_participant:
            raise RateLimited(f"{len(waiting)} requests wait for this inbox already", 1.0)
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + wait_s
        page = Page((), offset)
        while not page.items and not self._stopping and (left_s := deadline_s - loop.time()) > 0:
            future: asyncio.Future[None] = loop.create_future()
            waiting.add(future)
            timer = loop.call_later(left_s, _end, future)
            try:
                await future
            finally:
                timer.cancel()
                waiting.discard(future)
            page = await self._page(participant, ring, page.next_offset, limit)
        return page

    def _wake(self, participant: str) -> None:
        for future in tuple(self._waiting.get(participant, ())):
            _end(future)


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
