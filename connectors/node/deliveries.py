"""Deliveries: what came and must reach the city's system. SQL over the node's database.

::

    pending ──taken──▶ committed        kept: nothing to push (a receipt, or no connector for it)
       │  ╲──refused──▶ rejected
       └──limit of trying──▶ dead ──redrive──▶ pending
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Final

from connectors.node.receipts import Reported


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row as it is first stored. ``target`` is the connector that pushes it, None when nothing is pushed."""

    participant: str
    id: str
    digest: bytes
    type: str
    source: str
    subject: str
    agreement: str
    cause: str
    time_ms: int
    log: str
    number: int
    seq: int
    admitted_ms: int
    withheld: str
    trace: str | None
    receipted: bool
    target: str | None
    body: str | None
    received_ms: int
    limit_s: int
    due_ms: int
    state: str
    since_ms: int

    def reported(self) -> Reported:
        """What receipts say of it."""
        return Reported(self.participant, self.id, self.source, self.subject, self.log, self.number, self.trace)

    def known(self) -> dict[str, Any]:
        """What a mapping to the city may name with ``@``."""
        return {
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time_ms": self.time_ms,
            "agreement": None if self.agreement == "-" else self.agreement,
            "cause": None if self.cause == "-" else self.cause,
            "recipient": self.participant,
            "log": self.log,
            "number": self.number,
            "seq": self.seq,
            "admitted_ms": self.admitted_ms,
            "withheld": self.withheld.split(",") if self.withheld else [],
        }


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose turn it is."""

    delivery: Delivery
    attempts: int
    late: bool

    @property
    def value(self) -> dict[str, Any]:
        """The event's value."""
        value: dict[str, Any] = json.loads(self.delivery.body or "{}")
        return value


@dataclass(frozen=True, slots=True)
class Answered:
    """The delivery that a happening of the city answers; its fields are what a mapping names with ``@answered.``."""

    id: str
    subject: str
    source: str
    agreement: str

    def known(self) -> dict[str, str]:
        """For a mapping."""
        return {"id": self.id, "subject": self.subject, "source": self.source, "agreement": self.agreement}


_NAMES: Final = tuple(field.name for field in fields(Delivery))
_COLUMNS: Final = ", ".join(_NAMES)
_VALUES: Final = attrgetter(*_NAMES)
_INSERT: Final = f"insert into deliveries ({_COLUMNS}) values ({', '.join('?' * len(_NAMES))})"  # noqa: S608
_HEAD_OF_SUBJECT: Final = """
  and not exists (select 1 from deliveries as earlier where earlier.target = d.target and earlier.subject = d.subject
                  and earlier.state = 'pending' and earlier.n < d.n)"""
_DUE: Final = (
    f"select {', '.join('d.' + name for name in _NAMES)}, d.attempts, d.late from deliveries as d"  # noqa: S608
    f" where d.target = ? and d.state = 'pending' and d.next_ms <= ? {_HEAD_OF_SUBJECT} order by d.next_ms, d.n limit ?"
)


def insert(db: sqlite3.Connection, delivery: Delivery) -> None:
    """Stores a new delivery."""
    db.execute(_INSERT, _VALUES(delivery))


def digest_of(db: sqlite3.Connection, participant: str, event: str) -> bytes | None:
    """Digest of the statement that the id is known with; None for an id not had yet."""
    row = db.execute("select digest from deliveries where participant = ? and id = ?", (participant, event)).fetchone()
    return None if row is None else bytes(row[0])


def due(db: sqlite3.Connection, target: str, now_ms: int, limit: int) -> list[Due]:
    """Deliveries of a target whose time has come; of one subject only the first, so that a city hears things in order."""
    rows = db.execute(_DUE, (target, now_ms, limit)).fetchall()
    return [_due(row) for row in rows]


def next_due_ms(db: sqlite3.Connection, target: str) -> int | None:
    """When the next of a target is due; None when none is pending. Those behind another of their subject count too."""
    row = db.execute("select min(next_ms) from deliveries where target = ? and state = 'pending'", (target,)).fetchone()
    return None if row[0] is None else int(row[0])


def past_limit(db: sqlite3.Connection, now_ms: int, limit: int = 500) -> list[tuple[Due, str | None]]:
    """Pending ones past their time limit of which no negative receipt was signed, each with its last fault."""
    rows = db.execute(
        f"select {_COLUMNS}, attempts, late, fault from deliveries where state = 'pending' and late = 0"  # noqa: S608
        " and due_ms <= ? order by due_ms limit ?",
        (now_ms, limit),
    ).fetchall()
    return [(_due(row[:-1]), row[-1]) for row in rows]


def answered(db: sqlite3.Connection, participant: str, by: str, text: str) -> Answered | None:
    """The delivery found by event id, subject or the city's reference; of several the latest."""
    column = {"event": "id", "subject": "subject", "reference": "reference"}[by]
    row = db.execute(
        f"select id, subject, source, agreement from deliveries where participant = ? and {column} = ?"  # noqa: S608
        " and agreement <> '-' order by n desc limit 1",
        (participant, text),
    ).fetchone()
    return None if row is None else Answered(*row)


def last_pending(db: sqlite3.Connection, target: str) -> int | None:
    """Row number of the newest pending delivery; None when none is pending."""
    row = db.execute(
        "select max(n) from deliveries where target = ? and state = 'pending' and receipted = 1", (target,)
    ).fetchone()
    return None if row[0] is None else int(row[0])


def undecided(db: sqlite3.Connection, target: str, up_to: int) -> bool:
    """Whether one up to that row is pending still: a reference that nobody knows yet may be the answer to it."""
    row = db.execute(
        "select 1 from deliveries where target = ? and state = 'pending' and receipted = 1 and n <= ? limit 1",
        (target, up_to),
    ).fetchone()
    return row is not None


def committed(db: sqlite3.Connection, participant: str, event: str, reference: str, attempts: int, at_ms: int) -> None:
    """The city has it; its content is not kept here any longer."""
    db.execute(
        "update deliveries set state = 'committed', reference = ?, attempts = ?, ended_ms = ?, body = null, fault = null"
        " where participant = ? and id = ?",
        (reference, attempts, at_ms, participant, event),
    )


def rejected(
    db: sqlite3.Connection, participant: str, event: str, code: str, city_code: str | None, reason: str, at_ms: int
) -> None:
    """The city refused it."""
    db.execute(
        "update deliveries set state = 'rejected', code = ?, city_code = ?, reason = ?, attempts = attempts + 1,"
        " ended_ms = ?, body = null where participant = ? and id = ?",
        (code, city_code, reason, at_ms, participant, event),
    )


def retry(db: sqlite3.Connection, participant: str, event: str, attempts: int, next_ms: int, fault: str) -> None:
    """Not taken; the next attempt is at ``next_ms``."""
    db.execute(
        "update deliveries set attempts = ?, next_ms = ?, fault = ? where participant = ? and id = ?",
        (attempts, next_ms, fault, participant, event),
    )


def dead(
    db: sqlite3.Connection, participant: str, event: str, attempts: int, fault: str, reason: str, at_ms: int
) -> None:
    """Trying ended; the content is kept for a redrive."""
    db.execute(
        "update deliveries set state = 'dead', attempts = ?, fault = ?, reason = ?, ended_ms = ?"
        " where participant = ? and id = ?",
        (attempts, fault, reason, at_ms, participant, event),
    )


def mark_late(db: sqlite3.Connection, participant: str, event: str) -> None:
    """The negative receipt of the time limit is signed."""
    db.execute("update deliveries set late = 1 where participant = ? and id = ?", (participant, event))


def redrive(db: sqlite3.Connection, target: str, event: str, now_ms: int) -> None:
    """A dead one is pending again, from now on."""
    db.execute(
        "update deliveries set state = 'pending', attempts = 0, next_ms = 0, since_ms = ?, ended_ms = null, reason = null"
        " where target = ? and id = ? and state = 'dead'",
        (now_ms, target, event),
    )


def counts(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """How many deliveries of each participant are in each state."""
    found: dict[str, dict[str, int]] = {}
    for participant, state, number in db.execute(
        "select participant, state, count(*) from deliveries group by participant, state"
    ):
        found.setdefault(str(participant), {})[str(state)] = int(number)
    return found


def _due(row: tuple[Any, ...]) -> Due:
    values = list(row[: len(_NAMES)])
    values[_NAMES.index("receipted")] = bool(values[_NAMES.index("receipted")])
    return Due(Delivery(*values), int(row[-2]), bool(row[-1]))
