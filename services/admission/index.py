"""The index of one log partition, in a local SQLite file: what step 8 and step 9 ask, and from where to catch up.

Written after the Kafka transaction it belongs to, so it may lag behind the log, never lead it; it can be lost, and is rebuilt
from the log (design section 6). WAL with synchronous=NORMAL: a crash of the machine may take the last batches back, never mix them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.admission.sequence import Admitted, Numbers, Seen
from services.codec.merkle import RightEdge
from services.kernel.errors import Corrupt

FORMAT = "ipx-admission-index/v2"
_LOOK_UP = 400
_VERSION = 14  # where the version digit of a UUID stands in its text
_SCHEMA = """
create table if not exists about (name text primary key, value blob not null) without rowid;
create table if not exists seen (id blob primary key, digest blob not null, seq integer not null) without rowid;
create table if not exists deliveries (recipient text primary key, next integer not null) without rowid;
create table if not exists outcomes (source text primary key, record integer not null, outcome integer not null) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the index stands in the log and in ``.in``: the offset and leaf of the last entry, the next proposal to read."""

    log_offset: int = -1
    leaf: bytes = b""
    in_offset: int = 0


@dataclass(frozen=True, slots=True)
class SourceNumbers:
    """The next outcome record, and the next outcome, of one source in one ``.in`` partition."""

    record: int = 0
    outcome: int = 0


class LogIndex:
    """One file; used by one thread at a time. A file that cannot be read, or is of another log, is begun anew."""

    def __init__(self, path: Path, log: str, cluster: str) -> None:
        """``log`` is topic and partition, ``cluster`` the id of the Kafka cluster: the log of another one is another log."""
        self.path = path
        self._name = f"{FORMAT} {cluster} {log}"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = self._open()
        self._written: dict[str, int] = {}
        self._newest = self._text_of("newest")

    def numbers(self) -> Numbers:
        """Where the partition stands."""
        self._written = dict(self._db.execute("select recipient, next from deliveries"))
        return Numbers(
            next_seq=self._int("next_seq"),
            deliveries=dict(self._written),
            edge=RightEdge.from_bytes(self._bytes("edge") or RightEdge().to_bytes()),
            admitted_ms=self._int("admitted_ms"),
        )

    def place(self) -> Place:
        """Where the index stands."""
        return Place(self._int("log_offset", -1), self._bytes("leaf"), self._int("in_offset"))

    def sources(self) -> dict[str, SourceNumbers]:
        """Outcome numbers by source; good only as of ``in_offset``, since refusals leave no trace in the log."""
        rows = self._db.execute("select source, record, outcome from outcomes")
        return {source: SourceNumbers(record, outcome) for source, record, outcome in rows}

    def seen(self, ids: Iterable[str]) -> dict[str, Seen]:
        """Those of the event ids that are in the log. One that is newer than all of them, as UUIDv7 tells, is not looked for."""
        newest = self._newest
        wanted = [text for text in dict.fromkeys(ids) if text[_VERSION] != "7" or text <= newest]
        found: dict[str, Seen] = {}
        for start in range(0, len(wanted), _LOOK_UP):
            chunk = wanted[start : start + _LOOK_UP]
            marks = ",".join("?" * len(chunk))
            query = f"select id, digest, seq from seen where id in ({marks})"  # noqa: S608  (question marks only)
            for key, digest, seq in self._db.execute(query, [_key(text) for text in chunk]):
                found[_text(key)] = Seen(digest, seq)
        return found

    def commit(
        self, admitted: Iterable[Admitted], numbers: Numbers, place: Place, sources: Mapping[str, SourceNumbers]
    ) -> None:
        """Writes what one Kafka transaction brought, all or nothing; ``Corrupt`` when an id is there already."""
        self.extend(
            ((event.checked.statement.id, event.checked.digest, event.seq) for event in admitted),
            numbers,
            place,
            sources,
        )

    def extend(
        self,
        seen: Iterable[tuple[str, bytes, int]],
        numbers: Numbers,
        place: Place,
        sources: Mapping[str, SourceNumbers] | None = None,
    ) -> None:
        """The same from ids, digests and seqs; without ``sources`` their numbers stay as they are."""
        rows = list(seen)
        newest = max([self._newest, *(text for text, _, _ in rows if text[_VERSION] == "7")])
        try:
            with self._db:
                self._db.executemany("insert into seen values (?, ?, ?)", [(_key(i), d, s) for i, d, s in rows])
                changed = numbers.deliveries.items() - self._written.items()
                self._db.executemany("insert or replace into deliveries values (?, ?)", changed)
                self._db.executemany(
                    "insert or replace into outcomes values (?, ?, ?)",
                    ((source, own.record, own.outcome) for source, own in (sources or {}).items()),
                )
                self._db.executemany("insert or replace into about values (?, ?)", _about(numbers, place, newest))
        except sqlite3.IntegrityError as error:
            raise Corrupt(f"{self.path.name}: an id stands in the log twice") from error
        self._written.update(changed)
        self._newest = newest

    def looks_back(self) -> bool:
        """Whether a source that is not in ``sources`` may have outcomes all the same: they must be read from its inbox."""
        return bool(self._int("looks_back"))

    def forget_outcomes(self, in_offset: int) -> None:
        """Outcome numbers are not known any more: they were counted elsewhere up to that offset of ``.in``."""
        with self._db:
            self._db.execute("delete from outcomes")
            self._db.execute("insert or replace into about values ('in_offset', ?)", (in_offset,))
            self._db.execute("insert or replace into about values ('looks_back', 1)")

    def reset(self) -> None:
        """Begins anew, empty."""
        self.close()
        self._remove()
        self._db = self._open()
        self._written = {}
        self._newest = ""

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.DatabaseError:
            self._remove()
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, check_same_thread=False)
        try:
            db.execute("pragma journal_mode=wal")
            db.execute("pragma synchronous=normal")
            db.execute("pragma cache_size=-16384")
            db.execute("pragma wal_autocheckpoint=4000")
            db.executescript(_SCHEMA)
            row = db.execute("select value from about where name = 'name'").fetchone()
            if row is None:
                with db:
                    db.execute("insert into about values ('name', ?)", (self._name,))
            elif row[0] != self._name:
                raise sqlite3.DatabaseError(f"the index is of {row[0]}")
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _int(self, name: str, default: int = 0) -> int:
        row = self._db.execute("select value from about where name = ?", (name,)).fetchone()
        return default if row is None else int(row[0])

    def _text_of(self, name: str) -> str:
        return self._bytes(name).decode()

    def _bytes(self, name: str) -> bytes:
        row = self._db.execute("select value from about where name = ?", (name,)).fetchone()
        return b"" if row is None else bytes(row[0])


def _about(numbers: Numbers, place: Place, newest: str) -> list[tuple[str, int | bytes]]:
    return [
        ("next_seq", numbers.next_seq),
        ("edge", numbers.edge.to_bytes()),
        ("admitted_ms", numbers.admitted_ms),
        ("log_offset", place.log_offset),
        ("leaf", place.leaf),
        ("in_offset", place.in_offset),
        ("newest", newest.encode()),
    ]


def _key(event_id: str) -> bytes:
    return bytes.fromhex(event_id.replace("-", ""))


def _text(key: bytes) -> str:
    digits = key.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
