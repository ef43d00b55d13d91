"""``ipx audit``: proofs of single events and of the whole log; each sub-command in a module of its own, loaded when it is named."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = {
    "evidence": "services.commands.audit_evidence",
    "export": "services.commands.audit_export",
    "fsck": "services.commands.audit_fsck",
    "replay": "services.commands.audit_replay",
    "verify": "services.commands.audit_verify",
    "verify-log": "services.commands.audit_verify_log",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are named: ``ipx audit verify`` needs no broker library."""

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


@click.command("audit", cls=LazyGroup)
def command() -> None:
    """Prove what was sent, to anybody, from files alone. 审计与存证。"""
