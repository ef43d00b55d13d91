"""``ipx clocks list``: statutory terms of all cases that have not ended, the first due first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable

import click
from rich.markup import escape
from rich.table import Table

from services.commands.case_options import (
    AS_JSON,
    LIMIT,
    Line,
    filters,
    format_mark,
    opened_desk,
    organ_words,
    parse_mark,
    plain_table,
    show_page,
    wanted,
)
from services.commands.clock_question import shown_time
from services.transfers.listing import ClockQuery


@click.command("list")
@filters("must act")
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
    place = None if after is None else parse_mark(after)
    with opened_desk() as (desk, clock):
        if rule is not None and not desk.laws.rules.versions(rule):
            raise click.BadParameter("no such rule; see schemas/codes/clocks.toml", param_hint="--rule")
        asked = ClockQuery(
            acting=wanted(desk.history().latest, city, participant),
            rule=rule,
            overdue=overdue,
            provisional=provisional,
            due_before=due_before,
            after=place,
            limit=limit,
        )
        found, last = desk.clocks(asked, clock.now_ms())
    more = format_mark(last) if last is not None and len(found) == limit else None
    show_page("clocks", found, more, clocks_table, as_json=as_json)


def clocks_table(found: Iterable[Line]) -> Table:
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
