"""``ipx ledger completeness``: what the exchange stated of each day, and what the recipients' nodes answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.audit.sources import LogSource
from services.codec.released import load_released
from services.commands.audit_source import open_source, source_options
from services.events.receipt import CompletenessDisputed
from services.kernel.errors import Corrupt
from services.kernel.instants import format_day, parse_day
from services.ledger.answers import TYPES, Standing, standings
from services.runtime.fold import Logged
from services.runtime.records import read_logged
from services.runtime.topics import Topics

_TYPES = frozenset(name.encode() for name in TYPES)
_COLOURS = {"confirmed": "green", "disputed": "red", "silent": "yellow"}
_WORDS = {"confirmed": "confirmed 一致", "disputed": "disputed 有异议", "silent": "silent 未答复"}


@click.command("completeness")
@click.option("--day", metavar="DAY", help="One day only, YYYY-MM-DD in Asia/Shanghai.")
@source_options
def completeness(day: str | None, archive: Path | None, root_key: str | None, as_json: bool) -> None:
    """Tell what each recipient got on each day, and whether its node has the same. 投递完整性。

    The exchange states after each day what it delivered from each log partition; the recipient's node counts for itself and confirms or disputes. Exit code 1 when one
    disputes. Read from the log as it stands; `ipx audit verify-log` is what proves the log.
    """
    found = standings(_logged(open_source(archive, root_key)), None if day is None else parse_day(day))
    if as_json:
        click.echo(json.dumps({"statements": [document(each) for each in found]}, ensure_ascii=False))
    else:
        Console(width=160).print(_table(found))
    if any(each.state == "disputed" for each in found):
        raise SystemExit(1)


def document(standing: Standing) -> dict[str, Any]:
    """The JSON form of one statement with its answer."""
    stated, answer = standing.stated, standing.answer
    return {
        "id": standing.id,
        "day": format_day(stated.admitted_on),
        "recipient": stated.recipient,
        "log": stated.log,
        "state": standing.state,
        "first_number": stated.first_number,
        "count": stated.count,
        "root": stated.root,
        "senders": [asdict(sender) for sender in stated.senders],
        "stated_at": standing.stated_at,
        "answered_at": standing.answered_at,
        "answer": None
        if answer is None
        else {
            "first_number": answer.first_number,
            "count": answer.count,
            "root": answer.root,
            "differs_at": answer.differs_at if isinstance(answer, CompletenessDisputed) else None,
            "source": answer.source if isinstance(answer, CompletenessDisputed) else None,
        },
    }


def _logged(source: LogSource) -> Iterator[Logged]:
    """The entries about completeness, and no others decoded."""
    released = load_released(source.schemas_dir / "released")
    receipts = f"{Topics(source.exchange).log('receipts')}/"
    for log in source.logs():
        if not log.startswith(receipts):
            continue
        for record in source.records(log):
            if any(name == "ce_type" and value in _TYPES for name, value in record.headers):
                try:
                    yield read_logged(record, released.with_digest)
                except Corrupt as error:
                    raise Corrupt(f"{error}; `ipx audit verify-log` says more") from error


def _table(found: tuple[Standing, ...]) -> Table:
    table = Table("day", "recipient", "log", box=None, padding=(0, 2, 0, 0))
    for name in ("numbers", "copies", "senders"):
        table.add_column(name, justify="right")
    table.add_column("answer")
    for each in found:
        stated = each.stated
        last = stated.first_number + stated.count - 1
        words = _WORDS[each.state]
        if isinstance(each.answer, CompletenessDisputed):
            words += f" {each.answer.differs_at}"
        table.add_row(
            format_day(stated.admitted_on),
            escape(stated.recipient),
            escape(stated.log),
            f"{stated.first_number}–{last}",
            str(stated.count),
            str(len(stated.senders)),
            f"[{_COLOURS[each.state]}]{words}[/]",
        )
    return table
