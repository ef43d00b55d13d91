"""Dead letters: what could not be handed on and will not be tried again by itself, each with its reason. SQLite.

A letter is written in the same transaction as the state that it explains. It keeps what is needed to drive it again, and is
listed until somebody does. ``way`` says in which direction it was going.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

FROM_CITY: Final = "from_city"
TO_CITY: Final = "to_city"

TABLE: Final = """
create table if not exists dead_letters (
  n         integer primary key autoincrement,
  connector text not null,
  way       text not null check (way in ('from_city', 'to_city')),
  item      text not null,             -- the city's id of the happening, or the event id
  type      text,
  code      text not null,             -- why, from a closed list
  field     text,
  reason    text not null,             -- a sentence without any field's value
  payload   blob,                      -- the happening as it came; null where the event is kept elsewhere
  at_ms     integer not null,
  state     text not null default 'dead' check (state in ('dead', 'redrive', 'redriven')),
  unique (connector, way, item)
);
create index if not exists dead_letters_state on dead_letters (state, connector);
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter."""

    connector: str
    way: str
    item: str
    type: str | None
    code: str
    field: str | None
    reason: str
    payload: bytes | None
    at_ms: int


def put(db: sqlite3.Connection, letter: Letter) -> None:
    """Writes the letter; one that was driven again and came back is dead again, with its new reason."""
    db.execute(
        "insert into dead_letters (connector, way, item, type, code, field, reason, payload, at_ms)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (connector, way, item) do update set type = excluded.type,"
        " code = excluded.code, field = excluded.field, reason = excluded.reason, payload = excluded.payload,"
        " at_ms = excluded.at_ms, state = 'dead'",
        (
            letter.connector,
            letter.way,
            letter.item,
            letter.type,
            letter.code,
            letter.field,
            letter.reason,
            letter.payload,
            letter.at_ms,
        ),
    )


def mark_redrive(db: sqlite3.Connection, *, connector: str | None, item: str | None) -> list[tuple[str, str, str]]:
    """Marks dead letters to be driven again, all that fit; connector, way and item of each."""
    rows = db.execute(
        "update dead_letters set state = 'redrive' where state = 'dead' and connector = coalesce(?, connector)"
        " and item = coalesce(?, item) returning connector, way, item",
        (connector, item),
    ).fetchall()
    return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]


def wake_unknown(db: sqlite3.Connection, connector: str) -> None:
    """A new reference of the city is known: happenings that were set aside for an unknown one are tried again."""
    db.execute(
        "update dead_letters set state = 'redrive' where state = 'dead' and connector = ? and way = 'from_city'"
        " and code = 'unknown-reference'",
        (connector,),
    )


def to_redrive(db: sqlite3.Connection, connector: str, limit: int = 200) -> list[Letter]:
    """Letters from the city of that connector that wait to be driven again, oldest first."""
    rows = db.execute(
        "select connector, way, item, type, code, field, reason, payload, at_ms from dead_letters"
        " where state = 'redrive' and way = 'from_city' and connector = ? order by n limit ?",
        (connector, limit),
    ).fetchall()
    return [Letter(*row) for row in rows]


def settle(db: sqlite3.Connection, connector: str, way: str, item: str) -> None:
    """The letter was driven again and went where it should."""
    db.execute(
        "update dead_letters set state = 'redriven', payload = null where connector = ? and way = ? and item = ?",
        (connector, way, item),
    )


def listed(db: sqlite3.Connection, connector: str | None = None, limit: int = 1000) -> list[Letter]:
    """Letters that are dead, oldest first."""
    rows = db.execute(
        "select connector, way, item, type, code, field, reason, payload, at_ms from dead_letters"
        " where state = 'dead' and connector = coalesce(?, connector) order by n limit ?",
        (connector, limit),
    ).fetchall()
    return [Letter(*row) for row in rows]


def count(db: sqlite3.Connection) -> int:
    """How many are dead."""
    return int(db.execute("select count(*) from dead_letters where state = 'dead'").fetchone()[0])
