"""``ipx calendar show``: which years the members log holds, what they arrange, and how many cases still wait for one."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from services.commands.calendar_desk import CalendarDesk, opened
from services.commands.case_options import AS_JSON, console, plain_table
from services.kernel.calendar import Calendar, CalendarYear, Holiday
from services.kernel.errors import Refused, Transient
from services.kernel.instants import format_day
from services.members.settings import MembersSettings
from services.runtime.logging import configure

_NONE = "没有公布的节假日安排，届满日只按周末推算，均为暂定 no calendar is published: ends are counted by the week and provisional"
_EPOCH_DAY = date(1970, 1, 1).toordinal()


@click.command("show")
@click.argument("year", type=int, required=False)
@AS_JSON
def command(year: int | None, as_json: bool) -> None:
    """Show the years that are published, or the days of one, and how many cases wait for a published year. 已公布的节假日安排。

    A case waits when the end of one of its clocks is not as the published years make it: `ipx calendar load` of that year's file finishes it.
    """
    configure("calendar", form="text", level="warning")
    with opened(MembersSettings.load()) as desk:
        calendar = desk.calendar()
        shown = document(calendar, year)
        shown |= _counted(desk, year or calendar.last_year)
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        _show(shown)


def document(calendar: Calendar, year: int | None) -> dict[str, Any]:
    """The published years as plain values; with their days when one is asked for. Refuses ``not-found`` a year that is not there."""
    years = [held for held in calendar.years if year in (None, held.year)]
    if year is not None and not years:
        raise Refused(
            "not-found", f"no calendar of {year} is published; the last is of {calendar.last_year}", field="year"
        )
    return {
        "last_year": calendar.last_year,
        "years": [_year(calendar, held, with_days=year is not None) for held in years],
    }


def _year(calendar: Calendar, held: CalendarYear, *, with_days: bool) -> dict[str, Any]:
    first, last = (date(held.year, *day).toordinal() - _EPOCH_DAY for day in ((1, 1), (12, 31)))
    return {
        "year": held.year,
        "working_days": calendar.working_days(first - 1, last),
        "notices": [
            {
                "number": notice.number,
                "title": notice.title,
                "issued_on": format_day(notice.issued),
                "confidence": notice.confidence,
                "source": notice.source,
            }
            | ({"holidays": [_holiday(one) for one in notice.holidays]} if with_days else {})
            for notice in held.notices
        ],
    }


def _holiday(holiday: Holiday) -> dict[str, Any]:
    return {
        "zh": holiday.zh,
        "en": holiday.en,
        "first_on": format_day(holiday.first),
        "last_on": format_day(holiday.last),
        "working_on": [format_day(day) for day in holiday.working],
    }


def _counted(desk: CalendarDesk, year: int | None) -> dict[str, Any]:
    """How many cases wait, and how many have an end that nothing settles yet; unknown while the database is away."""
    if year is None:
        return {"waiting": 0, "provisional": None}
    try:
        waiting = desk.waiting(year)
        return {"waiting": len(waiting), "provisional": desk.provisional(year, waiting)}
    except Transient as away:
        return {"waiting": None, "provisional": None, "away": str(away)}


def _show(shown: dict[str, Any]) -> None:
    table = plain_table("年 year", "通知 notice", "文号 number", "日期 issued", "工作日 working days")
    for year in shown["years"]:
        for notice in year["notices"]:
            table.add_row(
                str(year["year"]),
                escape(notice["title"]),
                escape(notice["number"]),
                notice["issued_on"],
                str(year["working_days"]),
            )
    screen = console()
    screen.print(table if shown["years"] else _NONE)
    days = [one for year in shown["years"] for notice in year["notices"] for one in notice.get("holidays", ())]
    if days:
        screen.print(_days(days))
    screen.print(_waits(shown))


def _days(holidays: list[dict[str, Any]]) -> Table:
    table = plain_table("节日 holiday", "放假 off", "调休上班 worked")
    for one in holidays:
        worked = ", ".join(one["working_on"]) or "-"
        table.add_row(f"{escape(one['zh'])} {escape(one['en'])}", f"{one['first_on']} .. {one['last_on']}", worked)
    return table


def _waits(shown: dict[str, Any]) -> str:
    if shown["waiting"] is None:
        return f"待重算的案件数未知 how many cases wait is not known: {escape(shown['away'])}"
    if shown["waiting"]:
        return f"[yellow]{shown['waiting']} 件案件等待重算[/] cases wait to be computed again: run ipx calendar load once more"
    return (
        f"没有案件等待重算 no case waits; {shown['provisional'] or 0} 件案件的届满日暂定 cases have a provisional end"
    )
