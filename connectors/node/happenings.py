"""Happenings: what a city's system told, once for each of its own ids. SQL over the node's database."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Happening:
    """What is remembered of one: by its digest a repeat is told from another happening under the same id."""

    connector: str
    item: str
    digest: bytes
    state: str
    event: str | None
    at_ms: int


def known(db: sqlite3.Connection, connector: str, item: str) -> tuple[bytes, str] | None:
    """Digest and state of a happening had before; None for a new one."""
    row = db.execute(
        "select digest, state from happenings where connector = ? and item = ?", (connector, item)
    ).fetchone()
    return None if row is None else (bytes(row[0]), str(row[1]))


def keep(db: sqlite3.Connection, happening: Happening) -> None:
    """Remembers it; one that was dead and is driven again gets its new state."""
    db.execute(
        "insert into happenings values (?, ?, ?, ?, ?, ?) on conflict (connector, item) do update set"
        " digest = excluded.digest, state = excluded.state, event = excluded.event, at_ms = excluded.at_ms",
        (happening.connector, happening.item, happening.digest, happening.state, happening.event, happening.at_ms),
    )


def counts(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """How many happenings of each connector are in each state."""
    found: dict[str, dict[str, int]] = {}
    for connector, state, number in db.execute(
        "select connector, state, count(*) from happenings group by connector, state"
    ):
        found.setdefault(str(connector), {})[str(state)] = int(number)
    return found
