"""How far each participant and each part is behind, in records and in seconds.

A position is what was committed in Kafka: by admission and the rooms for themselves, by the gateway for a participant
whose node acknowledged over HTTP. Seconds are the age of the oldest unread record. Transaction markers take offsets
too, so offsets are not records: up to ``COUNTED`` unread records of a partition are read and counted, and what is more
than that is told by offsets and marked as such.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import stamina
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError, KafkaError, NotCoordinatorError

from services.kernel.errors import Transient
from services.runtime.settings import CommonSettings
from services.runtime.topics import Groups, Topics

COUNTED = 500
_WAIT_S = 2.0
_POLL_MS = 250


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads what: a participant its inbox, a part its topics."""

    kind: str
    name: str
    group: str
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """What one partition holds beyond a position."""

    records: int
    exact: bool
    oldest_ms: int | None


@dataclass(frozen=True, slots=True)
class Lag:
    """How far one reader is behind, over all its partitions. ``exact`` is false when records are told by offsets."""

    kind: str
    name: str
    group: str
    records: int
    exact: bool
    seconds: float


def readers(
    topics: Topics, families: Iterable[str], rooms: Mapping[str, Iterable[str]], present: Iterable[str]
) -> tuple[Reader, ...]:
    """The parts that read, and every participant that has an inbox, each with those of its topics that are present.

    ``rooms`` says the families whose logs each room folds.
    """
    groups, existing = Groups(topics.prefix), sorted(present)
    outboxes = tuple(topic for topic in existing if topic.startswith(topics.outbox("")))
    known = [
        Reader("part", "admission", groups.admission, tuple(topics.proposals(family) for family in families)),
        Reader("part", "gateway", groups.outboxes, outboxes),
        *(Reader("part", room, groups.room(room), tuple(map(topics.log, read))) for room, read in rooms.items()),
    ]
    owners = filter(None, map(topics.inbox_owner, existing))
    known += [Reader("participant", owner, groups.inbox(owner), (topics.inbox(owner),)) for owner in owners]
    return tuple(
        Reader(reader.kind, reader.name, reader.group, tuple(topic for topic in reader.topics if topic in existing))
        for reader in known
    )


def sum_up(reader: Reader, unread: Sequence[Unread], now_ms: int) -> Lag:
    """The lag of a reader from what its partitions hold; a record stamped later than now counts as new."""
    oldest = min((part.oldest_ms for part in unread if part.oldest_ms is not None), default=None)
    return Lag(
        kind=reader.kind,
        name=reader.name,
        group=reader.group,
        records=sum(part.records for part in unread),
        exact=all(part.exact for part in unread),
        seconds=0.0 if oldest is None else max(0, now_ms - oldest) / 1000,
    )


def count(position: int, end: int, read: Sequence[int], reached: int, oldest_ms: int | None) -> Unread:
    """What is unread between position and end, after reading these offsets from the position on, as far as ``reached``.

    All read: the records are counted. Not all: offsets are told, which is at least the number of records.
    """
    if reached >= end:
        return Unread(len(read), exact=True, oldest_ms=oldest_ms)
    return Unread(max(0, end - position), exact=False, oldest_ms=oldest_ms)


def measure(
    settings: CommonSettings, admin: Any, families: Iterable[str], rooms: Mapping[str, Iterable[str]], now_ms: int
) -> tuple[Lag, ...]:
    """The lag of every reader now, as in ``readers``. Blocks for a few seconds at most; ``Transient`` when the broker goes away."""
    topics = Topics(settings.exchange_name)
    known = readers(topics, families, rooms, admin.list_topics())
    positions = _positions(admin, known)
    places = _places(admin, known)
    consumer = KafkaConsumer(
        **settings.kafka_python(),
        isolation_level="read_committed",
        enable_auto_commit=False,
        group_id=None,
        max_poll_records=COUNTED,
        auto_offset_reset="earliest",
    )
    try:
        everywhere = [place for found in places.values() for place in found]
        bounds = Bounds(consumer.beginning_offsets(everywhere), consumer.end_offsets(everywhere))
        return tuple(
            sum_up(reader, _unread(consumer, bounds, places, reader, positions.get(reader.group, {})), now_ms)
            for reader in known
        )
    except KafkaError as error:
        raise Transient(f"Kafka at {settings.kafka_bootstrap}: {type(error).__name__} {error}") from error
    finally:
        consumer.close()


@dataclass(frozen=True, slots=True)
class Bounds:
    """First and next offset of every partition that anybody reads, asked for once."""

    starts: Mapping[Any, int]
    ends: Mapping[Any, int]


@stamina.retry(on=(CoordinatorNotAvailableError, NotCoordinatorError), timeout=10, wait_initial=0.1, wait_max=1)
def _positions(admin: Any, known: Iterable[Reader]) -> dict[str, dict[Any, int]]:
    committed: Mapping[str, Mapping[Any, Any]] = admin.list_group_offsets({reader.group: None for reader in known})
    return {group: {place: int(kept.offset) for place, kept in kept.items()} for group, kept in committed.items()}


def _places(admin: Any, known: Iterable[Reader]) -> dict[str, list[Any]]:
    """The partitions of every topic that anybody reads."""
    names = sorted({topic for reader in known for topic in reader.topics})
    described = admin.describe_topics(names) if names else []
    return {
        topic["name"]: [TopicPartition(topic["name"], partition) for partition in range(len(topic["partitions"]))]
        for topic in described
    }


def _unread(
    consumer: Any, bounds: Bounds, places: Mapping[str, Sequence[Any]], reader: Reader, positions: Mapping[Any, int]
) -> list[Unread]:
    found = []
    for place in (place for topic in reader.topics for place in places.get(topic, ())):
        position, end = max(positions.get(place, 0), bounds.starts[place]), bounds.ends[place]
        found.append(_read(consumer, place, position, end) if position < end else Unread(0, exact=True, oldest_ms=None))
    return found


def _read(consumer: Any, place: Any, position: int, end: int) -> Unread:
    """Reads from the position to the end or to the limit; a partition whose rest is markers has nothing unread."""
    consumer.assign([place])
    consumer.seek(place, position)
    offsets: list[int] = []
    oldest_ms: int | None = None
    until = time.monotonic() + _WAIT_S
    while consumer.position(place) < end and len(offsets) < COUNTED and time.monotonic() < until:
        for record in (record for batch in consumer.poll(timeout_ms=_POLL_MS).values() for record in batch):
            offsets.append(record.offset)
            oldest_ms = record.timestamp if oldest_ms is None else oldest_ms
    return count(position, end, offsets, consumer.position(place), oldest_ms)
