"""``ipx clocks explain``: when a term would end and why, by the rules and the calendar that ship, without any running part.

The verdict is that of ``services/kernel/verdict.py``: what the room tells, what a node and an auditor compute.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cases.wording import CLOCK_STATES
from services.commands.clock_question import Question, Unanswerable, case_of, read_time, shown_time
from services.kernel.calendar import Calendar
from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_rules import ClockRule
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_instant
from services.kernel.verdict import Verdict, verdict
from services.runtime.shell import clock_of

_CODES = SCHEMAS_DIR / "codes"
_UNANSWERABLE = 2
_HEADINGS = {  # key of the document -> what stands before it
    "started_at": ("起算", "started"),
    "due_at": ("届满", "due"),
    "warn_at": ("提醒", "warned of"),
    "alarm_at": ("从严届满", "due by the stricter reading"),
    "hint_at": ("另一计法，仅供参考", "by the second reading, a hint"),
    "ended_at": ("终止", "ended"),
}


@click.command("explain")
@click.argument("rule")
@click.option(
    "--from",
    "begun",
    required=True,
    metavar="TIME[=MOMENT]",
    help="When what starts the term happened: a day, or a time of China.",
)
@click.option(
    "--to",
    "--stop",
    "done",
    metavar="TIME[=MOMENT]",
    help="When what meets the term was done; the verdict is then in time or late.",
)
@click.option(
    "--exclude",
    "excluded",
    multiple=True,
    metavar="FROM..[TO][=GROUND]",
    help="A stretch that does not count, on a ground of the rule; may be given again.",
)
@click.option(
    "--extend",
    "extended",
    multiple=True,
    metavar="ID[=LENGTH]@TIME",
    help="An extension of the rule, granted then; may be given again.",
)
@click.option("--at", "asked", metavar="TIME", help="The time of asking; now unless given.")
@click.option(
    "--calendar",
    "calendars",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of <year>.toml; the years that ship unless given. In an empty one only the week counts.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    rule: str,
    begun: str,
    done: str | None,
    excluded: tuple[str, ...],
    extended: tuple[str, ...],
    asked: str | None,
    calendars: Path | None,
    as_json: bool,
) -> None:
    """Say when a term ends and why. 期限何时届满及其理由。

    Works without a running exchange, by the rules and calendars that ship. Exit code 2 when there is no such rule, none in force on that day,
    or a word of the question that cannot be read; with --json the reason is on stdout.

    \b
    ipx clocks explain A1 --from 2026-02-09
    ipx clocks explain C3 --from 2026-03-02T10:20 --to 2026-03-03T09:00 --json
    ipx clocks explain A9 --from 2026-02-09 --exclude 2026-03-02..2026-03-12=testing
    """
    try:
        document, found = _answer(Question(rule, begun, done, excluded, extended), asked, calendars)
    except Unanswerable as why:
        _say_why(rule, why, as_json)
        raise SystemExit(_UNANSWERABLE) from why
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        _show(document, found)


def _answer(question: Question, asked: str | None, calendars: Path | None) -> tuple[dict[str, Any], ClockRule]:
    now_ms = clock_of(None).now_ms() if asked is None else read_time(asked)
    rule, moments = case_of(question, load_clock_rules(_CODES / "clocks.toml"))
    calendar = _calendar(calendars)
    return answer(rule, verdict(rule, moments, calendar, now_ms), calendar, now_ms), rule


def answer(rule: ClockRule, found: Verdict, calendar: Calendar, now_ms: int) -> dict[str, Any]:
    """The verdict as a document, with the words of its rule and what it was computed by."""
    return {
        **found.document(),
        "name": {"zh": rule.zh, "en": rule.en},
        "actor": {"id": rule.actor.id, "zh": rule.actor.zh, "en": rule.actor.en},
        "consequence": {"zh": rule.consequence_zh, "en": rule.consequence_en},
        "at": format_instant(now_ms),
        "calendar_until": calendar.last_year,
    }


def _calendar(directory: Path | None) -> Calendar:
    """That of a directory; with no year in it a calendar that settles nothing, which the verdict says."""
    if directory is None:
        return load_calendar(_CODES / "calendars")
    if not directory.is_dir():
        raise Unanswerable("bad-question", f"没有目录 {directory}", f"there is no directory {directory}")
    return load_calendar(directory) if any(directory.glob("*.toml")) else Calendar(())


def _say_why(rule: str, why: Unanswerable, as_json: bool) -> None:
    near = [{"rule": name, "zh": zh, "en": en} for name, zh, en in why.near]
    if as_json:
        error = {"code": why.code, "zh": why.zh, "en": why.en, "near": near}
        click.echo(json.dumps({"rule": rule, "error": error}, ensure_ascii=False))
        return
    click.echo(f"ipx: {why.code}: {why.zh}\n{why.en}", err=True)
    for one in near:
        click.echo(f"  {one['rule']}  {one['zh']}  {one['en']}", err=True)


def _show(document: dict[str, Any], rule: ClockRule) -> None:
    state_zh, state_en = CLOCK_STATES[document["state"]]
    provisional = ("，暂定", ", provisional") if document["provisional"] else ("", "")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("期限 term", f"[bold]{escape(rule.id)}[/bold] {escape(rule.zh)} {escape(rule.en)}")
    table.add_row("状态 state", f"[bold]{state_zh}{provisional[0]}[/bold] {state_en}{provisional[1]}")
    for key, (zh, en) in _HEADINGS.items():
        if document[key] is not None:
            table.add_row(f"{zh} {en}", shown_time(document[key]))
    table.add_row("办理 who acts", f"{escape(rule.actor.zh)} {escape(rule.actor.en)}")
    table.add_row("后果 what follows", f"{escape(rule.consequence_zh)} {escape(rule.consequence_en)}")
    table.add_row("依据 source", escape("；".join(_cited(rule))))
    console = Console()
    console.print(table)
    for language in ("zh", "en"):
        console.print(f"\n{escape(document['explanation'][language])}", soft_wrap=True)


def _cited(rule: ClockRule) -> list[str]:
    return [f"{one.document_zh} {one.article} {one.source}" for one in rule.citations]
