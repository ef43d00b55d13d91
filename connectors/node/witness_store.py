"""What a witness must not forget: the last checkpoint that it cosigned of each log, its cosignatures, the split views. SQL over the node's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from connectors.kit.witness import NOTHING, Known

NEW: Final = "new"
SENT: Final = "sent"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Seen:
    """The last checkpoint cosigned of a log; ``note`` as the log signed it, without cosignatures."""

    origin: str
    known: Known
    note: bytes
    cosigned_ms: int


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A note with the cosignature of one participant, on its way to the exchange."""

    origin: str
    participant: str
    note: bytes


@dataclass(frozen=True, slots=True)
class SplitView:
    """Two notes of one log that contradict one another, and what shows it."""

    origin: str
    event: str
    seen_size: int
    seen_root: bytes
    seen_note: bytes
    offered_size: int
    offered_root: bytes
    offered_note: bytes
    prefix_root: bytes | None
    proof: bytes
    found_ms: int


def seen(db: sqlite3.Connection, origin: str) -> Seen | None:
    """The last checkpoint cosigned of the log; None when there is none."""
    row = db.execute("select size, root, note, cosigned_ms from witnessed where origin = ?", (origin,)).fetchone()
    return None if row is None else Seen(origin, Known(int(row[0]), bytes(row[1])), bytes(row[2]), int(row[3]))


def known(db: sqlite3.Connection, origin: str) -> Known:
    """Its size and root; those of an empty tree when there is none."""
    found = seen(db, origin)
    return NOTHING if found is None else found.known


def cosigned(db: sqlite3.Connection, now: Seen, cosignatures: Iterable[Cosignature]) -> None:
    """Remembers a checkpoint and the cosignatures over it, which are new and replace those of the one before."""
    db.execute(
        "insert into witnessed values (?, ?, ?, ?, ?) on conflict (origin) do update set size = excluded.size,"
        " root = excluded.root, note = excluded.note, cosigned_ms = excluded.cosigned_ms",
        (now.origin, now.known.size, now.known.root, now.note, now.cosigned_ms),
    )
    db.executemany(
        "insert into cosignatures values (?, ?, ?, 'new') on conflict (origin, participant) do update set"
        " note = excluded.note, state = 'new'",
        [(one.origin, one.participant, one.note) for one in cosignatures],
    )


def waiting(db: sqlite3.Connection) -> list[Cosignature]:
    """Cosignatures that the exchange does not have yet; none of a log with an open split view."""
    rows = db.execute(
        "select origin, participant, note from cosignatures where state = 'new' and origin not in"
        " (select origin from split_views where cleared_ms is null) order by origin, participant"
    )
    return [Cosignature(str(origin), str(participant), bytes(note)) for origin, participant, note in rows]


def settle(db: sqlite3.Connection, one: Cosignature, state: str) -> None:
    """What became of it; a later one of the same log and participant is left alone."""
    db.execute(
        "update cosignatures set state = ? where origin = ? and participant = ? and note = ?",
        (state, one.origin, one.participant, one.note),
    )


def keep_split(db: sqlite3.Connection, found: SplitView) -> bool:
    """Keeps a split view, open; False when these very two notes are kept already."""
    row = (
        found.origin,
        found.event,
        found.seen_size,
        found.seen_root,
        found.seen_note,
        found.offered_size,
        found.offered_root,
        found.offered_note,
        found.prefix_root,
        found.proof,
        found.found_ms,
    )
    kept = db.execute(
        "insert into split_views (origin, event, seen_size, seen_root, seen_note, offered_size, offered_root, offered_note,"
        " prefix_root, proof, found_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict (origin, seen_note, offered_note) do update set cleared_ms = null, reason = null"
        " where cleared_ms is not null returning event",
        row,
    ).fetchone()
    return kept is not None


def is_split(db: sqlite3.Connection, origin: str) -> bool:
    """Whether the log has a split view that nobody has cleared: it gets no cosignature."""
    return (
        db.execute("select 1 from split_views where origin = ? and cleared_ms is null limit 1", (origin,)).fetchone()
        is not None
    )


def open_splits(db: sqlite3.Connection) -> int:
    """How many split views are open."""
    return int(db.execute("select count(*) from split_views where cleared_ms is null").fetchone()[0])


def listed_splits(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every split view, newest first, with its proof."""
    rows = db.execute(
        "select origin, event, seen_size, seen_root, seen_note, offered_size, offered_root, offered_note, prefix_root, proof,"
        " found_ms, cleared_ms, reason from split_views order by n desc"
    )
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def clear(db: sqlite3.Connection, origin: str, reason: str, at_ms: int, *, forget: bool) -> int:
    """Clears the open split views of a log; with ``forget`` the next checkpoint is taken as the first one seen. How many were open."""
    cleared = db.execute(
        "update split_views set cleared_ms = ?, reason = ? where origin = ? and cleared_ms is null",
        (at_ms, reason, origin),
    ).rowcount
    if cleared and forget:
        db.execute("delete from witnessed where origin = ?", (origin,))
        db.execute("delete from cosignatures where origin = ?", (origin,))
    return cleared


def listed(db: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """Each log that is witnessed: how far, since when, who of us has told the exchange, and whether its view is split."""
    found: dict[str, dict[str, Any]] = {
        str(origin): {
            "size": int(size),
            "root": f"sha256:{root.hex()}",
            "cosigned_ms": int(at_ms),
            "cosignatures": {},
            "is_split": is_split(db, origin),
        }
        for origin, size, root, at_ms in db.execute(
            "select origin, size, root, cosigned_ms from witnessed order by origin"
        ).fetchall()
    }
    for origin, participant, state in db.execute("select origin, participant, state from cosignatures").fetchall():
        if str(origin) in found:
            found[str(origin)]["cosignatures"][str(participant)] = str(state)
    return found
