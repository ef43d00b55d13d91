"""``ipx cases list``: cases by what is asked for, a page at a time, in the order of their numbers."""

from __future__ import annotations

from collections.abc import Iterable

import click
from rich.markup import escape
from rich.table import Table

from services.commands.case_options import AS_JSON, LIMIT, Line, filters, opened_desk, plain_table, show_page, wanted
from services.commands.clock_question import shown_time
from services.transfers.listing import CaseQuery


@click.command("list")
@filters("plays a part")
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
    show_page("cases", found, last, cases_table, as_json=as_json)


def cases_table(found: Iterable[Line]) -> Table:
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
