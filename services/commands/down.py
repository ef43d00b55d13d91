"""``ipx down``: stop what ``ipx up`` started."""

from __future__ import annotations

from pathlib import Path

import click

from services.platform import launch
from services.platform.layout import Layout
from services.platform.settings import PlatformSettings


@click.command("down")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where data, logs and state are kept [.ipx].")
def command(state_dir: Path | None) -> None:
    """Stop every part, in reverse order, and say what was stopped. Data stays for the next start."""
    layout = Layout(PlatformSettings.load(state_dir=state_dir).state_dir)
    stopped = launch.stop(layout)
    if stopped.supervisor_was_gone:
        click.echo("the supervisor was gone; its parts were still running")
    if stopped.parts:
        click.echo(f"stopped: {', '.join(reversed(stopped.parts))}")
    else:
        click.echo(f"nothing was running in {layout.root}")
