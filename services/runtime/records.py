"""A record of a log, decoded and compared: the way from Kafka's bytes to what a fold folds. Pure.

Logs are written by admission alone, so a record that is not as admission writes it contradicts what was proved before:
``Corrupt``, with the place. Nothing is guessed and nothing is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.codec.entry import Entry, parse_entry
from services.codec.envelope import envelope_from_record
from services.codec.schema import EventSchema
from services.events.registry import EVENT_TYPES, from_value
from services.kernel.errors import Corrupt, Refused
from services.runtime.fold import Logged

SchemaOf = Callable[[str], EventSchema]
"""The released schema with that digest (``sha256:<hex>``); refuses ``unknown-schema``."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as a Kafka client gives it, whichever client that is."""

    topic: str
    partition: int
    offset: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


def read_logged(record: RawRecord, schema_of: SchemaOf) -> Logged:
    """Entry, value and typed event of a log record; ``Corrupt``, naming the place, when it is not one."""
    try:
        _, envelope = envelope_from_record(record.headers, record.value)
        entry = parse_entry((envelope.entry or "").encode())
        if entry.statement != envelope.statement or entry.signature != envelope.signature:
            raise Refused("bad-entry", "the entry and the attributes are not of the same statement")
        if entry.log != log_of(record.topic, record.partition):
            raise Refused("bad-entry", f"the entry says that it is of {entry.log}")
        schema = schema_of(entry.statement.schema)
        if schema.name != entry.statement.type or schema.name not in EVENT_TYPES:
            raise Refused("unknown-schema", f"{entry.statement.type} with the schema of {schema.name}")
        value = schema.decode(envelope.body)
    except Refused as error:
        place = f"{record.topic}/{record.partition} offset {record.offset}"
        raise Corrupt(f"{place} is not a record of the log: {error.code}: {error.message}") from error
    return Logged(
        entry=entry,
        value=value,
        event=from_value(schema.name, value),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        trace=envelope.trace,
    )


@lru_cache(maxsize=1024)
def log_of(topic: str, partition: int) -> str:
    """The name of a log partition in entries and receipts: ``ipx.clues/3``."""
    return f"{topic}/{partition}"


def place_of(entry: Entry) -> tuple[str, int]:
    """Topic and partition of an entry's log."""
    topic, _, partition = entry.log.rpartition("/")
    return topic, int(partition)
