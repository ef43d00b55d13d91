"""Where reading stands: cursors, and the next numbers of each participant. SQL over the node's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from connectors.node.numbering import Numbers


def cursor(db: sqlite3.Connection, name: str) -> str:
    """The cursor of that name, empty at the very beginning."""
    row = db.execute("select value from cursors where name = ?", (name,)).fetchone()
    return "" if row is None else str(row[0])


def move(db: sqlite3.Connection, name: str, value: str) -> None:
    """Sets a cursor."""
    db.execute(
        "insert into cursors values (?, ?) on conflict (name) do update set value = excluded.value", (name, value)
    )


def numbers(db: sqlite3.Connection, participant: str) -> Numbers:
    """The next numbers of a participant."""
    rows = db.execute("select log, next from numbers where participant = ?", (participant,)).fetchall()
    return Numbers.standing({str(log): int(following) for log, following in rows})


def keep_numbers(db: sqlite3.Connection, participant: str, following: Mapping[str, int]) -> None:
    """Stores the next numbers of a participant."""
    db.executemany(
        "insert into numbers values (?, ?, ?) on conflict (participant, log) do update set next = excluded.next",
        [(participant, log, number) for log, number in following.items()],
    )


def inbox_name(participant: str) -> str:
    """Name of the cursor of a participant's inbox."""
    return f"inbox/{participant}"


def pull_name(connector: str) -> str:
    """Name of the cursor of a connector's pull."""
    return f"pull/{connector}"
