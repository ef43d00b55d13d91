"""The table of outcomes: what admission decided on each event, kept in PostgreSQL with the place it was read to.

Rows and place are committed in one transaction, so a restart repeats nothing and leaves nothing out. Everything here
blocks and is called in a thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.events.receipt import OutcomeItem
from services.gateway.waits import supersedes
from services.runtime.postgres import Database

_TABLES = Path(__file__).with_name("outcomes.sql")
_DAY_MS = 86_400_000
_COLUMNS = "source, event, statement, outcome, code, field, message_zh, message_en, log, seq, at_ms"
_KEEP = f"""
insert into gateway.outcomes as kept ({_COLUMNS})
select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                     %s::text[], %s::bigint[], %s::bigint[])
on conflict (source, event) do update set
    statement = excluded.statement, outcome = excluded.outcome, code = excluded.code, field = excluded.field,
    message_zh = excluded.message_zh, message_en = excluded.message_en, log = excluded.log, seq = excluded.seq,
    at_ms = excluded.at_ms
where kept.outcome <> 'admitted' and excluded.outcome not in ('duplicate', 'conflict')
"""  # noqa: S608  (the column list above, nothing from outside)
_PLACE = """
insert into gateway.position (topic, next_offset) select * from unnest(%s::text[], %s::bigint[])
on conflict (topic) do update set next_offset = excluded.next_offset
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome with the source it was told to and when."""

    source: str
    item: OutcomeItem
    at_ms: int


class OutcomeStore:
    """Reads and writes ``gateway.outcomes`` and ``gateway.position``; ``Transient`` while PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prepare(self) -> None:
        """Makes the tables; does nothing the second time."""
        with self._database.transaction() as connection:
            connection.execute("select pg_advisory_xact_lock(4917263011)")  # two gateways that start together
            connection.execute(_TABLES.read_bytes())

    def positions(self) -> dict[str, int]:
        """Next offset by inbox topic."""
        with self._database.transaction() as connection:
            rows = connection.execute("select topic, next_offset from gateway.position").fetchall()
        return {str(topic): int(offset) for topic, offset in rows}

    def keep(self, outcomes: Iterable[Outcome], positions: Mapping[str, int]) -> None:
        """Stores outcomes and how far each inbox has been read, together."""
        kept = strongest(outcomes)
        with self._database.transaction() as connection:
            if kept:
                connection.execute(_KEEP, [list(column) for column in zip(*map(_row, kept), strict=True)])
            connection.execute(_PLACE, [list(positions.keys()), list(positions.values())])

    def find(self, event: str) -> list[Outcome]:
        """Every outcome of that event id, whoever sent it."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                f"select {_COLUMNS} from gateway.outcomes where event = %s",  # noqa: S608  (the column list above)
                (event,),
            ).fetchall()
        return [
            Outcome(
                source=r[0],
                item=OutcomeItem(
                    event=r[1],
                    statement=r[2],
                    outcome=r[3],
                    code=r[4],
                    field=r[5],
                    message_zh=r[6],
                    message_en=r[7],
                    log=r[8],
                    seq=r[9],
                ),
                at_ms=int(r[10]),
            )
            for r in rows
        ]

    def forget_before(self, now_ms: int, keep_days: int) -> int:
        """Deletes outcomes older than that many days; how many."""
        with self._database.transaction() as connection:
            return connection.execute(
                "delete from gateway.outcomes where at_ms < %s", (now_ms - keep_days * _DAY_MS,)
            ).rowcount


def strongest(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """For each source and event the one outcome to be kept, of several in order."""
    kept: dict[tuple[str, str], Outcome] = {}
    for outcome in outcomes:
        key = (outcome.source, outcome.item.event)
        known = kept.get(key)
        if known is None or supersedes(outcome.item.outcome, known.item.outcome):
            kept[key] = outcome
    return list(kept.values())


def _row(outcome: Outcome) -> tuple[object, ...]:
    item = outcome.item
    return (
        outcome.source,
        item.event,
        item.statement,
        item.outcome,
        item.code,
        item.field,
        item.message_zh,
        item.message_en,
        item.log,
        item.seq,
        outcome.at_ms,
    )
