"""The consumer group over the ``.in`` topics: which partitions are this process's, read committed only, from where the log stands.

Static membership: a process that comes back under its name takes its partitions back without a rebalance. A partition that is new
is paused until its index has caught up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.admission.partition import Place
from services.admission.proposal import Proposed
from services.admission.publish import Fenced
from services.kernel.errors import Transient

_CALL_S = 10.0
_POLL_INTERVAL_MS = 300_000
_FETCH_QUEUE_KB = 8_192
_FETCH_BYTES = 4_194_304


class Group:
    """The consumer of this process. ``gained`` and ``lost`` are called from within ``read``."""

    def __init__(
        self,
        kafka: Mapping[str, Any],
        group: str,
        instance: str | None,
        session_timeout_ms: int,
        gained: Callable[[list[Place]], None],
        lost: Callable[[list[Place]], None],
    ) -> None:
        """``kafka`` are librdkafka's connection settings; without ``instance`` the membership ends with the process."""
        self._gained = gained
        self._lost = lost
        self.is_away = False
        static = {} if instance is None else {"group.instance.id": f"{group}-{instance}"}
        self.consumer = Consumer(
            {
                **kafka,
                **static,
                "log_level": 2,
                "group.id": group,
                "session.timeout.ms": session_timeout_ms,
                "heartbeat.interval.ms": max(session_timeout_ms // 5, 200),
                "max.poll.interval.ms": max(_POLL_INTERVAL_MS, session_timeout_ms),
                "partition.assignment.strategy": "range",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "fetch.wait.max.ms": 100,
                "fetch.queue.backoff.ms": 2,
                "queued.max.messages.kbytes": _FETCH_QUEUE_KB,
                "fetch.max.bytes": _FETCH_BYTES,
                "topic.metadata.refresh.interval.ms": 10_000,
                "error_cb": self._on_client_error,
            }
        )

    def subscribe(self, topics: Iterable[str]) -> None:
        """Joins the group."""
        self.consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def read(self, most: int, first_s: float, gather_s: float) -> list[Proposed]:
        """Up to ``most`` records: waits ``first_s`` for the first and ``gather_s`` for more after it.

        ``Fenced`` when another process runs under this name; ``Transient`` on any other error of the group.
        """
        first = self.consumer.poll(first_s)
        if first is None:
            return []
        messages = [first, *(self.consumer.consume(most - 1, gather_s) if most > 1 else ())]
        self.is_away = False
        return [_proposed(message) for message in messages if not self._is_error(message)]

    def committed(self, place: Place) -> int | None:
        """The offset of ``.in`` up to which outcomes were given, 0 when none was; None while a transaction on it is open.

        Blocks; ``Transient`` while Kafka is away.
        """
        try:
            (found,) = self.consumer.committed([TopicPartition(*place)], timeout=_CALL_S)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNSTABLE_OFFSET_COMMIT:
                return None
            raise Transient(f"{place[0]}/{place[1]}: {error.args[0].name()}") from error
        if found.error is not None:
            raise Transient(f"{place[0]}/{place[1]}: {found.error.name()}")
        return 0 if found.offset == OFFSET_INVALID else int(found.offset)

    def resume(self, place: Place) -> None:
        """Begins to read a partition that was gained."""
        self.consumer.resume([TopicPartition(*place)])

    def metadata(self) -> Any:
        """The generation of the group that this process is of now: what fences it when it has lost its partitions."""
        return self.consumer.consumer_group_metadata()

    def close(self) -> None:
        """Ends the consumer; its partitions stay with its name until the session times out."""
        self.consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        consumer.pause(partitions)
        self._gained([(partition.topic, partition.partition) for partition in partitions])

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._lost([(partition.topic, partition.partition) for partition in partitions])

    def _is_error(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.fatal():
            raise Fenced(f"this consumer may read no more: {error.name()} {error.str()}")
        raise Transient(f"{message.topic()}: {error.name()} {error.str()}")

    def _on_client_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.is_away = True


def _proposed(message: Message) -> Proposed:
    try:
        headers = message.headers() or []
    except UnicodeDecodeError:  # a header name that is not text: the record has no attribute that could be read
        headers = [("ce_", b"\xff")]
    return Proposed(message.topic(), message.partition(), message.offset(), message.key(), message.value(), headers)
