"""What the rooms derive beside what the logs say that they derived, in the store of a replay: which differ, which were invented, which are missing.

A derived event is the same bytes at every replay (design principle 4): statement and body are compared, the signature is not, which only the room's key can make
and ``verify-log`` checks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from services.audit.refold import Derived
from services.audit.sources import Finding
from services.codec.statement import format_statement
from services.runtime.fold import Logged

_LIMIT: Final = 100
_TABLES: Final = """
create table derived (id text primary key, statement blob, body blob, cause text, room text, time_ms integer);
create table said (id text primary key, statement blob, body blob, cause text, topic text, partition integer, at integer, seq integer,
                   admitted_ms integer);
"""
_DIFFER: Final = """
select s.topic, s.partition, s.at, s.seq, s.statement, s.body, d.statement, d.body from said s join derived d on d.id = s.id
where s.statement <> d.statement or s.body <> d.body order by s.admitted_ms, s.topic, s.partition, s.seq limit ?"""
_INVENTED: Final = """
select s.topic, s.partition, s.at, s.seq, s.id, s.cause from said s where not exists (select 1 from derived d where d.id = s.id)
order by s.admitted_ms, s.topic, s.partition, s.seq limit ?"""
_MISSING: Final = """
select d.id, d.cause, d.room, d.statement from derived d where not exists (select 1 from said s where s.id = d.id) and d.time_ms < ?
order by d.time_ms, d.id limit ?"""
_PENDING: Final = """
select count(*) from derived d where not exists (select 1 from said s where s.id = d.id) and d.time_ms >= ?"""


class Derivations:
    """Over the store of a replay."""

    def __init__(self, store: sqlite3.Connection) -> None:
        store.executescript(_TABLES)
        self._store = store

    def derived(self, room: str, derived: Derived) -> None:
        """The room derives this; a second time is the same event."""
        row = (derived.id, derived.statement, derived.body, derived.cause, room, derived.time_ms)
        self._store.execute("insert or ignore into derived values (?, ?, ?, ?, ?, ?)", row)

    def said(self, logged: Logged, body: bytes) -> None:
        """The log has this event of a room."""
        statement = logged.entry.statement
        row = (
            *(logged.id, format_statement(statement), body, statement.cause),
            *(logged.topic, logged.partition, logged.offset, logged.seq, logged.admitted_ms),
        )
        self._store.execute("insert or ignore into said values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def count(self) -> int:
        """How many derived events the logs have."""
        return int(self._store.execute("select count(*) from said").fetchone()[0])

    def last_said_ms(self) -> int:
        """When the last of them was admitted; 0 without any."""
        return int(self._store.execute("select coalesce(max(admitted_ms), 0) from said").fetchone()[0])

    def pending(self, until_ms: int) -> int:
        """How many are derived from what came after that instant and are not in the logs yet."""
        return int(self._store.execute(_PENDING, (until_ms,)).fetchone()[0])

    def disagreements(self, exchange: str, until_ms: int) -> Iterator[Finding]:
        """Where they disagree, the earliest first within each kind; what follows from after ``until_ms`` may be missing yet."""
        for topic, partition, at, seq, statement, body, right, right_body in self._store.execute(_DIFFER, (_LIMIT,)):
            part = (
                _first_line(statement, right)
                or f"the body is {body.hex()[:80]}, the rooms give {right_body.hex()[:80]}"
            )
            yield Finding("derived-differs", topic, partition, part, at, seq)
        for topic, partition, at, seq, event, cause in self._store.execute(_INVENTED, (_LIMIT,)):
            sentence = f"{event} says that it follows from {cause}; the rooms derive no such event"
            yield Finding("derived-invented", topic, partition, sentence, at, seq)
        for event, cause, room, statement in self._store.execute(_MISSING, (until_ms, _LIMIT)):
            lines = dict(line.split(": ", 1) for line in statement.decode().splitlines()[1:])
            sentence = f"{lines['type']} {event} of {lines['subject']} follows from {cause}, and is in no log"
            yield Finding("derived-missing", f"{exchange}.{room}", 0, sentence)


def _first_line(found: bytes, right: bytes) -> str | None:
    for one, other in zip(found.decode().splitlines(), right.decode().splitlines(), strict=False):
        if one != other:
            return f"the statement has {one!r}, the rooms give {other!r}"
    return None
