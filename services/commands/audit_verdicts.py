"""``ipx audit verdicts``: computes the clocks of cases from what organs said, and compares with what the exchange derived."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from services.audit.verdicts import VerdictsReport, compute
from services.commands.audit_source import as_document, open_source, print_findings, source_options
from services.commands.case_options import console, plain_table
from services.commands.clock_question import shown_time
from services.commands.times import Time
from services.kernel.instants import format_instant


@click.command("verdicts")
@click.option("--case", help="Only this case: its subject, TR-… .")
@click.option(
    "--at",
    "asked_ms",
    type=Time(),
    metavar="TIME",
    help="Judge at this time; as of the end of the source unless given.",
)
@source_options
def command(case: str | None, asked_ms: int | None, archive: Path | None, root_key: str | None, as_json: bool) -> None:
    """Compute the clocks of cases from what organs said, and compare with what the exchange told. 独立计算案件期限并比对。

    A party's node computes the same: the digest of each verdict document is that of `ipx node cases --at` the same time. Exit code 1 when
    what the exchange derived does not follow; the first difference is named first.
    """
    source = open_source(archive, root_key)
    at_ms = source.horizon_ms if asked_ms is None else asked_ms
    report = compute(source, case, at_ms)
    if as_json:
        click.echo(json.dumps(_document(source.exchange, at_ms, report), ensure_ascii=False))
    else:
        _show(report)
    sys.exit(0 if report.is_good else 1)


def _document(exchange: str, at_ms: int, report: VerdictsReport) -> dict[str, Any]:
    return {
        "exchange": exchange,
        "at": format_instant(at_ms),
        "good": report.is_good,
        "compared": report.compared,
        "cases": [{"verdicts": one.document, "digest": one.digest} for one in report.cases],
        "findings": as_document(report.findings),
        "more_findings": report.more,
    }


def _show(report: VerdictsReport) -> None:
    table = plain_table("case 案件", "clock 期限", "state 状态", "due 届满", "why 说明")
    for one in report.cases:
        for clock in one.document["clocks"]:
            named = (one.document["case"], clock["clock"], clock["state"], shown_time(clock["due_at"]))
            table.add_row(*named, clock["explanation"]["zh"])
    screen = console()
    screen.print(table)
    screen.print(f"{report.compared:,} derived events compared 派生事件比对")
    print_findings(Console(), report.findings, report.more)
    good, bad = "The exchange computed the same. 与交换一致。", "The exchange told otherwise. 与交换不一致。"
    screen.print(f"[green]{good}[/]" if report.is_good else f"[red]{bad}[/]")
