"""The files of the logs over HTTP: checkpoints, tiles and entry bundles, as C2SP tlog-tiles lays them out, and how each log stands.

Specification: ``services/ledger/FORMAT.md`` sections 6.3 and 6.5. Checkpoints and hash tiles are open, since a proof is for strangers; entry bundles name
participants and need a token. Nothing but a path that the formatter of tiles would write is looked up in the file system.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.codec.checkpoint import log_of_origin
from services.codec.tiles import WIDTH, bundle_path, tile_path
from services.gateway.exchange import Incoming, Reply
from services.gateway.problems import RateLimited
from services.gateway.throttle import Throttle
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.kernel.ports import Clock
from services.ledger.files import LogFiles, origins
from services.ledger.standing import Standing, standing_of

NOTE_TYPE = b"text/plain; charset=utf-8"
TILE_TYPE = b"application/octet-stream"
LISTED_S = 1.0
"""How long a list of the logs is given out again: it reads two notes of every log."""

_MOMENT = (b"cache-control", b"public, max-age=1")
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
_FOR_EVER_OWN = (b"cache-control", b"private, max-age=31536000, immutable")
_LEVEL = re.compile(r"0|[1-9][0-9]?")
_INDEX = re.compile(r"((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


class LogPages:
    """The handlers of ``GET /v1/log…``."""

    def __init__(
        self,
        ledger_dir: Path,
        exchange: str,
        principal: Callable[[Incoming], str],
        strangers: Throttle,
        monotonic_s: Callable[[], float],
        clock: Clock,
        policy: Callable[[], bytes],
        *,
        stale_s: float,
    ) -> None:
        """``principal`` proves who asks for entries; ``strangers`` bounds by address what is open; ``policy`` may raise ``Transient``."""
        self._directory = ledger_dir
        self._exchange = exchange
        self._principal = principal
        self._strangers = strangers
        self._monotonic_s = monotonic_s
        self._clock = clock
        self._policy = policy
        self._stale_s = stale_s
        self._listed: tuple[float, Reply] | None = None

    async def logs(self, incoming: Incoming) -> Reply:
        """``GET /v1/log``: every log that has entries, its size, what is witnessed, its state."""
        self._bound(incoming)
        now_s = self._monotonic_s()
        if self._listed is None or now_s - self._listed[0] > LISTED_S:
            self._listed = (now_s, await asyncio.to_thread(self._list))
        return self._listed[1]

    async def policy(self, incoming: Incoming) -> Reply:
        """``GET /v1/log/policy``: the exchange's own policy as tlog-policy text. Whoever verifies decides which policy it believes."""
        self._bound(incoming)
        return Reply(200, await asyncio.to_thread(self._policy), NOTE_TYPE, (_MOMENT,))

    async def checkpoint(self, incoming: Incoming) -> Reply:
        """``GET …/checkpoint``: the last signed checkpoint; refuses ``not-found`` before the first."""
        return await self._note(incoming, LogFiles.checkpoint)

    async def witnessed(self, incoming: Incoming) -> Reply:
        """``GET …/witnessed``: the last checkpoint that met the quorum; refuses ``not-found`` before the first."""
        return await self._note(incoming, LogFiles.witnessed)

    async def candidate(self, incoming: Incoming) -> Reply:
        """``GET …/candidate``: the checkpoint that witnesses are to cosign now; refuses ``not-found`` before the first."""
        return await self._note(incoming, LogFiles.candidate)

    async def tile(self, incoming: Incoming) -> Reply:
        """``GET …/tile/{level}/{index}``: a hash tile, full or partial; refuses ``not-found`` one that is not there."""
        self._bound(incoming)
        level, index, width = incoming.path_values["level"], *_index_of(incoming.path_values["index"])
        if _LEVEL.fullmatch(level) is None:
            raise _not_there()
        return await self._file(incoming, tile_path(int(level), index, width), _FOR_EVER)

    async def bundle(self, incoming: Incoming) -> Reply:
        """``GET …/tile/entries/{index}``: an entry bundle, for participants; refuses ``not-found`` one that is not there."""
        self._principal(incoming)
        return await self._file(incoming, bundle_path(*_index_of(incoming.path_values["index"])), _FOR_EVER_OWN)

    async def _note(self, incoming: Incoming, read: Callable[[LogFiles], bytes | None]) -> Reply:
        self._bound(incoming)
        note = await asyncio.to_thread(read, self._files(incoming))
        if note is None:
            raise Refused("not-found", "there is no such checkpoint of this log yet")
        return Reply(200, note, NOTE_TYPE, (_MOMENT,))

    async def _file(self, incoming: Incoming, path: str, kept: tuple[bytes, bytes]) -> Reply:
        if not incoming.path.endswith(f"/{path}"):
            raise _not_there()  # another spelling of the same place
        data = await asyncio.to_thread(self._files(incoming).read, path)
        if data is None:
            raise _not_there()
        return Reply(200, data, TILE_TYPE, (kept,))

    def _files(self, incoming: Incoming) -> LogFiles:
        return LogFiles(self._directory / origin_asked_for(incoming, self._exchange))

    def _bound(self, incoming: Incoming) -> None:
        incoming.query(())
        wait_s = self._strangers.take(incoming.peer, 1.0, self._monotonic_s())
        if wait_s > 0:
            raise RateLimited("this address asks more often than it may", wait_s)

    def _list(self) -> Reply:
        now_ms = self._clock.now_ms()
        found = [
            standing_of(LogFiles(self._directory / origin), origin, now_ms, self._stale_s)
            for origin in origins(self._directory)
            if origin.startswith(f"{self._exchange}/")
        ]
        document = {"exchange": self._exchange, "logs": [log_document(standing) for standing in found]}
        return Reply(200, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(), headers=(_MOMENT,))


def log_document(standing: Standing) -> dict[str, Any]:
    """One log of the list; what has no value is left out."""
    document: dict[str, Any] = {
        "origin": standing.origin,
        "log": log_of_origin(standing.origin),
        "size": standing.size,
        "witnessed_size": standing.witnessed_size,
        "cosigners": list(standing.cosigners),
        "state": standing.state,
    }
    if standing.checkpoint is not None:
        document["root"] = f"sha256:{standing.checkpoint.root.hex()}"
    if standing.waiting_since_ms is not None:
        document["waiting_since"] = format_instant(standing.waiting_since_ms)
    return document


def origin_asked_for(incoming: Incoming, exchange: str) -> str:
    """The origin in the path; refuses ``not-found`` what is no log of this exchange."""
    values = incoming.path_values
    origin = f"{values['exchange']}/{values['family']}/{values['partition']}"
    try:
        log_of_origin(origin)
    except Refused as refused:
        raise _not_there() from refused
    if values["exchange"] != exchange:
        raise _not_there()
    return origin


def _index_of(path: str) -> tuple[int, int]:
    """Index and width of a tile by the end of its path; refuses ``not-found`` what is none."""
    match = _INDEX.fullmatch(path)
    width = WIDTH if match is None or match[3] is None else int(match[3])
    if match is None or (match[3] is not None and width >= WIDTH):
        raise _not_there()
    return int((match[1] + match[2]).replace("x", "").replace("/", "")), width


def _not_there() -> Refused:
    return Refused("not-found", "this log has no such file")
