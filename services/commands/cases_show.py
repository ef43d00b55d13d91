"""``ipx cases show``: the story of one case, its clocks with their explanation, and who must act next."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from services.commands.case_options import AS_JSON, console, opened_desk, organ_words, plain_table
from services.commands.clock_question import shown_time
from services.commands.times import Time
from services.kernel.errors import Refused

Document = Mapping[str, Any]


@click.command("show")
@click.argument("case")
@click.option("--at", "asked_ms", type=Time(), metavar="TIME", help="Judge the clocks at this time; now unless given.")
@AS_JSON
def command(case: str, asked_ms: int | None, as_json: bool) -> None:
    """Show a case: who must act next, its clocks and why they end when they do, its parties and its story. 案件经过及期限。

    With --at the clocks stand as at that time by what is known of the case now.
    """
    with opened_desk() as (desk, clock):
        document = desk.case(case, clock.now_ms() if asked_ms is None else asked_ms, None)
    if document is None:
        raise Refused("not-found", f"there is no case {case[:80]}", field="case")
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        show(document, console())


def show(document: Document, screen: Console) -> None:
    """The document on a screen."""
    closed = "，已结 closed" if document["closed"] else ""
    screen.print(f"[bold]{escape(document['case'])}[/bold] {escape(document['title'])}", highlight=False)
    screen.print(
        f"{document['kind_zh']} {document['kind_en']} · {document['state_zh']} {document['state_en']}{closed}",
        highlight=False,
    )
    if document["relates_to"]:
        screen.print(f"关联 related: {escape('、'.join(document['relates_to']))}", highlight=False)
    _next(document["next"], screen)
    for clock in document["open_clocks"]:
        _clock(clock, screen)
    _parts(document["parts"], screen)
    _story(document["story"], screen)
    for clock in document["ended_clocks"]:
        _clock(clock, screen)
    for one in document["no_clocks"]:
        screen.print(escape(f"{one['zh']} {one['en']}"), highlight=False)
    _possible(document["possible"], screen)


def _next(lines: Iterable[Document], screen: Console) -> None:
    table = plain_table("下一步 who must act next", "期限 clock", "届满 due", "事项 what")
    for line in lines:
        due = shown_time(line.get("due_at"))
        table.add_row(
            organ_words(line),
            escape(line["clock"]),
            f"[red]{due} 逾期 overdue[/]" if line["overdue"] else due,
            escape(f"{line['zh']} {line['en']}"),
        )
    if table.rows:
        screen.print("")
        screen.print(table)


def _clock(clock: Document, screen: Console) -> None:
    marks = [(clock["provisional"], "暂定 provisional"), (clock["advisory"], "仅供参考 advisory")]
    said = "".join(f" · {words}" for is_so, words in marks if is_so)
    state = f"{clock['state_zh']} {clock['state_en']}"
    colour = "red" if clock["overdue"] else "bold"
    name = f"{clock.get('zh', clock['rule'])} {clock.get('en', '')}"
    screen.print(
        f"\n[{colour}]{escape(clock['clock'])} {escape(name)}: {state}[/] {shown_time(clock.get('due_at'))}{said}",
        highlight=False,
    )
    for language in ("zh", "en"):
        screen.print(f"  {escape(clock['explanation'][language])}", soft_wrap=True, highlight=False)


def _parts(parts: Iterable[Document], screen: Console) -> None:
    table = plain_table("角色 role", "机关 organ")
    for part in parts:
        table.add_row(f"{part['role_zh']} {part['role_en']}", organ_words(part))
    screen.print("")
    screen.print(table)


def _story(story: Iterable[Document], screen: Console) -> None:
    table = plain_table("发生 happened", "准入 admitted", "机关 by", "经过 story")
    for step in story:
        told = "".join(f"\n  {moment['zh']} {moment['en']}" for moment in step["moments"])
        table.add_row(
            shown_time(step["happened_at"]),
            shown_time(step["admitted_at"]),
            organ_words(step["by"]),
            escape(f"{step['zh']} {step['en']}{told}"),
        )
    screen.print("")
    screen.print(table)


def _possible(parties: Iterable[Document], screen: Console) -> None:
    table = plain_table("机关 organ", "现在可以 may now")
    for party in parties:
        moves = "、".join(f"{move['zh']} {move['en']} ({move['move']})" for move in party["moves"])
        table.add_row(organ_words(party), escape(moves))
    if table.rows:
        screen.print("")
        screen.print(table)
