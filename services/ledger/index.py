"""Where each event stands in its log: one SQLite file beside the tiles, a function of the log, made anew when it is lost.

Written before the tiles of the same entries, so what a checkpoint holds is found. WAL with synchronous=NORMAL: a crash of the machine may
take the last rows back, never one in the middle; then the log is read again from its beginning.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from services.ledger.files import INDEX, key_of
from services.runtime.faults import reach

Row = tuple[str, int, int]
"""Event id, ``seq``, Kafka offset."""

_SCHEMA = "create table if not exists events (id blob primary key, seq integer not null, offset integer not null) without rowid"


class EventIndex:
    """Writes the index of one log; one thread at a time. A file that is none is begun anew."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / INDEX
        directory.mkdir(parents=True, exist_ok=True)
        try:
            self._database = self._open()
        except sqlite3.DatabaseError:
            self._remove()
            self._database = self._open()

    def add(self, rows: Iterable[Row]) -> None:
        """Writes rows, all or none; a row that is there already stays as it is."""
        with self._database:
            self._database.executemany(
                "insert or ignore into events values (?, ?, ?)", [(key_of(event), seq, at) for event, seq, at in rows]
            )
            reach("ledger.rows")

    def offset_of(self, event_id: str, seq: int) -> int | None:
        """Kafka offset of the event when it stands there with that ``seq``."""
        query = "select offset from events where id = ? and seq = ?"
        row = self._database.execute(query, (key_of(event_id), seq)).fetchone()
        return None if row is None else int(row[0])

    def clear(self) -> None:
        """Begins anew, empty."""
        self.close()
        self._remove()
        self._database = self._open()

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, check_same_thread=False, timeout=30)
        try:
            database.execute("pragma journal_mode=wal")
            database.execute("pragma synchronous=normal")
            database.execute("pragma cache_size=-4096")
            database.execute(_SCHEMA)
            database.commit()
        except sqlite3.DatabaseError:
            database.close()
            raise
        return database

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
