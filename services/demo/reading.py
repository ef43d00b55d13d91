"""Reads topics of the exchange without any part of it running but Kafka: kafka-python, committed records, no group."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.demo.tally import Place, Record
from services.kernel.errors import Transient
from services.runtime.settings import CommonSettings

_FETCH_BYTES = 4 << 20
_WAIT_MS = 200


class Reader:
    """Every partition of some topics, from chosen offsets on. Use as a context manager; blocks; ``Transient`` without Kafka."""

    def __init__(self, settings: CommonSettings) -> None:
        logging.getLogger("kafka").setLevel(logging.CRITICAL)  # a broker that restarts is not news here
        self._bootstrap = settings.kafka_bootstrap
        try:
            self._consumer = KafkaConsumer(
                **settings.kafka_python(),
                isolation_level="read_committed",
                enable_auto_commit=False,
                group_id=None,
                auto_offset_reset="earliest",
                max_poll_records=5_000,
                max_partition_fetch_bytes=_FETCH_BYTES,
                check_crcs=False,  # in pure Python it is half of all the time; the broker has checked them
                reconnect_backoff_max_ms=500,
            )
        except KafkaError as error:
            raise self._away(error) from error

    def topics(self) -> frozenset[str]:
        """Every topic that the broker has."""
        try:
            return frozenset(self._consumer.topics())
        except KafkaError as error:
            raise self._away(error) from error

    def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """Where each partition ends now: after its last settled record."""
        try:
            places = [
                TopicPartition(topic, partition)
                for topic in sorted(topics)
                for partition in sorted(self._consumer.partitions_for_topic(topic) or ())
            ]
            found: Mapping[Any, int] = self._consumer.end_offsets(places) if places else {}
        except KafkaError as error:
            raise self._away(error) from error
        return {(place.topic, place.partition): offset for place, offset in found.items()}

    def start(self, offsets: Mapping[Place, int]) -> None:
        """Reads these partitions from these offsets on."""
        places = {TopicPartition(*place): offset for place, offset in offsets.items()}
        self._consumer.assign(list(places))
        for place, offset in places.items():
            self._consumer.seek(place, offset)

    def poll(self, wait_ms: int = _WAIT_MS) -> list[Record]:
        """What has come since; waits that long for the first."""
        try:
            batches: Mapping[Any, list[Any]] = self._consumer.poll(timeout_ms=wait_ms)
        except KafkaError as error:
            raise self._away(error) from error
        return [_record(found) for batch in batches.values() for found in batch]

    def read_to(self, ends: Mapping[Place, int], *, within_s: float) -> Iterator[Record]:
        """Every settled record before those ends, from the beginning; ``Transient`` when it takes longer."""
        waiting = {TopicPartition(*place): end for place, end in ends.items() if end > 0}
        self.start({place: 0 for place, end in ends.items() if end > 0})
        until = time.monotonic() + within_s
        while waiting:
            if time.monotonic() > until:
                raise Transient(f"Kafka at {self._bootstrap}: {len(waiting)} partitions were not read in {within_s} s")
            for record in self.poll():
                if record.offset < ends[record.topic, record.partition]:
                    yield record
            waiting = {place: end for place, end in waiting.items() if self._consumer.position(place) < end}

    def close(self) -> None:
        """Closes the connections."""
        self._consumer.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _away(self, error: KafkaError) -> Transient:
        return Transient(f"Kafka at {self._bootstrap}: {type(error).__name__} {error}")


def _record(found: Any) -> Record:
    return Record(found.topic, found.partition, found.offset, list(found.headers), found.value)
