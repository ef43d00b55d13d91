"""Acknowledged cursors, kept in Kafka as offsets of the group ``<prefix>-inbox-<participant>``, where ``ipx lag`` reads them.

Asking with a cursor acknowledges everything before it. The offset is committed at most once a second for each
participant, and only forward: a repeated or late request takes nothing back. Lost with the process is at most that
second, which costs a node nothing: it holds its own cursor.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from services.kernel.errors import Transient
from services.runtime.topics import Groups, Topics

_TIMEOUT_S = 5.0


class Acknowledgements:
    """The acknowledged offset of each participant; :meth:`note` is cheap, the rest blocks and wants a worker thread."""

    def __init__(self, connection: Mapping[str, Any], prefix: str) -> None:
        self._admin = AdminClient(dict(connection))
        self._topics = Topics(prefix)
        self._groups = Groups(prefix)
        self._lock = threading.Lock()
        self._known: dict[str, int] = {}
        self._noted: dict[str, int] = {}

    def note(self, participant: str, offset: int) -> None:
        """The participant has everything before this offset."""
        with self._lock:
            if offset > max(self._known.get(participant, -1), self._noted.get(participant, -1)):
                self._noted[participant] = offset

    def position(self, participant: str) -> int:
        """The offset acknowledged last; 0 when there was none. ``Transient`` when Kafka does not answer. Blocks."""
        with self._lock:
            known = max(self._known.get(participant, -1), self._noted.get(participant, -1))
            asked = participant in self._known
        if asked:
            return known
        committed = self._committed(participant)
        with self._lock:
            self._known[participant] = max(committed, self._known.get(participant, 0))
        return max(known, committed, 0)

    def flush(self) -> None:
        """Commits what was noted since the last time; keeps it for the next time when Kafka is away. Blocks."""
        with self._lock:
            due, self._noted = self._noted, {}
        try:
            self._commit({p: offset for p, offset in due.items() if offset > self.position(p)})
        except Transient:
            with self._lock:
                for participant, offset in due.items():
                    self._noted[participant] = max(offset, self._noted.get(participant, -1))
            raise

    def _committed(self, participant: str) -> int:
        place = TopicPartition(self._topics.inbox(participant), 0)
        asked = ConsumerGroupTopicPartitions(self._groups.inbox(participant), [place])
        try:
            futures = self._admin.list_consumer_group_offsets([asked], request_timeout=_TIMEOUT_S)
            found = _only(futures.values()).result(_TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            raise Transient(f"Kafka does not tell acknowledged offsets: {error}") from error
        return max(0, *(int(p.offset) for p in found.topic_partitions), 0)

    def _commit(self, offsets: Mapping[str, int]) -> None:
        futures = {}
        for participant, offset in offsets.items():
            place = TopicPartition(self._topics.inbox(participant), 0, offset)
            group = ConsumerGroupTopicPartitions(self._groups.inbox(participant), [place])
            futures[participant] = _only(
                self._admin.alter_consumer_group_offsets([group], request_timeout=_TIMEOUT_S).values()
            )
        for participant, future in futures.items():
            try:
                future.result(_TIMEOUT_S)
            except (KafkaException, TimeoutError) as error:
                raise Transient(f"Kafka does not take acknowledged offsets: {error}") from error
            with self._lock:
                self._known[participant] = max(offsets[participant], self._known.get(participant, -1))


def _only(futures: Iterable[Any]) -> Any:
    return next(iter(futures))
