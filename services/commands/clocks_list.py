"""``ipx clocks list``: statutory terms of all cases that have not ended, the first due first, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from services.commands.case_options import (
    AS_JSON,
    LIMIT,
    Time,
    console,
    format_mark,
    opened_desk,
    organ_words,
    parse_mark,
    plain_table,
    shown_time,
)
from services.commands.cases_list import wanted
from services.transfers.listing import ClockQuery


@click.command("list")
@click.option("--overdue", is_flag=True, help="Only those by which somebody should have acted.")
@click.option("--provisional", is_flag=True, help="Only with an end that no notice of the calendar has settled.")
@click.option("--due-before", type=Time(), metavar="TIME", help="Only those that run and end before then.")
@click.option(
    "--city", metavar="CODE", help="Only where an organ of this division (GB/T 2260), or of one below it, must act."
)
@click.option("--participant", metavar="ID", help="Only where this organ must act.")
@click.option("--rule", metavar="RULE", help="Only of this rule (schemas/codes/clocks.toml).")
@LIMIT
@click.option("--after", metavar="MARK", help="Go on where the page before ended, by the word that it ended with.")
@AS_JSON
def command(
    overdue: bool,
    provisional: bool,
    due_before: int | None,
    city: str | None,
    participant: str | None,
    rule: str | None,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List the clocks that have not ended, the first due first. 期限列表。

    How they stand is what was last told. The JSON has `clocks` and, while there may be more, `after`.
    """
    if overdue and due_before is not None:
        raise click.UsageError("--overdue has passed and --due-before is still running: ask for one of them")
    with opened_desk() as (desk, clock):
        if rule is not None and not desk.laws.rules.versions(rule):
            raise click.BadParameter("no such rule; see schemas/codes/clocks.toml", param_hint="--rule")
        asked = ClockQuery(
            acting=wanted(desk.history().latest, city, participant),
            rule=rule,
            overdue=overdue,
            provisional=provisional,
            due_before=due_before,
            after=None if after is None else parse_mark(after),
            limit=limit,
        )
        found, place = desk.clocks(asked, clock.now_ms())
    more = format_mark(place) if place is not None and len(found) == limit else None
    if as_json:
        click.echo(json.dumps({"clocks": found, **({"after": more} if more else {})}, ensure_ascii=False))
        return
    screen = console()
    screen.print(clocks_table(found) if found else "没有期限 no such clock")
    if more:
        screen.print(f"后续 more: --after {more}", highlight=False, soft_wrap=True)


def clocks_table(found: Iterable[Mapping[str, Any]]) -> Table:
    """The table of a page."""
    table = plain_table("届满 due", "期限 clock", "状态 state", "办理 who acts", "案件 case", "事项 what")
    for line in found:
        marks = [(line["provisional"], " 暂定 provisional"), (line["advisory"], " 仅供参考 advisory")]
        state = f"{line['state_zh']} {line['state_en']}"
        table.add_row(
            shown_time(line.get("due_at")) + "".join(words for is_so, words in marks if is_so),
            escape(line["clock"]),
            f"[red]{state}[/]" if line["overdue"] else state,
            "\n".join(organ_words(organ) for organ in line["must_act"]),
            escape(line["case"]),
            escape(f"{line['zh']} {line['en']}"),
        )
    return table
