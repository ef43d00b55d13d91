"""What a run is told as: a table in words per case and per organ, in Chinese and English, from what was counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from services.demo.ends import Trail
from services.demo.played import Played
from services.demo.scenario import Expectation
from services.demo.tally import Tally


@dataclass(frozen=True, slots=True)
class Told:
    """A scenario that was played: the ends that came and those that did not."""

    name: str
    title_zh: str
    title_en: str
    clues: int
    came: tuple[Expectation, ...]
    missing: tuple[Expectation, ...]


def told_of(play: Played, trail: Trail, screens: Mapping[str, str]) -> Told:
    """What became of a play."""
    missing = play.missing(trail, screens)
    came = tuple(e for e in play.ends(trail) if e not in missing)
    return Told(play.name, *play.titles, play.things, came, missing)


def cases_table(cases: Sequence[Told]) -> Table:
    """One row for each case: how it ended, in words; what did not come stands first."""
    table = Table(title="案例 Cases", title_justify="left", show_lines=True, expand=True)
    table.add_column("案例 case", ratio=2)
    table.add_column("件 cases", justify="right", no_wrap=True)
    table.add_column("结果 how it ended", ratio=5)
    for case in cases:
        ends = Text()
        for mark, style, expectations in (("✗ ", "bold red", case.missing), ("✓ ", "green", case.came)):
            for expected in expectations:
                ends.append(mark, style)
                ends.append(f"{expected.zh}\n  {expected.en}\n")
        ends.rstrip()
        table.add_row(Text(f"{case.title_zh}\n{case.title_en}"), str(case.clues), ends)
    return table


def organs_table(tally: Tally, names: Mapping[str, str]) -> Table:
    """One row for each organ that takes part: what it sent, what came, what its own system did with it."""
    table = Table(title="机关 Organs", title_justify="left", expand=True)
    table.add_column("城市 city", ratio=2)
    table.add_column("机关 organ", ratio=3)
    for heading in (
        "发出 sent",
        "收到 received",
        "入库 taken",
        "拒收 refused by system",
        "被拒 refused",
        "结果 results back",
    ):
        table.add_column(heading, justify="right", ratio=1)
    for organ, name in names.items():
        table.add_row(name, organ, *(str(count) for count in _counts(tally, organ)))
    return table


def _counts(tally: Tally, organ: str) -> tuple[int, ...]:
    received = sum(1 for _, recipient in tally.delivered if recipient == organ)
    return (
        sum(1 for statement in tally.published.values() if statement.source == organ),
        received,
        sum(1 for _, recipient in tally.committed if recipient == organ),
        sum(1 for declined in tally.declined.values() if declined.recipient == organ),
        sum(1 for refusal in tally.refusals.values() if refusal.source == organ),
        sum(1 for _, result in tally.results.values() if result.origin == organ),
    )


def sentences(tally: Tally, hosted: frozenset[str]) -> Iterable[str]:
    """What the numbers mean, one sentence each."""
    waiting = [d for entry in tally.entries.values() for d in entry.deliveries if d.recipient not in hosted]
    yield (
        f"{len(tally.published)} events were published, {len(tally.entries)} admitted, {len(tally.refusals)} refused "
        f"with a reason; {len(tally.committed)} copies are in cities' systems, {len(tally.declined)} refused there."
    )
    if waiting:
        organs = len({d.recipient for d in waiting})
        yield f"{len(waiting)} copies wait in the inboxes of {organs} organs that run no node in this demo."
    yield (
        f"Read again offline: {tally.records} records of {len(tally.logs)} log partitions and "
        f"{len({owner for owner, _ in tally.inboxes})} inboxes; {tally.gaps} gaps, {tally.repeats} repeats."
    )


def outstanding(plays: Iterable[Played], trail: Trail, hosted: frozenset[str]) -> tuple[str, ...]:
    """What a run that has not come to rest still waits for, each in one line."""
    lines = [f"{play.name}: step not made: {play.waits_for}" for play in plays if not play.is_done]
    for play in plays:
        lines += [f"{play.name}: not come: {_said(e)}" for e in play.awaited(trail)]
    return (*lines, *on_the_way(trail, hosted))


def on_the_way(trail: Trail, hosted: frozenset[str]) -> tuple[str, ...]:
    """What was published and has no outcome, or was delivered and has no end, each in one line."""
    lines = []
    undecided, undelivered = trail.tally.undecided(), trail.tally.undelivered(hosted)
    if undecided:
        lines.append(f"{len(undecided)} published events have no outcome, among them {min(undecided)}")
    if undelivered:
        event, recipient = min(undelivered)
        lines.append(f"{len(undelivered)} copies have no end, among them {event} for {recipient}")
    return tuple(lines)


def _said(expected: Expectation) -> str:
    about = ", ".join(part for part in (expected.by, expected.code) if part)
    return f"{expected.clue} {expected.end}{f' ({about})' if about else ''}"
