"""``ipx node``: run a city's node, and see and mend what it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.table import Table

from connectors.node import report
from connectors.node.config import NodeConfig, load_config
from connectors.node.process import Surroundings, run
from services.commands.node_cases import cases
from services.kernel.errors import BadSettings
from services.kernel.instants import format_instant
from services.runtime.logging import configure
from services.runtime.settings import CommonSettings
from services.runtime.shell import clock_of

_CONFIG = click.option(
    "--config",
    "config_path",
    required=True,
    type=click.Path(path_type=Path),
    help="The node's configuration, node.toml.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group("node")
def command() -> None:
    """Run the node of a city: sign what its system tells, verify what comes, hand it on, sign the receipts."""


command.add_command(cases)


@command.command("run")
@_CONFIG
@click.option(
    "--state-dir", type=click.Path(path_type=Path), help="Where `ipx up` wrote the exchange's settings [.ipx]."
)
def run_node(config_path: Path, state_dir: Path | None) -> None:
    """Run until SIGTERM. Needs the root key of the exchange: node.root_key in the file, or IPX_ROOT_KEY."""
    settings = CommonSettings.load(state_dir=state_dir)
    configure("node", form=settings.log_format, level=settings.log_level)
    config = load_config(config_path)
    around = Surroundings(
        gateway=None if config.node.gateway else _gateway_of(settings.state_dir),
        exchange=settings.exchange_name,
        root_key=settings.root_key,
        metrics_port=settings.metrics_port,
        clock_file=settings.clock_file,
    )
    uvloop.run(run(config, around))


@command.command("status")
@_CONFIG
@_JSON
def status(config_path: Path, as_json: bool) -> None:
    """Tell what came, what went and what is waiting, per participant."""
    config = load_config(config_path)
    with report.opened(config.database) as db:
        found = report.status(config, db)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table("participant", "connector", "outbox", "deliveries", "happenings", box=None, padding=(0, 2, 0, 0))
    for name, row in found["participants"].items():
        counted = (
            " ".join(f"{k}:{v}" for k, v in row[part].items()) for part in ("outbox", "deliveries", "happenings")
        )
        table.add_row(name, row["connector"] or "-", *counted)
    Console().print(table)
    otherwise = sum(row["clocks_compared"].get("differs", 0) for row in found["participants"].values())
    if otherwise:
        click.echo(
            f"CLOCKS: the exchange told {otherwise} times otherwise than this node computes; see `ipx node cases`"
        )
    _print_witness(found["witness"])
    click.echo(f"dead letters: {found['dead_letters']}; copies that did not verify: {found['unverified']}")


@command.command("outbox")
@_CONFIG
@_JSON
@click.option("--state", type=click.Choice(["new", "sent", "admitted", "refused"]), help="Only those in this state.")
@click.option(
    "--kind", type=click.Choice(["event", "receipt"]), help="Only the city's events, or only the node's receipts."
)
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Rows at most.")
def outbox(config_path: Path, as_json: bool, state: str | None, kind: str | None, limit: int) -> None:
    """List what goes to the exchange and what became of it: admitted where, refused why, receipts by recipient."""
    config = load_config(config_path)
    with report.opened(config.database) as db:
        rows = report.listed_outbox(db, state=state, kind=kind, limit=limit)
    _print(as_json, "outbox", rows, ("id", "participant", "type", "subject", "state", "code", "field", "log", "seq"))


@command.command("dead-letters")
@_CONFIG
@_JSON
@click.option("--connector", help="Only those of this connector.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="Rows at most.")
def dead_letters(config_path: Path, as_json: bool, connector: str | None, limit: int) -> None:
    """List what was set aside, with its reason."""
    config = load_config(config_path)
    with report.opened(config.database) as db:
        rows = report.listed_dead_letters(db, connector=connector, limit=limit)
    _print(as_json, "dead_letters", rows, ("connector", "way", "item", "type", "code", "field", "reason"))


@command.command("redrive")
@_CONFIG
@_JSON
@click.option("--connector", help="Only those of this connector.")
@click.option("--item", help="Only this one: the item that `dead-letters` lists.")
def redrive(config_path: Path, as_json: bool, connector: str | None, item: str | None) -> None:
    """Try dead letters again, all or the ones named. A running node takes them up within seconds."""
    config: NodeConfig = load_config(config_path)
    with report.opened(config.database, read_only=False) as db:
        marked = report.redrive(
            db, connector=connector, item=item, now_ms=clock_of(CommonSettings.load().clock_file).now_ms()
        )
    _print(as_json, "redriven", marked, ("connector", "way", "item"))


@command.command("split-views")
@_CONFIG
@_JSON
def split_views(config_path: Path, as_json: bool) -> None:
    """List pairs of signed checkpoints of one log that contradict one another; --json shows both notes and the proof."""
    config = load_config(config_path)
    with report.opened(config.database) as db:
        rows = report.listed_split_views(db)
    _print(as_json, "split_views", rows, ("origin", "seen_size", "offered_size", "event", "found_ms", "reason"))


@command.command("clear-split-view")
@_CONFIG
@_JSON
@click.argument("origin")
@click.option("--reason", required=True, help="Why the log may be cosigned again; kept with the two notes.")
@click.option("--forget", is_flag=True, help="Take the next checkpoint as the first one seen, whatever it says.")
def clear_split_view(config_path: Path, as_json: bool, origin: str, reason: str, forget: bool) -> None:
    """Let the node cosign the log ORIGIN again. Without --forget only what continues the tree that it cosigned before."""
    config = load_config(config_path)
    with report.opened(config.database, read_only=False) as db:
        cleared = report.clear_split_view(
            db, origin, reason, clock_of(CommonSettings.load().clock_file).now_ms(), forget=forget
        )
    if as_json:
        click.echo(json.dumps({"origin": origin, "cleared": cleared}))
    else:
        click.echo(f"{cleared} split views of {origin} cleared")


def _print_witness(found: dict[str, Any]) -> None:
    """The logs that the node witnesses, one a line."""
    for origin, row in found["logs"].items():
        sent = sum(state == "sent" for state in row["cosignatures"].values())
        split = "  SPLIT VIEW: no cosignatures until it is cleared" if row["is_split"] else ""
        click.echo(
            f"witness {origin}: {row['size']} entries cosigned {format_instant(row['cosigned_ms'])},"
            f" {sent} of {len(row['cosignatures'])} at the exchange{split}"
        )


def _gateway_of(state_dir: Path) -> str | None:
    """Address of the gateway of the local exchange, from its state file; None when there is none."""
    try:
        state = json.loads((state_dir / "state.json").read_text("utf-8"))
        return str(state["parts"]["gateway"]["url"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BadSettings(f"{state_dir / 'state.json'} names no gateway; is the exchange up?") from error


def _print(as_json: bool, name: str, rows: list[Any], columns: tuple[str, ...]) -> None:
    if as_json:
        click.echo(json.dumps({name: rows}, ensure_ascii=False))
        return
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row[column]) for column in columns))
    Console().print(table)
    oldest = min((row["at_ms"] for row in rows if "at_ms" in row), default=None)
    click.echo(f"{len(rows)} listed" + (f", the oldest of {format_instant(oldest)}" if oldest else ""))
