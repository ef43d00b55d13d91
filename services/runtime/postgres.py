"""PostgreSQL: a small pool that a room, the relay and the gateway share, and the tables that every room has.

An outage is ``Transient``: the caller waits and tries again, the pool reconnects by itself. What is not an outage (a
statement that is wrong, a constraint that does not hold) is a bug and comes out as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg
import psycopg.errors
import psycopg.rows
import psycopg_pool
from psycopg import sql

from services.kernel.errors import Transient

Connection = psycopg.Connection[tuple[Any, ...]]

TABLES = Path(__file__).with_name("store.sql")
_SETUP_LOCK = 4_917_263_001  # advisory lock: two workers that start together make the tables once
_SESSION = {
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "15s",
    "idle_in_transaction_session_timeout": "60s",
}
_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg_pool.PoolTimeout,
    psycopg_pool.PoolClosed,
)
_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


class Database:
    """A pool of connections to one database; opens in the background, so that an absent server does not stop a start."""

    def __init__(self, dsn: str, process: str, *, connections: int = 4, wait_s: float = 5.0) -> None:
        self._dsn = dsn
        self._arguments: dict[str, Any] = {
            "application_name": f"ipx-{process}",
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,  # a server that vanished without a word is an outage too
            "options": " ".join(f"-c {name}={value}" for name, value in _SESSION.items()),
        }
        self._pool = psycopg_pool.ConnectionPool(
            dsn,
            min_size=1,
            max_size=connections,
            timeout=wait_s,
            reconnect_timeout=0,  # give up an attempt at once; the pool starts the next when somebody asks
            max_idle=600,
            check=psycopg_pool.ConnectionPool.check_connection,
            kwargs=self._arguments,
            open=False,
        )
        self._pool.open(wait=False)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection in a transaction: committed at the end, rolled back on any error. ``Transient`` in an outage.

        After ``Transient`` it is not known whether the transaction was committed; callers must stand either.
        Blocks up to ``wait_s`` for a connection.
        """
        with self.outages(), self._pool.connection() as connection:
            yield connection

    @contextmanager
    def outages(self) -> Iterator[None]:
        """Inside the block an outage of the server, and what a second try may mend, is ``Transient``."""
        try:
            yield
        except (*_AWAY, *_AGAIN) as error:
            raise Transient(f"PostgreSQL: {type(error).__name__}: {_first_line(error)}") from error

    def connect(self) -> Connection:
        """A connection of the caller's own, in autocommit, outside the pool (locks and LISTEN live on it)."""
        with self.outages():
            return psycopg.Connection.connect(self._dsn, autocommit=True, **self._arguments)

    def ensure_schema(self, room: str, store_sql: str = "") -> None:
        """Makes the schema of a room with the runner's tables and what the room adds; does nothing the second time.

        ``store_sql`` is run with the schema as its search path and must be written to be repeated. ``Transient`` in an
        outage.
        """
        with self.transaction() as connection:
            connection.execute("select pg_advisory_xact_lock(%s)", (_SETUP_LOCK,))
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(room)))
            connection.execute(sql.SQL("set local search_path to {}").format(sql.Identifier(room)))
            connection.execute(TABLES.read_bytes())
            if store_sql.strip():
                connection.execute(store_sql.encode())

    def ask(self) -> str | None:
        """A health probe: None when the server answers, else the reason. Blocks up to ``wait_s``."""
        try:
            with self.transaction() as connection:
                connection.execute("select 1")
        except Transient as error:
            return str(error)
        return None

    def close(self) -> None:
        """Closes every connection of the pool."""
        self._pool.close(timeout=2.0)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else ""
