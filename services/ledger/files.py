"""The files of one log: tiles, entry bundles, checkpoint, witnessed checkpoint, and where an event stands. Read by everybody.

``<ledger directory>/<origin>/`` holds what a C2SP tlog-tiles reader asks for below the origin (``FORMAT.md`` section 6.3), and
``index.sqlite``, which says where an event stands. Only ``ipx ledger`` writes there.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from services.kernel.errors import Corrupt
from services.runtime.faults import reach

CHECKPOINT = "checkpoint"
WITNESSED = "witnessed"
CANDIDATE = "candidate"
INDEX = "index.sqlite"
FRESH = ".new"
"""Suffix of a file that is not whole yet: nobody reads it, the next start removes it."""


@dataclass(frozen=True, slots=True)
class LogFiles:
    """Reads the files of one log; safe from any thread or process while the ledger writes: a file is there whole or not at all."""

    directory: Path

    def read(self, path: str) -> bytes | None:
        """Bytes of a tile or bundle by its path relative to the log's prefix; None when it is not there."""
        try:
            return (self.directory / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def checkpoint(self) -> bytes | None:
        """The last signed checkpoint, with the cosignatures known for it; None before the first."""
        return self.read(CHECKPOINT)

    def witnessed(self) -> bytes | None:
        """The last checkpoint that met the quorum, with its cosignatures; None before there is one."""
        return self.read(WITNESSED)

    def candidate(self) -> bytes | None:
        """The checkpoint that witnesses are to cosign now; None before the first. It stands still for a while, so that they sign the same one."""
        return self.read(CANDIDATE)

    def find(self, event_id: str) -> tuple[int, int] | None:
        """``seq`` and Kafka offset of an event of this log, None when it has none of that id. Blocks for a look-up in a file.

        An event is found a moment before a checkpoint holds it: compare ``seq`` with the size. ``Corrupt`` when the file is none.
        """
        path = self.directory / INDEX
        if not path.is_file():
            return None
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)) as database:
                row = database.execute("select seq, offset from events where id = ?", (key_of(event_id),)).fetchone()
        except sqlite3.DatabaseError as error:
            raise Corrupt(
                f"{path.name} of {self.directory.name}: {error}; `ipx ledger rebuild` makes it anew"
            ) from error
        return None if row is None else (int(row[0]), int(row[1]))


def key_of(event_id: str) -> bytes:
    """The 16 bytes of an event id, as the index has them."""
    return bytes.fromhex(event_id.replace("-", ""))


def origins(ledger_dir: Path) -> list[str]:
    """Origins of which there are files, ``<exchange>/<family>/<partition>``, in order."""
    found = (path for path in ledger_dir.glob("*/*/*") if (path / CHECKPOINT).is_file() or (path / "tile").is_dir())
    named = [path.relative_to(ledger_dir).parts for path in found if path.name.isdigit()]
    return ["/".join(parts) for parts in sorted(named, key=lambda parts: (*parts[:2], int(parts[2])))]


def write_files(directory: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Writes files below a directory so that each is there whole and durable, or not at all, whenever the process or machine dies.

    All are written under fresh names, then they go to disk (the first takes most of the others along), then all are renamed, then the directories
    go to disk.
    """
    written = [(_fresh(directory / path, data), directory / path) for path, data in files]
    for fresh, _ in written:
        _sync(fresh, os.O_RDWR)
    for fresh, path in written:
        reach("ledger.fresh")
        fresh.replace(path)
        reach("ledger.renamed")
    for folder in {path.parent for _, path in written}:
        sync_directory(folder)


def _fresh(path: Path, data: bytes) -> Path:
    _make_directory(path.parent)
    fresh = path.with_name(path.name + FRESH)
    fresh.write_bytes(data)
    return fresh


def _make_directory(path: Path) -> None:
    """A directory that is durable with all above it."""
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """The names in a directory are on disk when this returns."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_unfinished(directory: Path) -> None:
    """Removes what a process that died was writing."""
    for path in directory.rglob(f"*{FRESH}"):
        path.unlink(missing_ok=True)
