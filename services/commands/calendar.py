"""``ipx calendar``: the notices of days off on the members log; each sub-command in a module of its own, loaded when it is named."""

from __future__ import annotations

import click

from services.commands.lazy import LazyGroup

COMMANDS = {
    "load": "services.commands.calendar_load",
    "show": "services.commands.calendar_show",
}


@click.command("calendar", cls=LazyGroup, modules=COMMANDS)
def command() -> None:
    """Show and publish the working days of a year. 节假日安排。"""
