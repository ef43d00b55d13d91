"""``ipx audit evidence``: one event with everything that proves it, as a file."""

from __future__ import annotations

import click


@click.command("evidence")
def command() -> None:
    """Write the evidence of an event. 导出事件证据。"""
