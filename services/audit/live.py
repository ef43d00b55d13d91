"""The live rooms' tables at one moment: how far each room had folded, and every state, in one snapshot of PostgreSQL. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

import psycopg
import psycopg.errors
from psycopg import sql

from services.kernel.errors import Transient
from services.runtime.planner import Place, Position
from services.runtime.postgres import Connection
from services.runtime.store import Store

_AT_ONCE = 500


class LiveRooms:
    """A connection of its own in a read-only transaction that sees one moment. ``Transient`` when the server is away."""

    def __init__(self, dsn: str, now_ms: int) -> None:
        """Opens the snapshot; ``now_ms`` is the time of it."""
        self.now_ms = now_ms
        try:
            self._connection: Connection = psycopg.connect(dsn, connect_timeout=5, application_name="ipx-audit")
            self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._connection.read_only = True
            self._connection.execute("select 1")
        except psycopg.OperationalError as error:
            raise Transient(f"PostgreSQL: {str(error).strip()}") from error

    def positions(self, room: str) -> dict[Place, Position] | None:
        """How far the room had folded; None when it has never run here."""
        found = self._connection.execute("select to_regclass(%s)", (f"{room}.position",)).fetchone()
        if found is None or found[0] is None:
            return None
        return Store(room).positions(self._connection)

    def states(self, room: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every state of a room that has run, in the order of key by code point."""
        statement = sql.SQL('select key, state from {} order by key collate "C"').format(sql.Identifier(room, "state"))
        try:
            with self._connection.cursor(name=f"states_{room}") as cursor:
                cursor.itersize = _AT_ONCE
                yield from cursor.execute(statement)
        except psycopg.OperationalError as error:
            raise Transient(f"PostgreSQL: {str(error).strip()}") from error

    def close(self) -> None:
        """Ends the transaction."""
        self._connection.close()

    def __enter__(self) -> LiveRooms:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
