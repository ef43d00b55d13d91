"""``ipx clocks``: statutory terms, when they end and why; each sub-command in a module of its own, loaded when it is named."""

from __future__ import annotations

import click

from services.commands.lazy import LazyGroup

COMMANDS = {
    "explain": "services.commands.clocks_explain",
    "list": "services.commands.clocks_list",
}


@click.command("clocks", cls=LazyGroup, modules=COMMANDS)
def command() -> None:
    """Ask when a term ends, and why. 期限。"""
