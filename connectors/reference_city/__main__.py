"""``python -m connectors.reference_city --config city.toml``: runs one reference city system until it is told to stop.

Prints one JSON line with its address when it is ready, and listens on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from .app import HANG_UP, build_app
from .config import Config, load_config

_LOOPBACK = "127.0.0.1"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HangUp:
    """Closes the connection without a word where the application says so.

    ASGI knows no way to do that, so the server's own transport is used: a system that is down says nothing, and 503
    would be an answer.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        transport = getattr(getattr(send, "__self__", None), "transport", None)

        gone = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal gone
            headers = message.get("headers", ())
            if transport is not None and any(name == HANG_UP.encode() for name, _ in headers):
                transport.abort()
                gone = True
            if not gone:
                await send(message)

        await self._app(scope, receive, watched)


def main(arguments: list[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m connectors.reference_city", description=__doc__)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--port", type=int, default=None, help="overrides the port of the file; 0 takes a free one")
    given = parser.parse_args(arguments)
    config = load_config(given.config)
    listener = _listen(config.port if given.port is None else given.port)
    server = uvicorn.Server(_server_config(config))
    uvloop.run(_serve(server, listener, config))
    return 0


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off only for a socket that names its protocol; with it on every answer takes 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_LOOPBACK, port))
    listener.listen(512)
    return listener


def _server_config(config: Config) -> uvicorn.Config:
    tls: dict[str, Any] = {}
    if config.tls is not None:
        tls = {"ssl_certfile": config.tls.certificate, "ssl_keyfile": config.tls.key}
        if config.tls.client_authorities:
            tls |= {"ssl_ca_certs": config.tls.client_authorities, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return uvicorn.Config(
        HangUp(build_app(config)), log_level="critical", access_log=False, lifespan="on", timeout_keep_alive=60, **tls
    )


async def _serve(server: uvicorn.Server, listener: socket.socket, config: Config) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.02)
    if server.started:
        scheme = "http" if config.tls is None else "https"
        port = listener.getsockname()[1]
        print(json.dumps({"city": config.name, "url": f"{scheme}://{_LOOPBACK}:{port}", "port": port}), flush=True)  # noqa: T201
    await serving


if __name__ == "__main__":
    sys.exit(main())
