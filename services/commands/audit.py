"""``ipx audit``: proofs of single events and of the whole log; each sub-command in a module of its own, loaded when it is named."""

from __future__ import annotations

import click

from services.commands.lazy import LazyGroup

COMMANDS = {
    "evidence": "services.commands.audit_evidence",
    "export": "services.commands.audit_export",
    "fsck": "services.commands.audit_fsck",
    "replay": "services.commands.audit_replay",
    "verdicts": "services.commands.audit_verdicts",
    "verify": "services.commands.audit_verify",
    "verify-log": "services.commands.audit_verify_log",
}


@click.command("audit", cls=LazyGroup, modules=COMMANDS)
def command() -> None:
    """Prove what was sent, to anybody, from files alone. 审计与存证。"""
