"""The outbox: signed events and receipts on their way to the exchange, and what became of them. SQL over the node's database.

::

    new ──the gateway has it──▶ sent ──outcome──▶ admitted
     ▲                           │ ╲──outcome──▶ refused (so does a refusal of the gateway)
     └──no outcome in time───────┘
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Final

EVENT: Final = "event"
RECEIPT: Final = "receipt"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One signed event as it is first stored. ``statement`` is ``sha256:<hex>`` of the statement's text."""

    id: str
    participant: str
    kind: str
    type: str
    subject: str
    cause: str
    statement: str
    document: bytes
    trace: str | None
    connector: str | None
    item: str | None
    made_ms: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is sent of a row."""

    n: int
    id: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event: ``admitted`` with its place in a log, or ``refused`` with a code."""

    event: str
    statement: str | None
    admitted: bool
    log: str | None = None
    seq: int | None = None
    code: str | None = None
    field: str | None = None
    message_zh: str | None = None
    message_en: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """A row whose outcome was just learnt."""

    id: str
    kind: str
    type: str
    subject: str
    connector: str | None
    item: str | None


_VALUES: Final = attrgetter(*(field.name for field in fields(Outgoing)))
_INSERT: Final = (
    "insert into outbox (id, participant, kind, type, subject, cause, statement, document, trace, connector, item, made_ms)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing"
)


def insert(db: sqlite3.Connection, rows: Iterable[Outgoing]) -> None:
    """Stores new rows in order; one whose id is there already is left as it is, since a step is reported once."""
    db.executemany(_INSERT, [_VALUES(row) for row in rows])


def waiting(db: sqlite3.Connection, participant: str, most_rows: int, most_bytes: int) -> list[Waiting]:
    """The next rows to send, in order, within both limits (one row at least)."""
    rows = db.execute(
        "select n, id, document from outbox where participant = ? and state = 'new' order by n limit ?",
        (participant, most_rows),
    )
    found: list[Waiting] = []
    size = 0
    for n, event, document in rows:
        size += len(document)
        if found and size > most_bytes:
            break
        found.append(Waiting(int(n), str(event), bytes(document)))
    return found


def sent(db: sqlite3.Connection, rows: Sequence[Waiting], at_ms: int) -> None:
    """The gateway has them. An outcome that came before this was stored stands."""
    db.executemany(
        "update outbox set state = 'sent', sent_ms = ?, attempts = attempts + 1 where n = ? and state = 'new'",
        [(at_ms, row.n) for row in rows],
    )


def send_again(db: sqlite3.Connection, now_ms: int, after_ms: int) -> int:
    """Rows that were sent that long ago and have no outcome are new again; how many. Admission answers a repeat.

    Each further time the wait is doubled, up to 64 times, so that an exchange that is slow to decide is not flooded.
    """
    return db.execute(
        "update outbox set state = 'new' where state = 'sent' and sent_ms <= ?1 - ?2"
        " and sent_ms + ?2 * (1 << min(attempts - 1, 6)) <= ?1",
        (now_ms, after_ms),
    ).rowcount


def forget(db: sqlite3.Connection, before_ms: int) -> int:
    """Content of what was admitted before that time: receipts go, events keep their line and lose their document."""
    gone = db.execute(
        "delete from outbox where kind = 'receipt' and state = 'admitted' and made_ms < ?", (before_ms,)
    ).rowcount
    emptied = db.execute(
        "update outbox set document = x'' where state = 'admitted' and made_ms < ? and document <> x''", (before_ms,)
    ).rowcount
    return gone + emptied


def settle(db: sqlite3.Connection, participant: str, outcome: Outcome) -> Settled | None:
    """Stores an outcome. None when the event is not ours, its statement is another, or its outcome is known."""
    row = db.execute(
        "update outbox set state = ?, log = ?, seq = ?, code = ?, field = ?, message_zh = ?, message_en = ?"
        " where id = ? and participant = ? and state in ('new', 'sent') and statement = coalesce(?, statement)"
        " returning id, kind, type, subject, connector, item",
        (
            "admitted" if outcome.admitted else "refused",
            outcome.log,
            outcome.seq,
            outcome.code,
            outcome.field,
            outcome.message_zh,
            outcome.message_en,
            outcome.event,
            participant,
            outcome.statement,
        ),
    ).fetchone()
    return None if row is None else Settled(*row)


def progressed(db: sqlite3.Connection, event: str, recipient: str, step: str, at_ms: int, detail: str | None) -> None:
    """A receipt of a recipient says how far an event of ours has come."""
    db.execute(
        "insert into progress values (?, ?, ?, ?, ?) on conflict do nothing", (event, recipient, step, at_ms, detail)
    )


def counts(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """How many rows of each participant are in each state, events and receipts apart: ``event.new``, ``receipt.sent``, …"""
    found: dict[str, dict[str, int]] = {}
    for participant, kind, state, number in db.execute(
        "select participant, kind, state, count(*) from outbox group by participant, kind, state"
    ):
        found.setdefault(str(participant), {})[f"{kind}.{state}"] = int(number)
    return found


def listed(db: sqlite3.Connection, *, state: str | None, kind: str | None, limit: int) -> list[dict[str, Any]]:
    """Rows for people, newest first: no content, but how far each has come with its recipients."""
    rows = db.execute(
        "select id, participant, kind, type, subject, state, attempts, made_ms, log, seq, code, field, message_zh, message_en,"
        " connector, item from outbox where state = coalesce(?, state) and kind = coalesce(?, kind) order by n desc limit ?",
        (state, kind, limit),
    )
    names = [column[0] for column in rows.description]
    found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    for row in found:
        steps = db.execute(
            "select recipient, step, at_ms, detail from progress where event = ? order by at_ms, recipient",
            (row["id"],),
        ).fetchall()
        row["receipts"] = [dict(zip(("recipient", "step", "at_ms", "detail"), step, strict=True)) for step in steps]
    return found
