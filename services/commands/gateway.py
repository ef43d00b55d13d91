"""``ipx gateway``: the HTTP and Kafka doors."""

from __future__ import annotations

import click

from services.gateway.server import run as serve
from services.gateway.settings import GatewaySettings

command = click.Group("gateway", help="The doors through which participants publish and read. 网关。")


@command.command("run")
def run() -> None:
    """Serve until SIGTERM. 启动网关。

    Reads IPX_GATEWAY_HOST (127.0.0.1), IPX_GATEWAY_PORT (8480) and the other IPX_GATEWAY_… settings. Other machines are
    served only with IPX_GATEWAY_TLS_CERTFILE and IPX_GATEWAY_TLS_KEYFILE, or behind a TLS proxy.
    """
    serve(GatewaySettings.load())
