"""``ipx calendar load``: publishes the notice of a year and has every case that waits for it computed again.

It may be interrupted anywhere and run again: what is in the log is not said twice, and what is not done yet is done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from services.cases.wording import CLOCK_STATES
from services.commands.calendar_applying import Applied, apply_calendar
from services.commands.calendar_desk import CalendarDesk, Published, opened
from services.commands.case_options import console, plain_table
from services.commands.clock_question import shown_time
from services.kernel import document_fields
from services.kernel.calendar import CalendarYear, Notice
from services.kernel.calendar_documents import parse_calendar_year
from services.kernel.instants import format_day, format_instant
from services.members.settings import MembersSettings
from services.runtime.logging import configure
from services.transfers.calendar_effects import Standing

_SHOWN = 200


@click.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Publish without asking.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object on stdout; nothing is asked, so --yes is needed where there is news.",
)
def command(file: Path, yes: bool, as_json: bool) -> None:
    """Publish the notice of days off of a year, and compute again what waits for it. 公布年度节假日安排并重算期限。

    FILE is of the form of schemas/codes/calendars/<year>.toml. The notice goes onto the members log, signed by the operator, whose key must be
    here; it cannot be taken back. Every case with an end that it moves or settles is then told so, and its parties with it. Run again it
    says what is there already and finishes what was interrupted.
    """
    configure("calendar", form="text", level="warning")
    year = parse_calendar_year(document_fields.read_document(file), f"calendar {file.name}")
    with opened(MembersSettings.load()) as desk:
        lacking = desk.lacking(year)
        if lacking and not yes:
            _ask(year, lacking, as_json)
        published = desk.publish(year)
        applied = _applied(desk, year.year)
    if as_json:
        click.echo(json.dumps(document(year.year, published, applied), ensure_ascii=False))
    else:
        _show(year.year, published, applied)


def document(year: int, published: Published, applied: Applied) -> dict[str, Any]:
    """What was done, as plain values."""
    return {
        "year": year,
        "published": list(published.new),
        "known": list(published.known),
        "cases": applied.cases,
        "moved": [
            {
                "case": shift.case,
                "clock": shift.clock,
                "change": "moved" if shift.before.due_at != shift.after.due_at else "settled",
                "before": _standing(shift.before),
                "after": _standing(shift.after),
            }
            for shift in applied.shifts
        ],
    }


def _standing(standing: Standing) -> dict[str, Any]:
    due_at = None if standing.due_at is None else format_instant(standing.due_at)
    return {"due_at": due_at, "state": standing.state, "provisional": standing.provisional}


def _ask(year: CalendarYear, lacking: Sequence[Notice], as_json: bool) -> None:
    for notice in lacking:
        click.echo(f"{year.year}: {notice.title} {notice.number}, {format_day(notice.issued)}", err=True)
        for holiday in notice.holidays:
            worked = "、".join(format_day(day) for day in holiday.working) or "-"
            click.echo(
                f"  {holiday.zh} {holiday.en}: {format_day(holiday.first)} .. {format_day(holiday.last)}; 调休上班 worked: {worked}",
                err=True,
            )
    if as_json:
        raise click.UsageError("there is a notice to publish: say --yes")
    click.confirm("公布后不能撤回，是否公布？Publish it? It cannot be taken back", abort=True, err=True)


def _applied(desk: CalendarDesk, year: int) -> Applied:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("calendar", total=None)
        return apply_calendar(
            desk, desk.publication(year), lambda doing, of: progress.update(task, description=f"{doing} {of or ''}")
        )


def _show(year: int, published: Published, applied: Applied) -> None:
    for number in published.new:
        click.echo(f"{year}: 已公布 published {number}")
    for number in published.known:
        click.echo(f"{year}: 先前已公布 published before {number}")
    if not applied.shifts:
        click.echo("没有期限需要重算 no clock waits for it")
        return
    table = plain_table("案件 case", "期限 clock", "原届满 was due", "现届满 is due", "状态 state")
    for shift in applied.shifts[:_SHOWN]:
        state_zh, state_en = CLOCK_STATES[shift.after.state]
        table.add_row(
            escape(shift.case),
            shift.clock,
            _due(shift.before),
            _due(shift.after),
            f"{state_zh} {state_en}",
        )
    console().print(table)
    if len(applied.shifts) > _SHOWN:
        click.echo(f"… {len(applied.shifts) - _SHOWN}; --json 列出全部 lists all")
    click.echo(f"{applied.cases} 件案件、{len(applied.shifts)} 个期限 cases and clocks")


def _due(standing: Standing) -> str:
    """The end in China; a provisional one is marked."""
    shown = shown_time(None if standing.due_at is None else format_instant(standing.due_at))
    return f"{shown}（暂定 provisional）" if standing.provisional else shown
