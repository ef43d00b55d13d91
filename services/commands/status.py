"""``ipx status``: how each part is."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.platform.layout import Layout
from services.platform.look import Seen, Sight, look
from services.platform.settings import PlatformSettings

WIDTH = 160
"""Of the table when nobody looks at it in a terminal."""

_COLOURS = {"ready": "green", "external": "green", "unwell": "red", "restarting": "red"}


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where data, logs and state are kept [.ipx].")
def command(as_json: bool, state_dir: Path | None) -> None:
    """Tell how each part is: its state, process, port, since when, restarts, and what is wrong.

    Every part that runs is asked whether it answers. Works when nothing runs. The JSON has `condition` (up, starting,
    down, abandoned), `ready`, and `parts` by name.
    """
    settings = PlatformSettings.load(state_dir=state_dir)
    layout = Layout(settings.state_dir)
    sight = look(layout, settings)
    if as_json:
        click.echo(json.dumps(document(sight), ensure_ascii=False))
    else:
        _show(sight, layout)


def document(sight: Sight) -> dict[str, object]:
    """The JSON form; addresses with passwords are not in it."""
    return {
        "condition": sight.condition,
        "ready": sight.ready,
        "exchange": sight.exchange,
        "supervisor_pid": sight.supervisor_pid,
        "bootstrap": sight.bootstrap,
        "parts": {part.name: {k: v for k, v in asdict(part).items() if k != "name"} for part in sight.parts},
    }


def _show(sight: Sight, layout: Layout) -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    words = {
        "down": "nothing runs here; `ipx up` starts it",
        "abandoned": "parts run without their supervisor; `ipx down` ends them",
    }
    console.print(f"{sight.exchange} in {layout.root}: {words.get(sight.condition, sight.condition)}", highlight=False)
    if not sight.parts:
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("part", "state", "pid", "port", "since", "restarts"):
        table.add_column(title, no_wrap=True)
    table.add_column("error", overflow="fold")
    for part in sight.parts:
        table.add_row(*_row(part))
    console.print(table)
    if sight.bootstrap not in ("done", "never") and sight.condition == "starting":
        console.print(f"bootstrap: {sight.bootstrap}; log {layout.log('bootstrap')}", highlight=False)


def _row(part: Seen) -> tuple[str, ...]:
    colour = _COLOURS.get(part.condition, "yellow")
    since = datetime.fromtimestamp(part.since_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if part.since_ms else "-"
    return (
        part.name,
        f"[{colour}]{part.condition}[/]",
        str(part.pid or "-"),
        str(part.port or "-"),
        since,
        str(part.restarts),
        escape((part.error or "").partition("\n")[0][:200]),
    )
