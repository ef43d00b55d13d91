"""A city's HTTP endpoint that takes everything at once and notes when it came: the end of ``ipx bench latency``.

As little as can be between socket and clock, since it runs beside what is measured: one callback a request, no framework.
It talks as the city system of ``connectors/cities/330100`` does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import httptools

from services.kernel.errors import Transient

DIALECT = "330100"
KEY_HEADER = "Mideng-Jian"
BARE_PATH = "/bare"
_NOTHING_NEW = {"jieguo": {"zhuangtai": "CHENGGONG"}, "shuju": {"shijianLiebiao": [], "youbiao": "0", "haiyou": False}}


class Arrivals:
    """When each key came first, by the clock of the event loop; and how often something came again."""

    def __init__(self) -> None:
        self.at_s: dict[str, float] = {}
        self.again = 0

        self._last_s = 0.0

    async def quiet(self, quiet_s: float, within_s: float) -> None:
        """Returns when nothing has come for so long; ``Transient`` when that is not so in time."""
        loop = asyncio.get_running_loop()
        began_s = self._last_s = loop.time()
        while (now_s := loop.time()) - self._last_s < quiet_s:
            if now_s - began_s > within_s:
                raise Transient(
                    f"something came to the endpoint all the time for {within_s:g} s; is the exchange in use?"
                )
            await asyncio.sleep(quiet_s / 10)

    def note(self, key: str, at_s: float) -> None:
        """Notes one arrival."""
        self._last_s = at_s
        if key in self.at_s:
            self.again += 1
        else:
            self.at_s[key] = at_s


class _Connection(asyncio.Protocol):
    """One kept-alive connection; httptools calls the ``on_…`` methods."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._key = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._key = ""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == KEY_HEADER.lower().encode():
            self._key = value.decode("ascii", "replace")

    def on_message_complete(self) -> None:
        if self._key:
            self._arrivals.note(self._key, self._loop.time())
            self._answer({"jieguo": {"zhuangtai": "CHENGGONG"}, "shouliBianhao": f"HZ-{self._key}"})
        else:
            self._answer(_NOTHING_NEW)

    def _answer(self, document: Mapping[str, Any]) -> None:
        body = json.dumps(document).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        if self._transport is not None:
            self._transport.write(head.encode() + body)


async def open_sink(arrivals: Arrivals) -> tuple[asyncio.Server, str]:
    """A listening sink on loopback, and its address."""
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(arrivals), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, f"http://127.0.0.1:{port}"
