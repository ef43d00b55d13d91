"""``ipx audit fsck``: where log, inboxes, receipts, tiles and checkpoints of a running exchange disagree."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from services.audit.fsck import Fsck, FsckReport
from services.codec.checkpoint import log_of_origin
from services.commands.audit_source import as_document, open_running, print_findings, root_of
from services.ledger.files import LogFiles, origins
from services.ledger.settings import LedgerSettings
from services.runtime.topics import Topics


@click.command("fsck")
@click.option("--root-key", help="Public key line of the founding; otherwise IPX_ROOT_KEY.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(root_key: str | None, as_json: bool) -> None:
    """Find where log, inboxes, receipts, tiles and checkpoints disagree. 核对日志、收件箱、回执与检查点。

    Reads everything up to now, while the exchange goes on. Says nothing of signatures and authorisations: `ipx audit verify-log` does.
    Exit code 1 when anything disagrees.
    """
    settings = LedgerSettings.load()
    root = root_of(root_key, settings)
    prefix = f"{settings.exchange_name}/"
    files = {
        o: LogFiles(settings.files_dir / o).checkpoint() for o in origins(settings.files_dir) if o.startswith(prefix)
    }
    heads = {log_of_origin(origin): data for origin, data in files.items() if data is not None}
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as progress:
        task = progress.add_task("")
        source = open_running(settings, root)
        fsck = Fsck(
            source,
            Topics(settings.exchange_name),
            heads,
            lambda what, count: progress.update(task, description=f"{what} {count:,}"),
        )
        report = fsck.run()
    if as_json:
        click.echo(json.dumps(_document(settings.exchange_name, report), ensure_ascii=False))
    else:
        _show(report)
    sys.exit(0 if report.is_good else 1)


def _document(exchange: str, report: FsckReport) -> dict[str, object]:
    return {
        "exchange": exchange,
        "good": report.is_good,
        "entries": report.entries,
        "inbox_records": report.copies,
        "inboxes": report.inboxes,
        "logs_with_tiles": report.logs_with_tiles,
        "counts": report.counts,
        "findings": as_document(report.findings),
    }


def _show(report: FsckReport) -> None:
    console = Console()
    console.print(
        f"{report.entries:,} entries 条目 · {report.copies:,} records in {report.inboxes} inboxes 收件箱记录 · "
        f"{report.logs_with_tiles} logs with tiles 含哈希块的日志"
    )
    print_findings(console, report.findings, sum(report.counts.values()) - len(report.findings))
    for code, count in sorted(report.counts.items()):
        console.print(f"[red]{code}[/] {count:,}")
    if report.is_good:
        console.print("[green]Everything agrees. 全部一致。[/]")
