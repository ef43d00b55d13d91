"""The files of an archive while it is written: into a directory beside the one that is wanted, which is renamed when all is there.

So an archive is there whole or not at all; what a killed export left is removed by the next one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from services.audit.archive_manifest import MANIFEST, NOTE, FileLine
from services.codec.container import ContainerWriter, TopicRecord
from services.kernel.errors import BadSettings

ROTATE_BYTES: Final = 67_108_864
_UNFINISHED: Final = ".ipx-unfinished"


class _Hashed:
    """A file that counts and hashes what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        """Writes all of it."""
        self.digest.update(data)
        self.bytes += len(data)
        return self._file.write(data)


class ArchiveFiles:
    """Begin it, write files, ``publish``. ``BadSettings`` when there is something where the archive is to be."""

    def __init__(self, wanted: Path) -> None:
        self._wanted = wanted.absolute()
        self._directory = self._wanted.with_name(f"{self._wanted.name}{_UNFINISHED}")
        self._lines: list[FileLine] = []
        if self._wanted.is_symlink() or self._wanted.exists():
            raise BadSettings(f"{wanted} is there already; an archive is never written over")
        if not self._wanted.parent.is_dir():
            raise BadSettings(f"{wanted.parent} is no directory")
        self.discard()
        self._directory.mkdir()

    def discard(self) -> None:
        """Removes what is unfinished."""
        if self._directory.is_symlink() or self._directory.is_file():
            raise BadSettings(f"{self._directory} is no directory of an unfinished archive; remove it")
        if self._directory.is_dir():
            shutil.rmtree(self._directory)

    def put(self, path: str, data: bytes) -> None:
        """Writes one file."""
        self._store(path, data)
        self._lines.append(FileLine(path, len(data), hashlib.sha256(data).hexdigest()))

    def put_records(self, folder: str, records: Iterable[TopicRecord]) -> int:
        """Writes the records of one partition, in as many files as they need; how many there were."""
        count = 0
        rest = iter(records)
        record = next(rest, None)
        while record is not None:
            path = f"{folder}/{record.offset:020d}.avro"
            with self._place(path).open("wb") as file:
                hashed = _Hashed(file)
                writer = ContainerWriter(hashed, record.topic, record.partition, record.offset)
                while record is not None and hashed.bytes < ROTATE_BYTES:
                    writer.write(record)
                    record = next(rest, None)
                writer.close()
            self._lines.append(FileLine(path, hashed.bytes, hashed.digest.hexdigest(), writer.records))
            count += writer.records
        return count

    def lines(self) -> tuple[FileLine, ...]:
        """Every file so far, ascending by path."""
        return tuple(sorted(self._lines, key=lambda line: line.path))

    def publish(self, manifest: bytes, note: bytes) -> None:
        """Adds the two files of the manifest, puts everything on disk and gives the archive its name."""
        self._store(MANIFEST, manifest)
        self._store(NOTE, note)
        os.sync()  # once for tens of thousands of small files
        self._directory.rename(self._wanted)
        _sync(self._wanted.parent)

    def _store(self, path: str, data: bytes) -> None:
        self._place(path).write_bytes(data)

    def _place(self, path: str) -> Path:
        place = self._directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
