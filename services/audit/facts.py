"""What logs and inboxes say, side by side in a database of its own that goes away with the process, and where the two disagree.

The database is a temporary file of SQLite: memory stays bounded however long the logs are. Facts are appended as they are read; the questions are asked
once, at the end, when both sides are there. What a question finds is named by topic, partition and offset.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from services.audit.sources import Finding

_CACHE_KIB: Final = 32_768
_AT_ONCE: Final = 2_000
_LIMIT: Final = 100

_TABLES: Final = """
create table delivered (recipient integer, log integer, number integer, print blob, seq integer, at integer, later integer);
create table copied (recipient integer, log integer, number integer, print blob, at integer);
create table logged (id blob, log integer, seq integer, digest text, at integer, later integer);
create table caused (cause blob, log integer, seq integer, at integer);
create table told (log integer, seq integer, digest text, owner integer, at integer);
create table receipted (event blob, recipient integer, of_log integer, number integer, log integer, seq integer, at integer);
"""
_INDEXES: Final = """
create index copied_number on copied (recipient, log, number);
create index delivered_number on delivered (recipient, log, number);
create index logged_id on logged (id);
create index logged_seq on logged (log, seq);
create index told_seq on told (log, seq);
analyze;
"""
_QUESTIONS: Final[dict[str, str]] = {
    "delivery-missing": """
        select d.log, d.at, d.seq, d.recipient, d.number, 0 from delivered d where d.later = 0 and not exists (
            select 1 from copied c where c.recipient = d.recipient and c.log = d.log and c.number = d.number)
        order by d.log, d.seq limit ?""",
    "copy-without-entry": """
        select c.recipient, c.at, null, c.log, c.number, 0 from copied c where not exists (
            select 1 from delivered d where d.recipient = c.recipient and d.log = c.log and d.number = c.number)
        order by c.recipient, c.at limit ?""",
    "copy-differs": """
        select c.recipient, c.at, d.seq, c.log, c.number, d.at from copied c join delivered d
            on d.recipient = c.recipient and d.log = c.log and d.number = c.number where d.print <> c.print
        order by c.recipient, c.at limit ?""",
    "cause-missing": """
        select c.log, c.at, c.seq, c.cause, 0, 0 from caused c where not exists (
            select 1 from logged l where l.id = c.cause)
        order by c.log, c.seq limit ?""",
    "outcome-without-entry": """
        select t.owner, t.at, null, t.log, t.seq, 0 from told t where not exists (
            select 1 from logged l where l.log = t.log and l.seq = t.seq and l.digest = t.digest)
        order by t.owner, t.at limit ?""",
    "outcome-missing": """
        select l.log, l.at, l.seq, 0, 0, 0 from logged l where l.later = 0 and not exists (
            select 1 from told t where t.log = l.log and t.seq = l.seq and t.digest = l.digest)
        order by l.log, l.seq limit ?""",
    "receipt-without-delivery": """
        select r.log, r.at, r.seq, r.of_log, r.number, r.recipient from receipted r where not exists (
            select 1 from delivered d join logged l on l.log = d.log and l.seq = d.seq
            where d.recipient = r.recipient and d.log = r.of_log and d.number = r.number and l.id = r.event)
        order by r.log, r.seq limit ?""",
}


class Facts:
    """Appends in batches; ``disagreements`` may be asked once, at the end. For one thread."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a temporary file, gone when it is closed
        self._database.executescript("pragma journal_mode = off; pragma synchronous = off;")
        self._database.execute(f"pragma cache_size = -{_CACHE_KIB}")
        self._database.executescript(_TABLES)
        self._names: dict[str, int] = {}
        self._waiting: dict[str, list[tuple[Any, ...]]] = {}

    def number_of(self, name: str) -> int:
        """A short number for a log or a participant."""
        return self._names.setdefault(name, len(self._names))

    def add(self, table: str, row: tuple[Any, ...]) -> None:
        """Appends one row."""
        rows = self._waiting.setdefault(table, [])
        rows.append(row)
        if len(rows) >= _AT_ONCE:
            self._write(table)

    def disagreements(self, inbox_of: dict[str, str]) -> Iterator[Finding]:
        """Where the sides disagree, at most a hundred of each kind. ``inbox_of`` gives the inbox topic of a participant."""
        for table in list(self._waiting):
            self._write(table)
        self._database.executescript(_INDEXES)
        names = {number: name for name, number in self._names.items()}
        for code, question in _QUESTIONS.items():
            for row in self._database.execute(question, (_LIMIT,)):
                yield _finding(code, row, names, inbox_of)

    def close(self) -> None:
        """Gives the file back."""
        self._database.close()

    def _write(self, table: str) -> None:
        rows = self._waiting[table]
        if rows:
            self._database.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608  (our own names)
            rows.clear()


def _finding(code: str, row: tuple[Any, ...], names: dict[int, str], inbox_of: dict[str, str]) -> Finding:
    where, at, seq, one, two, three = row
    if code in ("copy-without-entry", "copy-differs", "outcome-without-entry"):
        owner = names[where]
        place = (inbox_of.get(owner, owner), 0)
    else:
        topic, _, partition = names[where].rpartition("/")
        place = (topic, int(partition))
    match code:
        case "delivery-missing":
            sentence = f"the entry is delivered to {names[one]} as number {two}, whose inbox has no such copy"
        case "copy-without-entry":
            sentence = f"copy {two} of {names[one]}: no entry of that log delivers it"
        case "copy-differs":
            sentence = (
                f"copy {two} of {names[one]} is not what its record at offset {three} gives, redacted as its entry says"
            )
        case "cause-missing":
            sentence = f"its cause {_uuid(one)} is in no log"
        case "outcome-without-entry":
            sentence = f"the source was told that its event is seq {two} of {names[one]}, which is not so"
        case "outcome-missing":
            sentence = "its source was never told that it was admitted"
        case _:
            sentence = (
                f"a receipt of {names[three]} for number {two} of {names[one]}, by which it was not given this event"
            )
    return Finding(code, *place, sentence, at, seq)


def _uuid(data: bytes) -> str:
    digits = data.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
