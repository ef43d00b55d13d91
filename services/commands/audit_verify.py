"""``ipx audit verify``: checks an evidence file with nothing else at hand."""

from __future__ import annotations

import click


@click.command("verify")
def command() -> None:
    """Check an evidence file. 核验证据文件。"""
