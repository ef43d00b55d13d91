"""What operators see of a node, and what they may ask of it: read from its database, beside the running node. No content.

A redrive marks rows; the running node takes them up within a second or two, a stopped one when it starts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connectors.kit import dead_letters
from connectors.kit.dead_letters import TO_CITY
from connectors.node import case_entries, deliveries, happenings, outbox, witness_store
from connectors.node.config import NodeConfig
from connectors.node.journal import open_database
from services.kernel.errors import BadSettings


@contextmanager
def opened(path: Path, *, read_only: bool = True) -> Iterator[sqlite3.Connection]:
    """The node's database; ``BadSettings`` when there is none yet."""
    if not path.is_file():
        raise BadSettings(f"{path}: no database; the node has not run with this configuration yet")
    db = open_database(path, read_only=read_only)
    try:
        if db.execute("select 1 from sqlite_master where name = 'members_log'").fetchone() is None:
            raise BadSettings(f"{path} is of an older release; it is brought up to date when the node is started once")
        yield db
    finally:
        db.close()


def status(config: NodeConfig, db: sqlite3.Connection) -> dict[str, Any]:
    """Per participant what came, what went and where reading stands; totals of what a person should look at."""
    sent, came, told, clocks = outbox.counts(db), deliveries.counts(db), happenings.counts(db), case_entries.counts(db)
    participants = {}
    for member in config.participants:
        connector = config.connector_name(member) if member.city is not None else None
        numbers = db.execute("select log, next from numbers where participant = ? order by log", (member.id,))
        participants[member.id] = {
            "connector": connector,
            "outbox": sent.get(member.id, {}),
            "deliveries": came.get(member.id, {}),
            "happenings": told.get(connector or "", {}),
            "clocks_compared": clocks.get(member.id, {}),
            "numbers": {str(log): int(following) for log, following in numbers},
            "oldest_pending_ms": _oldest_pending(db, member.id),
        }
    return {
        "node": config.node.name,
        "participants": participants,
        "dead_letters": dead_letters.count(db),
        "witness": {"logs": witness_store.listed(db), "open_split_views": witness_store.open_splits(db)},
        "unverified": int(db.execute("select count(*) from unverified").fetchone()[0]),
    }


def _oldest_pending(db: sqlite3.Connection, participant: str) -> int | None:
    row = db.execute(
        "select min(received_ms) from deliveries where participant = ? and state = 'pending'", (participant,)
    ).fetchone()
    return None if row[0] is None else int(row[0])


def listed_outbox(db: sqlite3.Connection, *, state: str | None, kind: str | None, limit: int) -> list[dict[str, Any]]:
    """Events and receipts on their way to the exchange, newest first."""
    return outbox.listed(db, state=state, kind=kind, limit=limit)


def listed_dead_letters(db: sqlite3.Connection, *, connector: str | None, limit: int) -> list[dict[str, Any]]:
    """What was set aside, with its reason; never what it says."""
    return [
        {
            "connector": letter.connector,
            "way": letter.way,
            "item": letter.item,
            "type": letter.type,
            "code": letter.code,
            "field": letter.field,
            "reason": letter.reason,
            "at_ms": letter.at_ms,
        }
        for letter in dead_letters.listed(db, connector, limit)
    ]


def listed_split_views(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every split view that the node found, newest first: both notes as text, hashes in hexadecimal."""
    return [
        {
            name: value.decode() if name.endswith("_note") else value.hex() if isinstance(value, bytes) else value
            for name, value in row.items()
        }
        for row in witness_store.listed_splits(db)
    ]


def clear_split_view(db: sqlite3.Connection, origin: str, reason: str, now_ms: int, *, forget: bool) -> int:
    """Lets the node cosign this log again; with ``forget`` it takes the next checkpoint as the first. How many split views were open."""
    with db:
        db.execute("begin immediate")
        return witness_store.clear(db, origin, reason, now_ms, forget=forget)


def redrive(db: sqlite3.Connection, *, connector: str | None, item: str | None, now_ms: int) -> list[dict[str, str]]:
    """Marks dead letters to be driven again, all that fit; which they were."""
    with db:
        db.execute("begin immediate")
        marked = dead_letters.mark_redrive(db, connector=connector, item=item)
        for target, way, letter in marked:
            if way == TO_CITY:
                deliveries.redrive(db, target, letter, now_ms)
    return [{"connector": target, "way": way, "item": letter} for target, way, letter in marked]
