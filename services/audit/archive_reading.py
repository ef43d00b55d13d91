"""Reads an archive: a ``LogSource`` (``sources.py``) over files alone, each compared with the manifest before a byte of it is used.

``services/ledger/FORMAT.md`` section 6.7. Numbered, at opening: 1 manifest and note, each within its bound · 2 the note is over this manifest · 3 every file
that is there is listed and a plain file, every listed file is there · 4 the shipped data has its digests. A file of records or of a tree is compared when it
is first asked for.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from services.audit.archive_manifest import (
    LEDGER,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    NOTE,
    FileLine,
    LogLine,
    Manifest,
    is_signed_by,
    open_note,
    parse_manifest,
)
from services.codec.container import TopicRecord, read_container
from services.codec.keys import PublicKey
from services.codec.note import MAX_NOTE_BYTES, Note
from services.codec.tiles import Read
from services.kernel.errors import Refused
from services.ledger.files import CHECKPOINT, WITNESSED
from services.members.registry import Registry
from services.runtime.records import RawRecord
from services.runtime.topics import Topics

_MAX_TREE_FILE: Final = 256 * (2 + 65_535)
"""The largest bundle that tlog-tiles can hold."""
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """An archive that was opened. ``root`` is the key that the auditor believes, never one from the archive."""

    directory: Path
    root: PublicKey
    manifest: Manifest
    note: Note
    _lines: dict[str, FileLine]
    _logs: dict[str, LogLine]
    _checked: set[str] = field(default_factory=set)

    @property
    def exchange(self) -> str:
        """Name of the exchange."""
        return self.manifest.exchange

    @property
    def schemas_dir(self) -> Path:
        """The data that was in force, as it shipped."""
        return self.directory / "schemas"

    @property
    def horizon_ms(self) -> int:
        """Everything of the period that was admitted up to this instant is in the archive."""
        return self.manifest.horizon_ms

    def logs(self) -> Sequence[str]:
        """Every log partition, that of the members first."""
        members = f"{Topics(self.exchange).log('members')}/0"
        return sorted(self._logs, key=lambda log: (log != members, log))

    def span(self, log: str) -> int:
        """How many records the archive has of a log."""
        line = self._log(log)
        return line.next - line.first

    def first_seq(self, log: str) -> int:
        """``seq`` of the first record; not 0 where the period begins later."""
        return self._log(log).first

    def next_seq(self, log: str) -> int | None:
        """``seq`` after the last record; None where the archive goes up to its checkpoint."""
        line = self._log(log)
        return line.next if line.next < line.size else None

    def records(self, log: str) -> Iterator[RawRecord]:
        """The records of a log partition from the first that the archive has; refuses ``bad-archive`` files that are not what they must be."""
        self._log(log)
        topic, _, partition = log.rpartition("/")
        for record in self.topic(topic, int(partition)):
            headers = tuple((name, value or b"") for name, value in record.headers)
            yield RawRecord(record.topic, record.partition, record.offset, headers, record.value)

    def topic(self, topic: str, partition: int) -> Iterator[TopicRecord]:
        """The records of any topic, in order: logs, inboxes, checkpoints, quarantine."""
        folder = f"records/{topic}/{partition}/"
        last = -1
        for path in sorted(p for p in self._lines if p.startswith(folder)):
            self._require(path)
            for record in self._container(path):
                if (record.topic, record.partition) != (topic, partition) or record.offset <= last:
                    raise _bad(path, f"{record.topic}/{record.partition}@{record.offset} does not stand there")
                last = record.offset
                yield record

    def topics(self) -> list[tuple[str, int]]:
        """Topic and partition of everything that has records here."""
        found = {tuple(path.split("/")[1:3]) for path in self._lines if path.startswith("records/")}
        return sorted((topic, int(partition)) for topic, partition in found)

    def checkpoints(self, origin: str) -> Iterator[bytes]:
        """Notes of that log: those of the topic, in order, then the one that the archive rests on."""
        key = origin.encode()
        for record in self.topic(Topics(self.exchange).checkpoints, 0):
            if record.key == key:
                yield record.value or b""
        note = self._file(f"tree/{origin}/{CHECKPOINT}", MAX_NOTE_BYTES)
        if note is not None:
            yield note

    def witnessed(self, origin: str) -> bytes | None:
        """The last note that met the quorum when the archive was made."""
        return self._file(f"tree/{origin}/{WITNESSED}", MAX_NOTE_BYTES)

    def tiles(self, origin: str) -> Read | None:
        """The archived tiles of that log."""
        return self._read_tile(origin) if f"tree/{origin}/{CHECKPOINT}" in self._lines else None

    def is_signed(self, registry: Registry) -> bool:
        """Whether the manifest bears the signature of a key that ``exchange.ledger`` had when the archive was made."""
        made_ms = self.manifest.made_ms
        keys = [key for key in registry.keys_of(LEDGER) if key.refusal_at(made_ms) is None]
        return any(is_signed_by(self.note, key.public_key) for key in keys)

    def check_all(self) -> int:
        """Compares every file with the manifest; how many there are. Refuses ``bad-archive``, naming the first that differs."""
        for path in self._lines:
            self._require(path)
        return len(self._lines)

    def _log(self, log: str) -> LogLine:
        line = self._logs.get(log)
        if line is None:
            raise Refused("not-found", f"there is no log {log}; there are {', '.join(self.logs())}")
        return line

    def _read_tile(self, origin: str) -> Read:
        return lambda path: self._file(f"tree/{origin}/{path}", _MAX_TREE_FILE)

    def _container(self, path: str) -> Iterator[TopicRecord]:
        count = 0
        with _opened(self.directory, path) as file:
            try:
                for record in read_container(file):
                    if count == 0 and path.rpartition("/")[2] != f"{record.offset:020d}.avro":
                        raise _bad(path, f"begins with offset {record.offset}")
                    count += 1
                    yield record
            except Refused as error:
                raise error if error.field else _bad(path, error.message) from error
        if count != self._lines[path].records:
            raise _bad(path, f"has {count} records, the manifest says {self._lines[path].records}")

    def _file(self, path: str, most_bytes: int) -> bytes | None:
        """A small file, compared with the manifest; None when it is not listed."""
        line = self._lines.get(path)
        if line is None:
            return None
        if line.bytes > most_bytes:
            raise _bad(path, f"has {line.bytes} bytes, {most_bytes} are the most")
        with _opened(self.directory, path) as file:
            data = file.read(line.bytes + 1)
        if len(data) != line.bytes or hashlib.sha256(data).hexdigest() != line.sha256:
            raise _bad(path, "is not what the manifest says")
        return data

    def _require(self, path: str) -> None:
        """The file is what the manifest says; read through once, in pieces."""
        if path in self._checked:
            return
        line, digest, size = self._lines[path], hashlib.sha256(), 0
        with _opened(self.directory, path) as file:
            while size <= line.bytes and (piece := file.read(_PIECE)):
                digest.update(piece)
                size += len(piece)
        if size != line.bytes or digest.hexdigest() != line.sha256:
            raise _bad(path, "is not what the manifest says")
        self._checked.add(path)


def open_archive(directory: Path, root: PublicKey) -> ArchiveSource:
    """Opens an archive: steps 1 to 4. Refuses ``bad-archive``, ``bad-note`` and what ``parse_manifest`` refuses, naming the place."""
    # (1) manifest and note
    data = _whole(directory, MANIFEST, MAX_MANIFEST_BYTES)
    manifest = parse_manifest(data)
    # (2) the note is over this manifest
    note = open_note(_whole(directory, NOTE, MAX_NOTE_BYTES), manifest.exchange, data)
    # (3) what is there is listed, what is listed is there
    lines = {line.path: line for line in manifest.files}
    missing = set(lines)
    for path in _walk(directory, ""):
        if path not in lines and path not in (MANIFEST, NOTE):
            raise _bad(path, "is not in the manifest")
        missing.discard(path)
    if missing:
        raise _bad(min(missing), f"is missing, and {len(missing) - 1} more" if len(missing) > 1 else "is missing")
    source = ArchiveSource(directory, root, manifest, note, lines, {line.log: line for line in manifest.logs})
    # (4) the shipped data
    for path in lines:
        if path.startswith("schemas/"):
            source._require(path)
    return source


def _walk(directory: Path, below: str) -> Iterator[str]:
    """Paths of all files below, without following a link; refuses ``bad-archive`` what is neither file nor directory."""
    try:
        entries = sorted(os.scandir(directory / below), key=lambda entry: entry.name)
    except OSError as error:
        raise _bad(below or ".", f"cannot be read: {error.strerror}") from error
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode) and path.count("/") < 16:
            yield from _walk(directory, path)
        elif stat.S_ISREG(mode):
            yield path
        else:
            raise _bad(path, "is neither a file nor a directory of an archive")


def _whole(directory: Path, path: str, most_bytes: int) -> bytes:
    with _opened(directory, path) as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise Refused("too-large", f"{path} has more than {most_bytes} bytes", field=path)
    return data


def _opened(directory: Path, path: str) -> BinaryIO:
    """A plain file below the directory, not through a link; refuses ``bad-archive`` when it cannot be read."""
    try:
        number = os.open(directory / path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise _bad(path, f"cannot be read: {error.strerror}") from error
    return os.fdopen(number, "rb")


def _bad(path: str, sentence: str) -> Refused:
    return Refused("bad-archive", f"{path} {sentence}", field=path)
