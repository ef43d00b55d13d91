"""The small exchange of the unit tests behind the gateway's HTTP interface, for tests of a node process without Kafka.

A thread of the test process on loopback. It checks tokens as the gateway does and hands out what the small exchange holds.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.codec.token import verify
from services.kernel.errors import Refused
from services.runtime.shell import SystemClock
from tests.unit.connectors.small_exchange import NAME, SmallExchange
from tests.unit.connectors.small_log import SmallLog

POLL_S = 0.02


@dataclass
class SmallGateway:
    """``url`` is where it listens; ``closed`` makes it answer 503 to everything; ``outcomes`` counts what was decided, ``cosigned`` keeps what witnesses
    posted about ``logs``."""

    exchange: SmallExchange
    url: str = ""
    closed: bool = False
    outcomes: dict[str, int] = field(default_factory=dict)
    logs: dict[str, SmallLog] = field(default_factory=dict)
    cosigned: list[tuple[str, str, bytes]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def who(self, request: Request) -> str:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return verify(token, self.exchange.history.latest.key, NAME, SystemClock().now_ms()).participant

    async def publish(self, request: Request) -> Response:
        sender = self.who(request)
        documents = json.loads(await request.body())
        with self.lock:
            for document in documents:
                assert document["source"] == sender
                word = self.exchange.propose(document)
                self.outcomes[word] = self.outcomes.get(word, 0) + 1
        return JSONResponse({"ids": [document["id"] for document in documents]}, status_code=202)

    async def inbox(self, request: Request) -> Response:
        participant, query = self.who(request), request.query_params
        left_s = float(query.get("wait", "0"))
        while True:
            with self.lock:
                page = self.exchange.inbox_page(participant, query.get("after", ""), int(query.get("limit", "100")))
            if json.loads(page)["items"] or left_s <= 0 or self.closed:
                return Response(page, media_type="application/json")
            await asyncio.sleep(POLL_S)
            left_s -= POLL_S

    async def members(self, request: Request) -> Response:
        self.who(request)
        return Response(self.exchange.members_page(int(request.query_params.get("after", "0"))))

    async def list_logs(self, request: Request) -> Response:
        self.who(request)
        with self.lock:
            found = [
                {"origin": origin, "size": log.size, "root": f"sha256:{log.root().hex()}"}
                for origin, log in self.logs.items()
            ]
        return JSONResponse({"logs": found})

    async def log_file(self, request: Request) -> Response:
        self.who(request)
        path = request.path_params["path"]
        with self.lock:
            for origin, log in self.logs.items():
                if path.startswith(f"{origin}/") and (data := log.read(path.removeprefix(f"{origin}/"))) is not None:
                    return Response(data, media_type="application/octet-stream")
        return JSONResponse({"code": "not-found"}, status_code=404)

    async def cosignature(self, request: Request) -> Response:
        origin = request.path_params["path"].removesuffix("/cosignatures")
        self.cosigned.append((self.who(request), origin, await request.body()))
        return JSONResponse({"taken": 1}, status_code=202)

    def app(self) -> Any:
        routes = [
            Route("/v1/events", self.guarded(self.publish), methods=["POST"]),
            Route("/v1/inbox", self.guarded(self.inbox)),
            Route("/v1/members", self.guarded(self.members)),
            Route("/v1/log", self.guarded(self.list_logs)),
            Route("/v1/log/{path:path}", self.guarded(self.log_file)),
            Route("/v1/log/{path:path}", self.guarded(self.cosignature), methods=["POST"]),
        ]
        return Starlette(routes=routes)

    def guarded(self, handler: Any) -> Any:
        async def handle(request: Request) -> Response:
            if self.closed:
                return JSONResponse({"code": "unavailable"}, status_code=503, headers={"retry-after": "1"})
            try:
                found: Response = await handler(request)
            except Refused as error:
                return JSONResponse({"code": error.code, "detail": error.message}, status_code=401)
            return found

        return handle


@contextmanager
def small_gateway(exchange: SmallExchange) -> Iterator[SmallGateway]:
    """Serves the exchange on a free loopback port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    made = SmallGateway(exchange, f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(
        uvicorn.Config(made.app(), log_level="critical", access_log=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.closed = True
        server.should_exit = True
        thread.join(10)
