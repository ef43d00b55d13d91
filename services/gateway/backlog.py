"""Reads an inbox from Kafka itself: for a cursor that is older than what the ring of that inbox holds.

A small pool of consumers, each standing somewhere in one inbox, so that a node that reads its backlog page by page goes
on where it was. Everything here blocks and is called in a worker thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.gateway.reading import structured
from services.gateway.rings import Page
from services.gateway.tail import inbox_consumer
from services.kernel.errors import Transient
from services.runtime.topics import Topics

_POOL = 2
_TIMEOUT_S = 5.0
_MORE = {
    "enable.partition.eof": True,
    "queued.max.messages.kbytes": 4_096,
    "queued.min.messages": 1_000,
}


@dataclass(slots=True)
class _Standing:
    """A consumer, and the inbox and offset it stands before."""

    consumer: Consumer
    topic: str = ""
    offset: int = -1


class Backlog:
    """Reads pages of old records; at most ``_POOL`` at once, others wait their turn."""

    def __init__(self, connection: Mapping[str, Any], topics: Topics) -> None:
        self._connection = connection
        self._topics = topics
        self._free = threading.Semaphore(_POOL)
        self._lock = threading.Lock()
        self._idle: list[_Standing] = []
        self._closed = False

    def read(self, participant: str, after: int, limit: int, limit_bytes: int) -> Page:
        """Records from ``after`` on, up to the end of the inbox; ``Transient`` when Kafka does not answer.

        A page without records ends where the inbox ends now, past whatever is no record there. Where records before
        ``after`` were deleted by age, the page begins with the oldest one left; its number shows the gap.
        """
        topic = self._topics.inbox(participant)
        with self._free:
            standing = self._borrow(topic, after)
            try:
                page = self._page(standing, topic, after, limit, limit_bytes)
            except KafkaException as error:
                standing.consumer.close()
                raise Transient(f"Kafka: {error.args[0].name()}") from error
            except Transient:
                standing.consumer.close()
                raise
            standing.topic, standing.offset = topic, page.next_offset
            self._give_back(standing)
            return page

    def end(self, participant: str) -> int:
        """The offset after the last record of an inbox, as the broker has it; ``Transient`` when it does not answer."""
        with self._free:
            standing = self._borrow("", -1)
            try:
                _, high = standing.consumer.get_watermark_offsets(
                    TopicPartition(self._topics.inbox(participant), 0), timeout=_TIMEOUT_S
                )
            except KafkaException as error:
                standing.consumer.close()
                raise Transient(f"Kafka: {error.args[0].name()}") from error
            self._give_back(standing)
            return int(high)

    def close(self) -> None:
        """Closes every consumer that is idle; one that is in use is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for standing in idle:
            standing.consumer.close()

    def _borrow(self, topic: str, after: int) -> _Standing:
        with self._lock:
            for standing in self._idle:
                if (standing.topic, standing.offset) == (topic, after):
                    self._idle.remove(standing)
                    return standing
            if len(self._idle) == _POOL or (self._idle and not topic):
                return self._idle.pop(0)
        return _Standing(inbox_consumer(self._connection, f"{self._topics.prefix}-gateway-backlog", **_MORE))

    def _give_back(self, standing: _Standing) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _POOL:
                self._idle.append(standing)
                return
        standing.consumer.close()

    def _page(self, standing: _Standing, topic: str, after: int, limit: int, limit_bytes: int) -> Page:
        if (standing.topic, standing.offset) != (topic, after):
            standing.consumer.assign([TopicPartition(topic, 0, after)])
        items: list[bytes] = []
        size = 0
        next_offset = after
        deadline_s = time.monotonic() + _TIMEOUT_S
        while len(items) < limit and size < limit_bytes:
            message = standing.consumer.poll(max(0.0, deadline_s - time.monotonic()))
            if message is None:
                if items:
                    break
                raise Transient(f"Kafka did not answer within {_TIMEOUT_S:g} s")
            error = message.error()
            if error is None:
                items.append(structured(message.headers(), message.value()))
                size += len(items[-1])
                next_offset = message.offset() + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                next_offset = max(next_offset, message.offset())
                break
            else:
                raise Transient(f"Kafka: {error.name()}")
        return Page(tuple(items), next_offset)
