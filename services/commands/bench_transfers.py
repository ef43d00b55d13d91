"""``ipx bench transfers``: verdicts, the fold of cases, ten thousand ends at once, and what a table of a million cases costs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from services.codec.released import load_released
from services.commands.made_cases import Log, OneRegistry
from services.commands.made_exchange import made_exchange
from services.commands.other_commands import run_ipx
from services.commands.peak_memory import peak_memory_mb
from services.commands.transfers_run import RoomRun, burst, mixed, pure_fold, scratch_database, verdicts_per_s
from services.kernel.clock_documents import load_clock_rules
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import Transient
from services.members.registry import Registry
from services.runtime.settings import CommonSettings
from services.runtime.shell import SystemEntropy, clock_of

FEWER = 100_000
"""The table that the one of ``--cases`` is compared with."""
CLOCKS = 10_000
_VERDICTS_S = 2.0
_PART = 9_000
"""Events by which two tables are compared, in turn."""
_FOUNDED_MS = 1_767_229_200_000  # 2026-01-01 09:00 in Beijing: what is made here happens in the year after
_YEAR_MS = 365 * 86_400_000


@click.command("transfers")
@click.option(
    "--events", type=click.IntRange(1_000, 1_000_000), default=45_000, show_default=True, help="Events of cases folded."
)
@click.option(
    "--cases",
    type=click.IntRange(0, 10_000_000),
    default=1_000_000,
    show_default=True,
    help="Cases in the larger table; 0 leaves that part out.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(events: int, cases: int, as_json: bool) -> None:
    """Measure the transfers room: verdicts, its fold alone, its fold on PostgreSQL, 10,000 ends that come at once, a table of many cases.

    Starts PostgreSQL if it is not up, and works in a database of its own, which it removes at the end. Beside the room its fold without
    database and signatures; beside the large table a smaller one, folded into in the same run.
    """
    run_ipx("up", "--only", "postgres")
    settings = CommonSettings.load()
    report = _measure(settings, events, cases)
    if as_json:
        click.echo(json.dumps(report))
    else:
        _show(report)


def _measure(settings: CommonSettings, events: int, cases: int) -> dict[str, Any]:
    console = Console(stderr=True)
    released, history = load_released(), made_exchange(1_000, _FOUNDED_MS).history
    registry: Registry = history.at(history.size)
    log = Log(released, registry.size, _FOUNDED_MS)
    name = f"bench_{SystemEntropy().draw(4).hex()}"
    with console.status("verdicts") as status:
        rules = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
        judged = verdicts_per_s(rules, registry.calendar, _FOUNDED_MS, _VERDICTS_S)
        status.update(f"{events} events of cases")
        made = mixed(log, events, "FOLD")
        status.update("fold")
        folded, derived = pure_fold(made, released, OneRegistry(registry))
        report = {
            "verdicts_per_s": judged.per_s,
            "fold_events_per_s": folded.per_s,
            "derived_per_event": round(derived / len(made), 2),
        }
        with scratch_database(settings.postgres_dsn.get_secret_value(), name) as dsn:
            room = RoomRun(released, registry, clock_of(settings.clock_file), dsn)
            try:
                status.update("room")
                report["room_events_per_s"] = room.fold(made).per_s
                room.clear()
                status.update(f"{CLOCKS} ends at once")
                report |= _burst(room, log)
                room.clear()
                if cases:
                    report |= _tables(room, log, cases, status.update)
            finally:
                room.database.close()
    return {
        "events": len(made),
        **report,
        "peak_rss_mb": peak_memory_mb({"bench": os.getpid()}),
        "cores": os.cpu_count(),
    }


def _burst(room: RoomRun, log: Log) -> dict[str, Any]:
    """Warned beforehand, then the ends alone: seconds until all of them are in the outbox."""
    room.fold(burst(log, CLOCKS))
    started = room.outbox()
    warned = room.warned(CLOCKS)
    told = room.tick(log.at_ms + _YEAR_MS)
    if room.outbox() - started != warned + CLOCKS:
        raise Transient(f"{room.outbox() - started} events were told of {CLOCKS} clocks")
    return {
        "burst_clocks": told.count,
        "burst_told_within_s": round(told.seconds, 2),
        "burst_clocks_per_s": told.per_s,
    }


def _tables(room: RoomRun, log: Log, cases: int, told: Any) -> dict[str, Any]:
    """The same fold into a table of some and of many cases."""
    speeds = []
    for size in (min(FEWER, cases), cases):
        room.fill(size, log, lambda number: told(f"{number} of {cases} cases kept"))
        told(f"fold beside {size} cases")
        runs = [room.fold_again(mixed(log, _PART, f"{size}-{turn}")) for turn in range(3)]
        speeds.append(max(run.per_s for run in runs))
    return {
        "cases": cases,
        "events_per_s_with_fewer": speeds[0],
        "events_per_s_with_many": speeds[1],
        "fewer": min(FEWER, cases),
        "ratio": round(speeds[1] / speeds[0], 3),
    }


def _show(report: Mapping[str, Any]) -> None:
    table = Table(title=f"{report['events']} events of cases, {report['derived_per_event']} derived from each")
    table.add_column("")
    table.add_column("per second", justify="right")
    rows = [
        ("verdicts with their explanation 期限结论", "verdicts_per_s"),
        ("fold alone 纯折叠", "fold_events_per_s"),
        ("room on PostgreSQL 案件移送组件", "room_events_per_s"),
        (f"ends that come at once ({report['burst_told_within_s']} s) 同时届满", "burst_clocks_per_s"),
    ]
    if "ratio" in report:
        rows += [
            (f"room beside {report['fewer']:,} cases", "events_per_s_with_fewer"),
            (f"room beside {report['cases']:,} cases", "events_per_s_with_many"),
        ]
    for words, key in rows:
        table.add_row(words, f"{report[key]:,.0f}")
    console = Console()
    console.print(table)
    if "ratio" in report:
        console.print(f"ratio of the two tables 比值: {report['ratio']:.2f}")
