"""``ipx cases``: cases handed from organ to organ; each sub-command in a module of its own, loaded when it is named."""

from __future__ import annotations

import click

from services.commands.lazy import LazyGroup

COMMANDS = {
    "list": "services.commands.cases_list",
    "show": "services.commands.cases_show",
}


@click.command("cases", cls=LazyGroup, modules=COMMANDS)
def command() -> None:
    """Find cases, and see how one stands and who must act next. 案件。"""
