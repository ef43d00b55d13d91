"""The ``ipx`` command: names every sub-command and loads the one that is asked for."""

from __future__ import annotations

import sys

import click

from services.commands.lazy import LazyGroup
from services.kernel.errors import IpxError, Refused

COMMANDS = {
    "admission": "services.commands.admission",
    "audit": "services.commands.audit",
    "bench": "services.commands.bench",
    "calendar": "services.commands.calendar",
    "cases": "services.commands.cases",
    "clocks": "services.commands.clocks",
    "demo": "services.commands.demo",
    "down": "services.commands.down",
    "gateway": "services.commands.gateway",
    "lag": "services.commands.lag",
    "ledger": "services.commands.ledger",
    "members": "services.commands.members",
    "node": "services.commands.node",
    "platform": "services.commands.platform",
    "relay": "services.commands.relay",
    "room": "services.commands.room",
    "schemas": "services.commands.schemas",
    "status": "services.commands.status",
    "topics": "services.commands.topics",
    "up": "services.commands.up",
}


@click.command(cls=LazyGroup, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ipx")
def ipx() -> None:
    """IPX: the event exchange for intellectual property protection. 区域知识产权保护协作交换。

    Start with `ipx demo`, or `ipx up`, `ipx status`, `ipx down`.
    """


def main() -> None:
    """Runs the command; a known error is one line on stderr and exit code 1, never a traceback."""
    try:
        ipx()
    except IpxError as error:
        field = f" (field {error.field})" if isinstance(error, Refused) and error.field else ""
        click.echo(f"ipx: {error.code}{field}: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
