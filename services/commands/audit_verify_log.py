"""``ipx audit verify-log``: the logs of a running exchange, or of an archive, from end to end."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from services.audit.archive_reading import ArchiveSource
from services.audit.sources import Finding, LogSource
from services.audit.verify_log import LogChecker, LogReport, Members, OnProgress, read_members
from services.commands.audit_source import CORES, as_document, open_source, print_findings, source_options
from services.kernel.errors import Refused


@click.command("verify-log")
@click.option(
    "--log", "chosen", multiple=True, help="One log partition, such as ipx.clues/0; all of them unless given."
)
@click.option("--no-signatures", is_flag=True, help="Numbers, entries, tree and checkpoints alone: ten times as fast.")
@click.option(
    "--processes", type=click.IntRange(0, 64), default=CORES, show_default=True, help="Processes beside this one."
)
@source_options
def command(
    chosen: tuple[str, ...],
    no_signatures: bool,
    processes: int,
    archive: Path | None,
    root_key: str | None,
    as_json: bool,
) -> None:
    """Check logs from end to end. 核验全部日志。

    Every number, every entry, the tree against every signed checkpoint, every signature, and who was allowed to say what to whom, computed
    again from the members log, itself checked from the founding on. Exit code 1 when anything is not as it must be.
    """
    source = open_source(archive, root_key)
    members = read_members(source)
    logs = chosen or source.logs()
    reports = check_all(source, logs, members, signatures=not no_signatures, processes=processes, bar=not as_json)
    findings = _of_the_archive(source, members)
    is_good = not findings and all(report.is_good for report in reports)
    if as_json:
        found = {**document(source.exchange, reports, is_good), "archive_findings": as_document(findings)}
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _show(reports, findings, is_good)
    sys.exit(0 if is_good else 1)


def _of_the_archive(source: LogSource, members: Members) -> list[Finding]:
    """Of an archive as a whole: every file is the one in the manifest, and the manifest is signed by ``exchange.ledger``."""
    if not isinstance(source, ArchiveSource):
        return []
    place = (source.exchange, 0)
    try:
        source.check_all()
    except Refused as refused:
        return [Finding(refused.code, *place, refused.message)]
    if not source.is_signed(members.history.latest):
        return [Finding("manifest-forged", *place, "the manifest is not signed by a key of exchange.ledger")]
    return []


def check_all(
    source: LogSource, logs: Sequence[str], members: Members, *, signatures: bool, processes: int, bar: bool = False
) -> list[LogReport]:
    """The reports of some logs, in order; with a progress bar on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=Console(stderr=True), transient=True, disable=not bar) as progress,
        LogChecker(source, signatures=signatures, processes=processes, members=members) as checker,
    ):
        reports = []
        for log in logs:
            task = progress.add_task(log, total=source.span(log))
            reports.append(checker.check(log, _telling(progress, task)))
            progress.remove_task(task)
        return reports


def _telling(progress: Progress, task: TaskID) -> OnProgress:
    return lambda _, count: progress.update(task, completed=count)


def document(exchange: str, reports: Sequence[LogReport], is_good: bool) -> dict[str, Any]:
    """The JSON form."""
    return {"exchange": exchange, "good": is_good, "logs": [_row(report) for report in reports]}


def _row(report: LogReport) -> dict[str, Any]:
    return {
        "log": report.log,
        "good": report.is_good,
        "entries": report.entries,
        "root": report.root or None,
        "checkpoints": report.checkpoints,
        "signed_size": report.signed_size,
        "signatures": report.with_signatures,
        "second_tree": report.second_tree,
        "findings": as_document(report.findings),
        "more_findings": report.more,
    }


def _show(reports: Sequence[LogReport], findings: Sequence[Finding], is_good: bool) -> None:
    console = Console()
    table = Table("log 日志", box=None, padding=(0, 2, 0, 0))
    for name in ("entries 条目", "checkpoints 检查点", "under a checkpoint 已签名"):
        table.add_column(name, justify="right")
    table.add_column("")
    for report in reports:
        numbers = (report.entries, report.checkpoints, report.signed_size)
        state = "[green]good 一致[/]" if report.is_good else f"[red]{report.findings[0].code}[/]"
        table.add_row(report.log, *(f"{number:,}" for number in numbers), state)
    console.print(table)
    if unseen := [report.log for report in reports if report.second_tree == "not looked at"]:
        console.print(f"[yellow]heads over SM3 not looked at 未核对SM3树根: {', '.join(unseen)}[/]")
    print_findings(console, findings)
    for report in reports:
        print_findings(console, report.findings, report.more)
    console.print(
        "[green]Every log is as it was written. 日志完整一致。[/]"
        if is_good
        else "[red]Not as it was written. 日志不一致。[/]"
    )
