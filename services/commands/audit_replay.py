"""``ipx audit replay``: folds the logs anew and compares, or tells the story of one case."""

from __future__ import annotations

import json
import re
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from services.audit.live import LiveRooms
from services.audit.replay import Replay, ReplayReport
from services.audit.sources import LogSource, entry_of
from services.audit.story import WORDS, Line, Proof, tell
from services.audit.verify_log import read_members
from services.codec.entry import parse_entry
from services.commands.audit_source import as_document, open_source, print_findings, source_options
from services.kernel.errors import BadSettings, Refused
from services.kernel.instants import parse_instant
from services.ledger.settings import LedgerSettings
from services.runtime.shell import clock_of

_ENTRY = re.compile(r"(.{1,200}/[0-9]{1,5})@([0-9]{1,18})")


@click.command("replay")
@click.option(
    "--until",
    help="An instant (2026-11-24T06:11:37.456Z), or an entry (ipx.clues/3@1042): nothing admitted later is folded.",
)
@click.option("--case", help="Tell the story of a case instead: its subject, or the id of any of its events.")
@source_options
def command(until: str | None, case: str | None, archive: Path | None, root_key: str | None, as_json: bool) -> None:
    """Fold the logs anew and compare with what is there. 重放日志并比对。

    Every derived event must come out byte for byte as it stands in the log, and every state of every room as it stands in the database. Nothing
    can be published from here: this process has no key and no producer. Exit code 1 when anything differs; the first difference is named first.
    """
    with ExitStack() as stack:
        live = None
        if archive is None and case is None and until is None:
            live = stack.enter_context(_open_live())  # before the logs: what the rooms have folded is in them
        source = open_source(archive, root_key)
        if case is not None:
            lines = tell(source, read_members(source).history.latest, case)
            click.echo(json.dumps([_row(line) for line in lines], ensure_ascii=False)) if as_json else _show_story(
                lines
            )
            sys.exit(1 if any(line.proof is Proof.NOT_IN_TREE for line in lines) else 0)
        until_ms = None if until is None else _instant(source, until)
        columns = (SpinnerColumn(), TextColumn("{task.description}"))
        progress = stack.enter_context(
            Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json)
        )
        task = progress.add_task("")
        replay = Replay(source, live, until_ms, lambda what, n: progress.update(task, description=f"{what} {n:,}"))
        report = replay.run()
    if as_json:
        click.echo(json.dumps(_document(source.exchange, report, with_states=live is not None), ensure_ascii=False))
    else:
        _show(report, with_states=live is not None)
    sys.exit(0 if report.is_good else 1)


def _open_live() -> LiveRooms:
    settings = LedgerSettings.load()
    return LiveRooms(settings.postgres_dsn.get_secret_value(), clock_of(settings.clock_file).now_ms())


def _instant(source: LogSource, until: str) -> int:
    """The instant that is meant; ``BadSettings`` for anything else."""
    entry = _ENTRY.fullmatch(until)
    if entry is None:
        try:
            return parse_instant(until)
        except Refused as refused:
            raise BadSettings(f"--until is an instant or <log>@<seq>: {refused.message}") from refused
    log, seq = entry[1], int(entry[2])
    for place, record in enumerate(source.records(log), source.first_seq(log)):
        if place == seq:
            return parse_instant(parse_entry(entry_of(record)).admitted)
    raise Refused("not-found", f"{log} has no entry {seq}")


def _document(exchange: str, report: ReplayReport, *, with_states: bool) -> dict[str, Any]:
    return {
        "exchange": exchange,
        "good": report.is_good,
        "folded": dict(report.folded),
        "derived_events": report.derived,
        "pending": report.pending,
        "states": dict(report.states) if with_states else None,
        "findings": as_document(report.findings),
        "more_findings": report.more,
    }


def _show(report: ReplayReport, *, with_states: bool) -> None:
    console = Console()
    table = Table("room 业务室", box=None, padding=(0, 2, 0, 0))
    table.add_column("entries folded 已重放", justify="right")
    table.add_column("states compared 状态比对", justify="right")
    for room, folded in report.folded.items():
        table.add_row(room, f"{folded:,}", f"{report.states[room]:,}" if room in report.states else "-")
    console.print(table)
    console.print(
        f"{report.derived:,} derived events compared 派生事件比对, {report.pending:,} not in a log yet 待入日志"
    )
    if not with_states:
        console.print("states were not compared: there is no live position to compare at 未比对状态")
    print_findings(console, report.findings, report.more)
    good, bad = (
        "Everything follows from the logs. 全部可由日志推出。",
        "Not everything follows from the logs. 与日志不符。",
    )
    console.print(f"[green]{good}[/]" if report.is_good else f"[red]{bad}[/]")


def _row(line: Line) -> dict[str, Any]:
    zh, en = WORDS[line.proof]
    return {**asdict(line), "proof": line.proof.value, "proof_zh": zh, "proof_en": en}


def _show_story(lines: list[Line]) -> None:
    console = Console()
    for line in lines:
        zh, en = WORDS[line.proof]
        held = f" ({line.size:,})" if line.size else ""
        console.print(f"[bold]{line.admitted}[/] {escape(line.source_zh)} {escape(line.title_zh)}", soft_wrap=True)
        console.print(f"  {escape(line.source_en)} ({line.source}): {escape(line.title_en)}", soft_wrap=True)
        to = ", ".join(f"{d.recipient}{' -' + ',-'.join(d.withheld) if d.withheld else ''}" for d in line.deliveries)
        console.print(f"  {line.log} seq {line.seq} · {line.id}{f' → {to}' if to else ''}", soft_wrap=True)
        colour = {"witnessed": "green", "signed": "cyan", "not_yet": "yellow"}.get(line.proof.value, "red")
        console.print(f"  [{colour}]{zh}{held} · {en}{held}[/]", soft_wrap=True)
