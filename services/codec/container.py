"""Avro object container files of topic records: written in one form only, and read only in that form.

``services/ledger/FORMAT.md`` section 6.7; Apache Avro 1.12, object container files. A container file names its own schema and codec, so a reader
that follows it does what a stranger says: here the header must be these very bytes, there is no compression to unfold, and the length and
count of a block are checked before anything of it is decoded. fastavro writes the records; the reader is our own, as in ``reader.py``.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, Final, Protocol

import fastavro

from services.kernel.errors import Refused

MAX_BLOCK_BYTES: Final = 4_194_304
MAX_BLOCK_RECORDS: Final = 10_000
MAX_HEADERS: Final = 1_000
_BLOCK_BYTES: Final = 65_536
_SYNC: Final = 16
_REMEMBERED_NAME: Final = 64
_LEAST_RECORD_BYTES: Final = 7  # each of the seven fields takes one at least

SCHEMA: Final = json.dumps(
    {
        "type": "record",
        "name": "TopicRecord",
        "namespace": "cn.ipx.archive",
        "doc": "A record of a topic as the broker held it; produced again, it is the same record.",
        "fields": [
            {"name": "topic", "type": "string"},
            {"name": "partition", "type": "int"},
            {"name": "offset", "type": "long"},
            {"name": "timestamp", "type": "long", "doc": "Milliseconds since 1970-01-01 UTC."},
            {"name": "key", "type": ["null", "bytes"]},
            {
                "name": "headers",
                "type": {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": "Header",
                        "fields": [{"name": "name", "type": "string"}, {"name": "value", "type": ["null", "bytes"]}],
                    },
                },
            },
            {"name": "value", "type": ["null", "bytes"]},
        ],
    },
    separators=(",", ":"),
)
_PARSED: Final = fastavro.parse_schema(json.loads(SCHEMA))


def _long(value: int) -> bytes:
    """Zig-zag varint of a number that is not negative."""
    value <<= 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(text: str) -> bytes:
    data = text.encode()
    return _long(len(data)) + data


HEADER: Final = (
    b"Obj\x01" + _long(2) + _text("avro.codec") + _text("null") + _text("avro.schema") + _text(SCHEMA) + _long(0)
)
"""A file up to its sync marker."""


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A record as the broker held it."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None


def sync_marker(topic: str, partition: int, first_offset: int) -> bytes:
    """The marker of a file: it follows from what the file begins with, so that the same records give the same file."""
    return hashlib.sha256(f"ipx-container/v1\n{topic}/{partition}/{first_offset}".encode()).digest()[:_SYNC]


class Sink(Protocol):
    """Where a file is written to."""

    def write(self, data: bytes, /) -> int:
        """Writes all of it and says how much that was."""
        ...


class ContainerWriter:
    """Writes records of one partition, ascending by offset; ``close`` writes the last block. The file is the caller's."""

    def __init__(self, file: Sink, topic: str, partition: int, first_offset: int) -> None:
        self._file = file
        self._marker = sync_marker(topic, partition, first_offset)
        self._block = io.BytesIO()
        self._count = 0
        self.records = 0
        file.write(HEADER + self._marker)

    def write(self, record: TopicRecord) -> None:
        """Adds a record. Refuses ``too-large`` one that no reader would take, ``bad-field`` one that is none."""
        start = self._block.tell()
        try:
            fastavro.schemaless_writer(self._block, _PARSED, _plain(record))
        except (ValueError, TypeError, OverflowError) as error:
            raise Refused("bad-field", f"offset {record.offset} is not a record: {type(error).__name__}") from None
        if self._block.tell() - start > MAX_BLOCK_BYTES - _BLOCK_BYTES or len(record.headers) > MAX_HEADERS:
            raise Refused(
                "too-large", f"{record.topic}/{record.partition}@{record.offset} is larger than an archive takes"
            )
        self._count += 1
        self.records += 1
        if self._block.tell() >= _BLOCK_BYTES or self._count == MAX_BLOCK_RECORDS:
            self._flush()

    def close(self) -> None:
        """Writes what is left; the writer is done."""
        if self._count:
            self._flush()

    def _flush(self) -> None:
        data = self._block.getvalue()
        self._file.write(_long(self._count) + _long(len(data)) + data + self._marker)
        self._block = io.BytesIO()
        self._count = 0


def _plain(record: TopicRecord) -> dict[str, object]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
        "key": record.key,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
        "value": record.value,
    }


def read_container(file: BinaryIO) -> Iterator[TopicRecord]:
    """The records of a file from its beginning, one block in memory at a time.

    Refuses ``bad-archive`` a file that :class:`ContainerWriter` would not have written, naming the byte. Promises bounded memory and
    linear time for any bytes. Not promised: that records are of one partition or in order, which the caller compares.
    """
    if file.read(len(HEADER)) != HEADER:
        raise _bad(0, "the header is not that of an archive")
    marker = file.read(_SYNC)
    if len(marker) != _SYNC:
        raise _bad(len(HEADER), "the file ends within its header")
    at = len(HEADER) + _SYNC
    first = True
    while head := file.read(1):
        count, size, at = _block_head(file, head, at)
        data = file.read(size + _SYNC)
        if len(data) != size + _SYNC or data[size:] != marker:
            raise _bad(at, "a block is cut short or does not end with the marker")
        for record in _records(data[:size], count, at):
            if first and sync_marker(record.topic, record.partition, record.offset) != marker:
                raise _bad(len(HEADER), "the marker is not that of the first record")
            first = False
            yield record
        at += size + _SYNC
    if first:
        raise _bad(at, "the file has no block")


def _block_head(file: BinaryIO, head: bytes, at: int) -> tuple[int, int, int]:
    count, at = _file_long(file, head, at)
    if not 1 <= count <= MAX_BLOCK_RECORDS:
        raise _bad(at, f"a block has 1 to {MAX_BLOCK_RECORDS} records, this one says {count}")
    size, at = _file_long(file, file.read(1), at)
    if not count * _LEAST_RECORD_BYTES <= size <= MAX_BLOCK_BYTES:
        raise _bad(at, f"a block of {count} records does not have {size} bytes")
    return count, size, at


def _file_long(file: BinaryIO, head: bytes, at: int) -> tuple[int, int]:
    """A number of the file, from its first byte on: at most four bytes, which is more than either bound."""
    value = 0
    for shift in (0, 7, 14, 21):
        if not head:
            raise _bad(at, "the file ends within a number")
        at += 1
        value |= (head[0] & 0x7F) << shift
        if head[0] < 0x80:
            if shift and head[0] == 0:
                raise _bad(at, "a number is not in its shortest form")
            if value & 1:
                raise _bad(at, "a number is negative")
            return value >> 1, at
        head = file.read(1)
    raise _bad(at, "a count or size is too large")


def _records(data: bytes, count: int, start: int) -> Iterator[TopicRecord]:
    at = 0
    try:
        for _ in range(count):
            record, at = _record(data, at)
            yield record
    except IndexError as error:
        raise _bad(start + at, "a record runs past its block") from error
    except UnicodeDecodeError as error:
        raise _bad(start + at, "a text is not UTF-8") from error
    except _NotCanonicalError as error:
        raise _bad(start + at, str(error)) from error
    if at != len(data):
        raise _bad(start + at, "bytes follow the last record of a block")


class _NotCanonicalError(Exception):
    """Bytes that the writer would not have written."""


def _record(data: bytes, at: int) -> tuple[TopicRecord, int]:
    topic, at = _bytes(data, at)
    partition, at = _number(data, at)
    offset, at = _number(data, at)
    timestamp, at = _number(data, at)
    key, at = _optional(data, at)
    headers, at = _headers(data, at)
    value, at = _optional(data, at)
    if partition >= 1 << 31:
        raise _NotCanonicalError("a partition does not fit in 32 bits")
    return TopicRecord(topic.decode(), partition, offset, timestamp, key, headers, value), at


def _headers(data: bytes, at: int) -> tuple[tuple[tuple[str, bytes | None], ...], int]:
    """The headers, which are most of a record: short lengths are read in place. A length past the end ends up past the end."""
    if data[at] == 0:
        return (), at + 1
    count, at = _number(data, at)
    if count > MAX_HEADERS:
        raise _NotCanonicalError(f"a record has {count} headers")
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        size = data[at]
        if size & 0x81:
            size, at = _number(data, at)
        else:
            size >>= 1
            at += 1
        end = at + size
        raw = data[at:end]
        name = _name(raw) if size <= _REMEMBERED_NAME else raw.decode()
        branch, at = data[end], end + 1
        if branch == 0:
            headers.append((name, None))
            continue
        if branch != 2:
            raise _NotCanonicalError("a union has another branch than null or bytes")
        size = data[at]
        if not size & 0x81:
            size >>= 1
            at += 1
        elif not size & 1 and 0 < (high := data[at + 1]) < 0x80:
            size = (size & 0x7F | high << 7) >> 1
            at += 2
        else:
            size, at = _number(data, at)
        end = at + size
        headers.append((name, data[at:end]))
        at = end
    if data[at] != 0:
        raise _NotCanonicalError("an array has a second block")
    return tuple(headers), at + 1


@lru_cache(maxsize=1024)
def _name(data: bytes) -> str:
    """A short name; the same few stand in every record."""
    return data.decode()


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number that is not negative, in its shortest form, within 64 bits."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise _NotCanonicalError("a number has more than ten bytes")
    if (byte == 0 and shift) or value & 1 or value >> 64:
        raise _NotCanonicalError("a number is negative, too large or not in its shortest form")
    return value >> 1, at


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _number(data, at)
    end = at + size
    if end > len(data):
        raise IndexError
    return data[at:end], end


def _optional(data: bytes, at: int) -> tuple[bytes | None, int]:
    branch = data[at]
    if branch == 0:
        return None, at + 1
    if branch != 2:
        raise _NotCanonicalError("a union has another branch than null or bytes")
    return _bytes(data, at + 1)


def _bad(at: int, sentence: str) -> Refused:
    return Refused("bad-archive", f"byte {at}: {sentence}")
