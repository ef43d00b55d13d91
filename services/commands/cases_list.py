"""``ipx cases list``: cases by what is asked for, a page at a time, in the order of their numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from services.commands.case_options import AS_JSON, LIMIT, Time, console, opened_desk, plain_table, shown_time
from services.members.registry import Registry
from services.transfers.listing import CaseQuery, organs_of


@click.command("list")
@click.option("--overdue", is_flag=True, help="Only with a clock by which somebody should have acted.")
@click.option("--provisional", is_flag=True, help="Only with an end that no notice of the calendar has settled.")
@click.option("--due-before", type=Time(), metavar="TIME", help="Only with a clock that runs and ends before then.")
@click.option(
    "--city", metavar="CODE", help="Only where an organ of this division (GB/T 2260), or of one below it, plays a part."
)
@click.option("--participant", metavar="ID", help="Only where this organ plays a part.")
@click.option("--kind", metavar="KIND", help="Only of this kind (schemas/codes/transfers.toml).")
@click.option("--state", metavar="STATE", help="Only in this state of its kind.")
@LIMIT
@click.option("--after", metavar="CASE", default="", help="Go on after this case, the last of the page before.")
@AS_JSON
def command(
    overdue: bool,
    provisional: bool,
    due_before: int | None,
    city: str | None,
    participant: str | None,
    kind: str | None,
    state: str | None,
    limit: int,
    after: str,
    as_json: bool,
) -> None:
    """List cases, by number. 案件列表。

    How the clocks stand is what was last told of them; `ipx cases show` computes it for one case. The JSON has `cases` and, while there
    may be more, `after`.
    """
    with opened_desk() as (desk, clock):
        tables = desk.laws.tables
        if kind is not None and kind not in tables.kinds:
            raise click.BadParameter(f"no such kind; there are {', '.join(tables.kinds)}", param_hint="--kind")
        asked = CaseQuery(
            playing=wanted(desk.history().latest, city, participant),
            kind=kind,
            state=state,
            overdue=overdue,
            provisional=provisional,
            due_before=due_before,
            after=after,
            limit=limit,
        )
        found = desk.cases(asked, clock.now_ms())
    last = found[-1]["case"] if len(found) == limit else None
    if as_json:
        click.echo(json.dumps({"cases": found, **({"after": last} if last else {})}, ensure_ascii=False))
        return
    screen = console()
    screen.print(cases_table(found) if found else "没有案件 no such case")
    if last:
        screen.print(f"后续 more: --after {escape(last)}", highlight=False)


def wanted(registry: Registry, city: str | None, participant: str | None) -> tuple[str, ...] | None:
    """The participants that are asked for; None when any will do. A usage error for one that nobody knows."""
    if participant is not None and registry.participant(participant) is None:
        raise click.BadParameter("no such participant; see `ipx members list`", param_hint="--participant")
    if city is None:
        return None if participant is None else (participant,)
    organs = organs_of(registry, city)
    if not organs:
        raise click.BadParameter("no participant is in that division", param_hint="--city")
    return organs if participant is None else tuple(organ for organ in organs if organ == participant)


def cases_table(found: Iterable[Mapping[str, Any]]) -> Table:
    """The table of a page."""
    table = plain_table(
        "案件 case", "种类 kind", "状态 state", "逾期 overdue", "最早届满 due", "各方 parties", "标题 title"
    )
    for line in found:
        overdue = f"[red]{line['overdue']}[/]" if line["overdue"] else "-"
        due = shown_time(line.get("due_at")) + (" 暂定 provisional" if line["provisional"] else "")
        table.add_row(
            escape(line["case"]),
            f"{line['kind_zh']} {line['kind_en']}",
            f"{line['state_zh']} {line['state_en']}",
            overdue,
            due,
            escape("\n".join(line["participants"])),
            escape(line["title"]),
        )
    return table
