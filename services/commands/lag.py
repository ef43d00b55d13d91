"""``ipx lag``: how far each participant and each part is behind."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from services.clues.worker import ROOM as CLUES
from services.platform.lag import Lag, measure
from services.receipts.worker import ROOM as RECEIPTS
from services.runtime.settings import CommonSettings
from services.runtime.shell import clock_of
from services.runtime.topic_admin import open_admin
from services.runtime.topics import load_topics
from services.transfers.worker import ROOM as TRANSFERS

ROOMS = {room.name: room.families for room in (CLUES, RECEIPTS, TRANSFERS)}


@click.command("lag")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where data, logs and state are kept [.ipx].")
def command(as_json: bool, state_dir: Path | None) -> None:
    """Tell how far each participant and each part is behind, in records and in seconds.

    A participant is behind by what its node has not acknowledged; admission and the rooms by what they have not
    processed. Seconds are the age of the oldest unread record. `≤` marks a number that counts transaction markers too.
    """
    settings = CommonSettings.load(state_dir=state_dir)
    with open_admin(settings, timeout_ms=5_000) as admin:
        found = measure(settings, admin, load_topics().families, ROOMS, clock_of(settings.clock_file).now_ms())
    if as_json:
        click.echo(json.dumps(document(settings.exchange_name, found), ensure_ascii=False))
    else:
        Console().print(_table(found))


def document(exchange: str, found: tuple[Lag, ...]) -> dict[str, object]:
    """The JSON form: parts and participants by name."""
    rows = {kind: {lag.name: _row(lag) for lag in found if lag.kind == kind} for kind in ("part", "participant")}
    return {"exchange": exchange, "parts": rows["part"], "participants": rows["participant"]}


def _row(lag: Lag) -> dict[str, object]:
    return {name: value for name, value in asdict(lag).items() if name not in ("kind", "name")}


def _table(found: tuple[Lag, ...]) -> Table:
    table = Table("who", "what", box=None, padding=(0, 2, 0, 0))
    table.add_column("records", justify="right")
    table.add_column("seconds", justify="right")
    for lag in found:
        colour = "yellow" if lag.records else "green"
        records = f"{'' if lag.exact else '≤ '}{lag.records}"
        table.add_row(lag.name, lag.kind, f"[{colour}]{records}[/]", f"{lag.seconds:.1f}")
    return table
