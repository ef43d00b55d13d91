"""What a node keeps of the cases that its participants have a part in: each entry once, sent or received, and what it was told of clocks. SQL.

The node folds its own view of a case from these rows (``casebook.py``). They hold codes, instants, organs and the title; of every other
field only that it was filled, since that is all that the rules of a case ask: 个人信息保护法 6. What a participant itself sent is kept
when it is signed, and gets its place in the log by the outcome that admission signs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.node.verify import Verified
from services.codec.envelope import Draft
from services.events.notice import ClockVerdict
from services.events.registry import EVENT_TYPES, from_value
from services.events.transfer import CalendarApplied, MoveHadNoEffect, TransferMoved, TransferOpened
from services.kernel.families import family_of
from services.kernel.instants import parse_instant

HEARD: Final = (TransferOpened.TYPE, TransferMoved.TYPE, CalendarApplied.TYPE)
NEW, SAME, DIFFERS, UNKNOWN = "new", "same", "differs", "unknown"
"""Of what is told of a clock: not compared yet; as the node computes it; otherwise; of a case that the node does not hold whole."""
_NOTICES: Final = "notices"
_KEPT: Final = frozenset(
    {"kind", "title", "right_type", "relates_to", "earlier", "outside", "agreement_matters"}
    | {"move", "happened_at", "reason", "ground", "rule", "extension", "length", "designated", "result"}
    | {"year", "calendar_event"}
)
_FILLED: Final = "-"
_NAMES: Final = ("name", "kind")


@dataclass(frozen=True, slots=True)
class CaseEntry:
    """One entry of a case. ``log`` and what follows is None while the outcome of an own event has not come.

    ``members`` is None for an own event: an outcome does not say by which size of the members log it was judged. ``voided``: the exchange
    told that it had no effect.
    """

    event: str
    type: str
    source: str
    addressees: tuple[str, ...]
    recipients: tuple[str, ...]
    subject: str
    agreement: str
    time_ms: int
    value: dict[str, Any]
    log: str | None = None
    seq: int | None = None
    admitted_ms: int | None = None
    members: int | None = None
    voided: bool = False

    @property
    def body(self) -> TransferOpened | TransferMoved | CalendarApplied:
        """The typed event, without what is not kept."""
        return cast("TransferOpened | TransferMoved | CalendarApplied", from_value(self.type, self.value))


@dataclass(frozen=True, slots=True)
class ClockNotice:
    """What the exchange told of a clock, and how it stands to the node's own computation."""

    event: str
    type: str
    subject: str
    clock: str
    cause: str
    time_ms: int
    verdict: ClockVerdict
    actors: tuple[str, ...]
    state: str = NEW


def essence(value: Mapping[str, Any]) -> dict[str, Any]:
    """What of an event's value is kept: the codes; of all else a mark that it was filled."""
    return {name: _essence(name, held) for name, held in value.items() if _is_filled(held)}


def _is_filled(held: Any) -> bool:
    return held is not None and held != [] and not (isinstance(held, str) and not held.strip())


def _essence(name: str, held: Any) -> Any:
    if name in _KEPT:
        return held
    if name == "rights":
        return [{"right_type": right["right_type"]} for right in held]
    if isinstance(held, list):
        first = held[0]
        return [{each: _FILLED for each in _NAMES if each in first} if isinstance(first, dict) else _FILLED]
    return _FILLED if isinstance(held, str) else 0


def keep_sent(db: sqlite3.Connection, draft: Draft, event_type: str, value: Mapping[str, Any]) -> None:
    """An event of a participant of ours that is about to go out; nothing for one that no case hears."""
    if event_type not in HEARD:
        return
    addressees = () if draft.addressee == "-" else tuple(draft.addressee.split(","))
    entry = CaseEntry(
        event=draft.id,
        type=event_type,
        source=draft.source,
        addressees=addressees,
        recipients=addressees,
        subject=draft.subject,
        agreement=draft.agreement,
        time_ms=parse_instant(draft.time),
        value=essence(value),
    )
    _insert(db, draft.source, entry)


def admitted(db: sqlite3.Connection, participant: str, event: str, log: str, seq: int, at_ms: int) -> str | None:
    """The outcome of an own event came: its place in the log. The subject of its case; None when it is of none."""
    row = db.execute(
        "update case_entries set log = ?, seq = ?, admitted_ms = ? where participant = ? and event = ? and seq is null"
        " returning subject",
        (log, seq, at_ms, participant, event),
    ).fetchone()
    return None if row is None else str(row[0])


def refused(db: sqlite3.Connection, participant: str, event: str) -> None:
    """An own event was refused: it is in no log, and no part of its case."""
    db.execute("delete from case_entries where participant = ? and event = ? and seq is null", (participant, event))


def keep_copy(db: sqlite3.Connection, participant: str, found: Verified) -> bool:
    """A proved copy: an entry of a case, what is told of its clock, or that one of its entries had no effect. Whether it was any."""
    statement, entry = found.statement, found.entry
    if statement.type in HEARD:
        kept = CaseEntry(
            event=statement.id,
            type=statement.type,
            source=statement.source,
            addressees=statement.addressees,
            recipients=tuple(delivery.recipient for delivery in entry.deliveries),
            subject=statement.subject,
            agreement=statement.agreement,
            time_ms=statement.time_ms,
            value=essence(found.value),
            log=entry.log,
            seq=entry.seq,
            admitted_ms=parse_instant(entry.admitted),
            members=entry.members,
        )
        _insert(db, participant, kept)
        return True
    if statement.type == MoveHadNoEffect.TYPE:
        void = (participant, found.value["attempted_event"])
        db.execute("insert or ignore into case_voids (participant, event) values (?, ?)", void)
        return True
    if family_of(statement.type) != _NOTICES or "clock" not in found.value or statement.type not in EVENT_TYPES:
        return False
    row = (
        *(participant, statement.id, statement.type, statement.subject, found.value["clock"], statement.cause),
        *(statement.time_ms, json.dumps(found.value["verdict"], ensure_ascii=False), ",".join(found.value["actors"])),
    )
    db.execute(
        "insert or ignore into clock_notices (participant, event, type, subject, clock, cause, time_ms, verdict, actors)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    return True


def _insert(db: sqlite3.Connection, participant: str, entry: CaseEntry) -> None:
    db.execute(
        "insert or ignore into case_entries values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(participant, entry.event, entry.type, entry.source, ",".join(entry.addressees)),
            *(",".join(entry.recipients), entry.subject, entry.agreement, entry.time_ms),
            *(json.dumps(entry.value, ensure_ascii=False), entry.log, entry.seq, entry.admitted_ms, entry.members),
        ),
    )


def entries(db: sqlite3.Connection, participant: str, subject: str) -> list[CaseEntry]:
    """The entries of a case in the order of their log; own events without an outcome are not among them."""
    rows = db.execute(
        "select event, type, source, addressees, recipients, subject, agreement, time_ms, value, log, seq, admitted_ms, members,"
        " exists (select 1 from case_voids v where v.participant = e.participant and v.event = e.event)"
        " from case_entries e where participant = ? and subject = ? and seq is not null order by seq",
        (participant, subject),
    )
    return [_entry(*row) for row in rows]


def _entry(
    event: str,
    kind: str,
    source: str,
    addressees: str,
    recipients: str,
    subject: str,
    agreement: str,
    time_ms: int,
    value: str,
    log: str,
    seq: int,
    admitted_ms: int,
    members: int | None,
    voided: int,
) -> CaseEntry:
    return CaseEntry(
        event=event,
        type=kind,
        source=source,
        addressees=_names(addressees),
        recipients=_names(recipients),
        subject=subject,
        agreement=agreement,
        time_ms=time_ms,
        value=json.loads(value),
        log=log,
        seq=seq,
        admitted_ms=admitted_ms,
        members=members,
        voided=bool(voided),
    )


def is_pending(db: sqlite3.Connection, participant: str, subject: str) -> bool:
    """Whether an own event of the case has no outcome yet."""
    row = db.execute(
        "select 1 from case_entries where participant = ? and subject = ? and seq is null limit 1",
        (participant, subject),
    ).fetchone()
    return row is not None


def subjects(db: sqlite3.Connection, participant: str) -> list[str]:
    """Every case of which the participant holds an entry, in order."""
    rows = db.execute(
        "select distinct subject from case_entries where participant = ? order by subject", (participant,)
    )
    return [str(subject) for (subject,) in rows]


def notices(db: sqlite3.Connection, participant: str, subject: str) -> list[ClockNotice]:
    """What was told of the clocks of a case, in the order of time."""
    rows = db.execute(
        "select event, type, subject, clock, cause, time_ms, verdict, actors, state from clock_notices"
        " where participant = ? and subject = ? order by time_ms, event",
        (participant, subject),
    )
    return [
        ClockNotice(
            event=event,
            type=kind,
            subject=about,
            clock=clock,
            cause=cause,
            time_ms=int(time_ms),
            verdict=ClockVerdict(**json.loads(verdict)),
            actors=_names(actors),
            state=state,
        )
        for event, kind, about, clock, cause, time_ms, verdict, actors, state in rows.fetchall()
    ]


def unjudged(db: sqlite3.Connection, participant: str, limit: int) -> list[str]:
    """Cases with something told of a clock that was not compared yet, so many at most."""
    rows = db.execute(
        "select distinct subject from clock_notices where participant = ? and state = ? order by subject limit ?",
        (participant, NEW, limit),
    )
    return [str(subject) for (subject,) in rows]


def judge(db: sqlite3.Connection, participant: str, states: Iterable[tuple[str, str]]) -> None:
    """Stores how notices stand to the node's own computation: pairs of event and state."""
    db.executemany(
        "update clock_notices set state = ? where participant = ? and event = ?",
        [(state, participant, event) for event, state in states],
    )


def counts(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """How many notices of each participant stand how."""
    found: dict[str, dict[str, int]] = {}
    for participant, state, number in db.execute(
        "select participant, state, count(*) from clock_notices group by participant, state"
    ):
        found.setdefault(str(participant), {})[str(state)] = int(number)
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
