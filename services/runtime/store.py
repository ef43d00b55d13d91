"""The statements behind the runner and the relay, over the tables of ``store.sql``; the transaction is the caller's.

Locks are always taken in one order (positions by topic and partition, then states by key), so that two workers of one
room cannot wait for one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONEncoder
from typing import Any

import psycopg.errors
from psycopg import sql
from psycopg.types.json import Jsonb

from services.kernel.errors import Transient
from services.runtime.planner import Place, Position
from services.runtime.postgres import Connection
from services.runtime.proposals import Proposal

CHANNEL = "ipx_outbox"
"""Where a committed outbox is told (NOTIFY), with the room as payload."""

State = tuple[dict[str, Any], int | None]
"""A state's JSON and its due time."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A row of the outbox that is not published yet."""

    n: int
    proposal: Proposal


class Store:
    """The tables of one room."""

    def __init__(self, room: str) -> None:
        self.room = room
        names = {table: sql.Identifier(room, table) for table in ("state", "position", "outbox")}
        self._sql = {name: sql.SQL(text).format(**names) for name, text in _STATEMENTS.items()}

    def positions(self, connection: Connection) -> dict[Place, Position]:
        """Every stored position, without a lock."""
        return _positions(connection.execute(self._sql["positions"]).fetchall())

    def lock_positions(self, connection: Connection, places: Iterable[Place]) -> dict[Place, Position]:
        """The positions of these partitions, held until the transaction ends; rows are made where there are none."""
        ordered = sorted(places)
        given = ([topic for topic, _ in ordered], [partition for _, partition in ordered])
        rows = connection.execute(self._sql["lock_positions"], given).fetchall()
        if len(rows) < len(ordered):
            connection.execute(self._sql["make_positions"], given)
            rows = connection.execute(self._sql["lock_positions"], given).fetchall()
        return _positions(rows)

    def lock_states(self, connection: Connection, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The JSON of the states that exist, held until the transaction ends."""
        return dict(connection.execute(self._sql["lock_states"], (sorted(keys),)).fetchall())

    def lock_due(self, connection: Connection, until_ms: int, limit: int) -> dict[str, dict[str, Any]]:
        """States due up to a time, the earliest first; those that another worker holds are left to it."""
        return dict(connection.execute(self._sql["lock_due"], (until_ms, limit)).fetchall())

    def first_due(self, connection: Connection) -> int | None:
        """The earliest due time; None when no state wants a tick."""
        row = connection.execute(self._sql["first_due"]).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def storing(self, connection: Connection) -> Iterator[None]:
        """What is written inside goes to the database at once and is answered for at the end: it works while the caller does.

        ``Transient`` when another worker has made one of the new states meanwhile: then it must be loaded first.
        """
        try:
            with connection.pipeline():
                yield
        except psycopg.errors.UniqueViolation as error:
            raise Transient("another worker made a state at the same moment") from error

    def save_states(self, connection: Connection, states: Mapping[str, State | None], known: Iterable[str]) -> None:
        """Writes states, while ``storing``: those of ``known`` are there and locked, the others are new; None takes one away."""
        there = set(known)
        old = [key for key, state in states.items() if key in there and state is not None]
        new = sorted(key for key, state in states.items() if key not in there and state is not None)
        gone = [key for key, state in states.items() if key in there and state is None]
        if old:
            connection.execute(self._sql["update_states"], _columns(old, states))
        if gone:
            connection.execute(self._sql["delete_states"], (gone,))
        if new:
            connection.execute(self._sql["insert_states"], _columns(new, states))

    def save_positions(self, connection: Connection, positions: Mapping[Place, Position]) -> None:
        """Moves positions that are locked."""
        rows = [(p.next_seq, p.next_offset, p.admitted_ms, *place) for place, p in positions.items()]
        with connection.cursor() as cursor:
            cursor.executemany(self._sql["update_position"], rows)

    def append_outbox(self, connection: Connection, proposals: Sequence[Proposal]) -> None:
        """Adds proposals in order and tells the relay at commit."""
        if proposals:
            columns = (
                [p.topic for p in proposals],
                [p.key for p in proposals],
                [_json(p.headers) for p in proposals],
                [p.value for p in proposals],
            )
            connection.execute(self._sql["append_outbox"], columns)
            connection.execute("select pg_notify(%s, %s)", (CHANNEL, self.room))

    def pending(self, connection: Connection, limit: int) -> list[Pending]:
        """The first rows of the outbox that are not published, in order."""
        rows = connection.execute(self._sql["pending"], (limit,)).fetchall()
        return [
            Pending(n, Proposal(topic, bytes(key), tuple((name, text) for name, text in headers), bytes(value)))
            for n, topic, key, headers, value in rows
        ]

    def mark_published(self, connection: Connection, numbers: Sequence[int]) -> None:
        """Marks rows as published now."""
        connection.execute(self._sql["mark_published"], (list(numbers),))

    def backlog(self, connection: Connection) -> tuple[int, float]:
        """How many rows wait, and the age of the oldest in seconds."""
        row = connection.execute(self._sql["backlog"]).fetchone()
        return (0, 0.0) if row is None else (int(row[0]), float(row[1]))

    def prune(self, connection: Connection, older_than_s: float, limit: int) -> int:
        """Takes away published rows of that age, at most so many; says how many."""
        return connection.execute(self._sql["prune"], (older_than_s, limit)).rowcount


# Arrays go in binary (%b): as text psycopg would look at every quotation mark of every document, one by one.
_STATEMENTS = {
    "positions": "select topic, partition, next_seq, next_offset, admitted_ms from {position}",
    "lock_positions": """
        select topic, partition, next_seq, next_offset, admitted_ms from {position}
        where (topic, partition) in (select * from unnest(%s::text[], %s::int[]))
        order by topic, partition for update""",
    "make_positions": """
        insert into {position} select topic, partition, 0, 0, 0 from unnest(%s::text[], %s::int[]) as p (topic, partition)
        order by topic, partition on conflict do nothing""",
    "lock_states": "select key, state from {state} where key = any(%s) order by key for update",
    "lock_due": """
        select key, state from {state} where due_at <= %s order by due_at, key limit %s for update skip locked""",
    "first_due": "select min(due_at) from {state}",
    "update_states": """
        update {state} as s set state = d.state, due_at = d.due_at
        from unnest(%b::text[], %b::jsonb[], %b::bigint[]) as d (key, state, due_at) where s.key = d.key""",
    "insert_states": """
        insert into {state} (key, state, due_at)
        select * from unnest(%b::text[], %b::jsonb[], %b::bigint[]) as d (key, state, due_at) order by key""",
    "delete_states": "delete from {state} where key = any(%s)",
    "update_position": """
        update {position} set next_seq = %s, next_offset = %s, admitted_ms = %s where topic = %s and partition = %s""",
    "append_outbox": """
        insert into {outbox} (topic, key, headers, value)
        select topic, key, headers, value
        from unnest(%b::text[], %b::bytea[], %b::jsonb[], %b::bytea[]) with ordinality as p (topic, key, headers, value, n)
        order by n""",
    "pending": """
        select n, topic, key, headers, value from {outbox} where published_at is null order by n limit %s""",
    "mark_published": "update {outbox} set published_at = now() where n = any(%s)",
    "backlog": """
        select count(*), coalesce(extract(epoch from now() - min(created_at)), 0)
        from {outbox} where published_at is null""",
    "prune": """
        delete from {outbox} where n in (
            select n from {outbox} where published_at < now() - make_interval(secs => %s) limit %s)""",
}


_compact = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(value: Any) -> Jsonb:
    return Jsonb(value, dumps=_compact)


def _positions(rows: Iterable[tuple[Any, ...]]) -> dict[Place, Position]:
    return {(topic, partition): Position(seq, offset, at) for topic, partition, seq, offset, at in rows}


def _columns(keys: list[str], states: Mapping[str, State | None]) -> tuple[list[str], list[Jsonb], list[int | None]]:
    found = [state for key in keys if (state := states[key]) is not None]
    return keys, [_json(json) for json, _ in found], [due_at for _, due_at in found]
