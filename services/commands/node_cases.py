"""``ipx node cases``: the cases of a node, computed from its own copies, and where the exchange told otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from connectors.node import case_report, report
from connectors.node.casebook import Casebook
from connectors.node.config import load_config, read_root_key
from services.cases.laws import load_laws
from services.commands.times import Time
from services.kernel.instants import format_instant
from services.runtime.settings import CommonSettings
from services.runtime.shell import clock_of


@click.command("cases")
@click.option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path),
    help="The node's configuration, node.toml.",
)
@click.option("--case", help="Only this one: its subject, TR-… .")
@click.option("--at", "asked_ms", type=Time(), metavar="TIME", help="Judge the clocks at this time; now unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def cases(config_path: Path, case: str | None, asked_ms: int | None, as_json: bool) -> None:
    """Compute the cases from the node's own copies, and say where the exchange told otherwise. 自行计算的案件期限。

    Nothing is asked of the exchange: entries, members log and rules are the node's own. The digest is that of the verdict document in the
    form of RFC 8785; `ipx audit verdicts` gives the same at the same time. Exit code 1 when the exchange told of a clock otherwise.
    """
    config = load_config(config_path)
    settings = CommonSettings.load()
    root = read_root_key(config.node.root_key or settings.root_key)
    at_ms = clock_of(settings.clock_file).now_ms() if asked_ms is None else asked_ms
    with report.opened(config.database) as db:
        book = Casebook(load_laws(), case_report.history(config, db, settings.exchange_name, root))
        rows = case_report.cases(config, db, book, case=case, at_ms=at_ms)
    if as_json:
        found = {"node": config.node.name, "at": format_instant(at_ms), "cases": rows}
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _show(rows)
    if any(row["differs"] for row in rows):
        raise SystemExit(1)


def _show(rows: list[dict[str, Any]]) -> None:
    """A line for each clock of each case, and what was told otherwise."""
    table = Table("participant", "case", "state", "clock", "verdict", "due", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        named = (row["participant"], row["case"])
        if "verdicts" not in row:
            why = "no party 非当事方" if row["whole"] else "not held from its opening on 材料不全"
            table.add_row(*named, why, "-", "-", "-")
            continue
        for clock in row["verdicts"]["clocks"]:
            table.add_row(*named, row["state"], clock["clock"], clock["state"], clock["due_at"] or "-")
    Console().print(table)
    for row in rows:
        for one in row["differs"]:
            click.echo(
                f"{row['case']} {one['clock']}: {one['type']} {one['event']} is not what this node computes 与交换不一致"
            )
