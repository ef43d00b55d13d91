"""The database of the reference city system: SQLite, one file, its own names."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

NUMBERED = {"xs": "slbh", "fk": "fkbh", "aj": "slbh", "cz": "czbh", "qx": "qxbh"}
"""What comes in, by table, and how its own number is called there."""
HANDLED = ("xs", "aj")
"""What an officer works on: it has a state."""
_SCHEMA = (Path(__file__).with_name("store.sql")).read_text("utf-8")


class Store:
    """Blocks for the length of a statement. Every public method that writes is one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)

    def take(self, table: str, prefix: str, key: str, number: str, at: str, document: str) -> tuple[str, bool]:
        """Keeps a document once per idempotency key; its number, and whether it is new."""
        column = NUMBERED[table]
        with self._db:
            self._db.execute("begin immediate")
            known = self._db.execute(f"select {column} from {table} where mdj = ?", (key,)).fetchone()  # noqa: S608 (names of the table above)
            if known is not None:
                self._db.execute(f"update {table} set cs = cs + 1 where mdj = ?", (key,))  # noqa: S608
                return str(known[0]), False
            given = f"{prefix}{self._next(prefix):06d}"
            names, marks = f"{column}, mdj, tdxh, sdsj, nr", "?, ?, ?, ?, ?"
            if table in HANDLED:
                names, marks = f"{names}, zt", f"{marks}, 'DSL'"
            self._db.execute(f"insert into {table} ({names}) values ({marks})", (given, key, number, at, document))  # noqa: S608
            return given, True

    def schedule(self, slbh: str, steps: list[tuple[str, int]]) -> None:
        """Puts steps (as JSON text) on the officer's list, each with the time it is due."""
        with self._db:
            self._db.execute("begin immediate")
            self._db.executemany(
                "insert into bl (slbh, bz, dqms) values (?, ?, ?)", [(slbh, step, due) for step, due in steps]
            )

    def due(self, now_ms: int) -> list[tuple[int, str, str]]:
        """Steps whose time has come: id, clue, step."""
        rows = self._db.execute(
            "select id, slbh, bz from bl where dqms <= ? order by dqms, id limit 200", (now_ms,)
        ).fetchall()
        return [(int(row[0]), str(row[1]), str(row[2])) for row in rows]

    def next_due_ms(self) -> int | None:
        """When the next step is due."""
        row = self._db.execute("select min(dqms) from bl").fetchone()
        return None if row[0] is None else int(row[0])

    def handle(self, step_id: int | None, slbh: str, state: str, case_number: str | None, happening: str) -> None:
        """The officer did a step: state, case number and the happening in one transaction; the step is off the list."""
        with self._db:
            self._db.execute("begin immediate")
            for table in HANDLED:
                self._db.execute(
                    f"update {table} set zt = ?, ah = coalesce(?, ah) where slbh = ?",  # noqa: S608
                    (state, case_number, slbh),
                )
            self._db.execute("insert into sj (nr) values (?)", (happening,))
            if step_id is not None:
                self._db.execute("delete from bl where id = ?", (step_id,))

    def enter(self, happenings: list[str]) -> int:
        """New happenings of our own (what officers typed in); the last serial number."""
        with self._db:
            self._db.execute("begin immediate")
            self._db.executemany("insert into sj (nr) values (?)", [(text,) for text in happenings])
            return int(self._db.execute("select max(lsh) from sj").fetchone()[0])

    def happenings(self, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """Happenings after a serial number."""
        rows = self._db.execute("select lsh, nr from sj where lsh > ? order by lsh limit ?", (after, limit)).fetchall()
        return [(int(row[0]), json.loads(row[1])) for row in rows]

    def held(self, slbh: str) -> dict[str, Any] | None:
        """A clue or case that is held here; ``bm`` says in which table."""
        self._db.row_factory = sqlite3.Row
        found = (self._db.execute(f"select * from {table} where slbh = ?", (slbh,)).fetchone() for table in HANDLED)  # noqa: S608
        rows = list(zip(HANDLED, found, strict=True))
        self._db.row_factory = None
        return next(
            ({**dict(row), "nr": json.loads(row["nr"]), "bm": table} for table, row in rows if row is not None), None
        )

    def by_key(self, key: str) -> str | None:
        """Number of the document with that idempotency key."""
        parts = (f"select {column} from {table} where mdj = ?1" for table, column in NUMBERED.items())  # noqa: S608
        row = self._db.execute(" union all ".join(parts), (key,)).fetchone()
        return None if row is None else str(row[0])

    def list_of(self, table: str) -> list[dict[str, Any]]:
        """Everything held: ``xs`` clues, ``aj`` cases, ``fk`` answers, ``cz`` moves, ``qx`` terms, ``sj`` happenings."""
        order = {**NUMBERED, "sj": "lsh"}[table]
        self._db.row_factory = sqlite3.Row
        rows = self._db.execute(f"select * from {table} order by {order}").fetchall()  # noqa: S608 (names of the table above)
        self._db.row_factory = None
        return [{**dict(row), "nr": json.loads(row["nr"])} for row in rows]

    def acknowledge(self, who: str, cursor: str) -> None:
        """Remembers how far the reader of happenings has come."""
        with self._db:
            self._db.execute(
                "insert into wz values (?, ?) on conflict (dzf) do update set ybh = excluded.ybh", (who, cursor)
            )

    def number(self, kind: str) -> int:
        """The next number of a series."""
        with self._db:
            self._db.execute("begin immediate")
            return self._next(kind)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _next(self, kind: str) -> int:
        row = self._db.execute(
            "insert into xh values (?, 1) on conflict (lb) do update set n = n + 1 returning n", (kind,)
        ).fetchone()
        return int(row[0])
