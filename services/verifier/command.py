"""``ipx-verify`` and ``ipx audit verify``: checks an evidence file and prints what it found, step by step.

Exit codes: 0 nothing failed, 1 a step failed, 2 the command was called with what it cannot use.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.codec.evidence import MAX_EVIDENCE_BYTES
from services.codec.keys import parse_public
from services.codec.tlog_policy import MAX_POLICY_BYTES, parse_policy
from services.kernel.codes import CodeTables, parse_code_table
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import IpxError
from services.members.jurisdiction import Routes, routes_of
from services.verifier.report import Finding, Report
from services.verifier.stamp import authorities
from services.verifier.verify import Options, verify

_MAX_CA_BYTES = 1 << 20
_SHOWN: dict[Finding, str] = {
    "ok": "[green]成立 ok[/green]",
    "failed": "[red]不成立 failed[/red]",
    "not-proved": "[yellow]未证明 not proved[/yellow]",
}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def load_routes() -> Routes:
    """The routing table that ships with the verifier: which organ is competent for a clue that names no addressee."""
    text = (SCHEMAS_DIR / "codes" / "routing.csv").read_text(encoding="utf-8")
    return routes_of(CodeTables({"routing": parse_code_table("routing", text)}))


@click.command("verify", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=_FILE)
@click.option(
    "--policy", "policy_file", type=_FILE, required=True, help="Logs and witnesses that you trust: tlog-policy."
)
@click.option("--root", "root_line", help="Root key line of the exchange (ipx-public-key/v1 …), as you were given it.")
@click.option("--tsa-ca", type=_FILE, help="Certificates (PEM) of the time-stamping authorities that you trust.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(file: Path, policy_file: Path, root_line: str | None, tsa_ca: Path | None, as_json: bool) -> None:
    """Check an evidence file, offline. 核验证据文件（离线）。

    Prints each step with its finding. Exits 0 when nothing failed, 1 when a step failed, 2 when it was called wrongly.
    """
    try:
        policy = parse_policy(_bounded(policy_file, MAX_POLICY_BYTES))
        options = Options(
            root=None if root_line is None else parse_public(root_line),
            authorities=() if tsa_ca is None else tuple(authorities(_bounded(tsa_ca, _MAX_CA_BYTES))),
            routes=load_routes(),
        )
        data = _bounded(file, MAX_EVIDENCE_BYTES)
    except (IpxError, OSError) as error:
        raise click.UsageError(str(error)) from error
    report = verify(data, policy, options)
    if as_json:
        click.echo(json.dumps(report.document(), ensure_ascii=False))
    else:
        _print(report)
    sys.exit(0 if report.holds else 1)


def _bounded(path: Path, most: int) -> bytes:
    """The bytes of a file, one more than allowed at most: who reads them refuses what is too large."""
    with path.open("rb") as file:
        return file.read(most + 1)


def _print(report: Report) -> None:
    table = Table(title=f"证据核验 evidence of {report.event or '?'}", title_justify="left", box=SIMPLE)
    for column, style in (("#", ""), ("步骤 step", ""), ("结论 finding", ""), ("说明 what was found", "")):
        table.add_column(column, style=style, overflow="fold")
    for step in report.steps:
        title = f"{step.title_zh}\n{step.title_en}"
        table.add_row(str(step.number), title, _SHOWN[step.finding], escape(f"{step.zh}\n{step.en}"))
    console = Console()
    console.print(table)
    bad = report.first_bad
    if bad is None:
        console.print(
            "[green]全部检查成立；未证明的事项见表 · nothing failed; what is not proved is in the table[/green]"
        )
    else:
        words = f"第{bad.number}步不成立 · step {bad.number} failed: {bad.place}: {bad.code}: {bad.en}"
        console.print(escape(words), style="red")
