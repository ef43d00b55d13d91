"""The members log over HTTP: followed, verified entry by entry from the root key on, folded (services/members)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from connectors.node.gateway import Gateway
from connectors.node.site import wait_for
from connectors.node.telling import Teller
from connectors.node.verify import LATEST, MembersBehind
from services.codec.envelope import Envelope
from services.kernel.errors import Transient
from services.members.history import History
from services.members.registry import Registry

CHECK = "members"
Keep = Callable[[int, Sequence[Envelope]], Awaitable[None]]
"""Stores verified records, the first of which has that number."""


class Members:
    """Asks again every ``poll_s``, and at once when somebody needs more. ``Corrupt`` when an entry does not verify: the node stops."""

    def __init__(
        self,
        gateway: Gateway,
        history: History,
        participant: str,
        teller: Teller,
        poll_s: float = 5.0,
        keep: Keep | None = None,
    ) -> None:
        self._gateway = gateway
        self._history = history
        self._participant = participant
        self._teller = teller
        self._poll_s = poll_s
        self._keep = keep
        self._wanted = asyncio.Event()
        self._grown = asyncio.Condition()
        self._reading = asyncio.Lock()

    def registry_at(self, size: int) -> Registry:
        """The registry as of that size of the log; ``MembersBehind`` when so much has not been read."""
        if size == LATEST:
            return self._history.latest
        if size > self._history.size:
            raise MembersBehind(size)
        return self._history.at(size)

    @property
    def size(self) -> int:
        """How much of the log has been read."""
        return self._history.size

    async def catch_up(self) -> None:
        """Reads on to the present end; ``Transient`` when the gateway is away."""
        while await self.once():
            pass

    async def reach(self, size: int, limit_s: float = 10.0) -> None:
        """Waits until that much has been read; ``Transient`` when it has not been within the limit."""
        self._wanted.set()
        try:
            async with asyncio.timeout(limit_s), self._grown:
                await self._grown.wait_for(lambda: self._history.size >= size)
        except TimeoutError as error:
            raise Transient(f"the members log has been read up to {self._history.size}, {size} is needed") from error

    async def run(self) -> None:
        """Follows until it is cancelled."""
        while True:
            try:
                await self.catch_up()
                self._teller.healthy(CHECK, None if self._history.size else "the members log is empty")
            except Transient as error:
                self._teller.healthy(CHECK, str(error))
                self._teller.warning("the members log could not be read", error=type(error).__name__, reason=str(error))
            await wait_for(self._wanted, self._poll_s)

    async def once(self) -> bool:
        """Reads one page; whether it brought anything."""
        async with self._reading:
            start = self._history.size
            page = await self._gateway.members(self._participant, start)
            for envelope in page.envelopes:
                self._history.append(envelope)
            if page.envelopes and self._keep is not None:
                await self._keep(start, page.envelopes)
        if page.envelopes:
            async with self._grown:
                self._grown.notify_all()
        return bool(page.envelopes)
