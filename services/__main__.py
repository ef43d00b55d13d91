"""The ``ipx`` command: names every sub-command and loads the one that is asked for."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from services.kernel.errors import IpxError, Refused

COMMANDS = {
    "admission": "services.commands.admission",
    "audit": "services.commands.audit",
    "bench": "services.commands.bench",
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


class LazyGroup(click.Group):
    """A group whose commands are imported when they are named, so that ``ipx --help`` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command by name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command with that name, imported now."""
        where = COMMANDS.get(cmd_name)
        if where is None:
            return None
        command: click.Command = import_module(where).command
        return command


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
