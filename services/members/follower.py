"""Follows the members log from Kafka in a thread and keeps a verified ``History``: admission, gateway and rooms ask it.

Reads committed records only, from the first one on, without a consumer group. Kafka being away is waited out; a gap, a
repeat or a record that does not verify is ``Corrupt``: the thread ends, ``require`` raises it, nothing more is believed.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Literal

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.codec.envelope import envelope_from_record
from services.codec.keys import PublicKey
from services.kernel.errors import Corrupt, Refused, Transient
from services.members.history import History
from services.members.reading import SchemaOf
from services.runtime.topics import Topics

FollowerState = Literal["starting", "following", "away", "corrupt", "stopped"]
_POLL_S = 0.2


class MembersFollower:
    """Start it, ask ``history``, stop it. Safe to ask from any thread."""

    def __init__(self, kafka: Mapping[str, Any], topics: Topics, *, schema_of: SchemaOf, root: PublicKey) -> None:
        """``kafka`` are librdkafka's connection settings; ``root`` is the key of ``IPX_ROOT_KEY``."""
        self._topic = topics.log("members")
        self._kafka = {
            **kafka,
            "log_level": 2,  # librdkafka's own words go to stderr unformed: errors alone
            "group.id": f"{topics.prefix}-members-follower",  # asked for by the client, never joined nor committed to
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 5000,
            "fetch.wait.max.ms": 100,
            "error_cb": self._on_client_error,
        }
        self.history = History(log=f"{self._topic}/0", schema_of=schema_of, root=root)
        self._stop = threading.Event()
        self._caught_up = threading.Event()
        self._state: FollowerState = "starting"
        self._corrupt: Corrupt | None = None
        self._reached = 0
        self._moved = threading.Condition()
        self._asking = threading.Lock()
        self._asker: Consumer | None = None
        self._thread = threading.Thread(target=self._run, name="members-follower", daemon=True)

    @property
    def state(self) -> FollowerState:
        """What it is doing; ``away`` while no broker answers."""
        return self._state

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; blocks for a moment."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)
        with self._asking:
            if self._asker is not None:
                self._asker.close()
                self._asker = None

    def require(self) -> History:
        """The history; raises ``Corrupt`` when the log was found not to be what it must be."""
        if self._corrupt is not None:
            raise self._corrupt
        return self.history

    def wait_caught_up(self, timeout_s: float) -> History:
        """Blocks until everything that stood in the log at the start has been read; ``Transient`` at the timeout."""
        self._caught_up.wait(timeout_s)
        history = self.require()
        if not self._caught_up.is_set():
            raise Transient(f"{self._topic} has not been read to its end within {timeout_s:g} s ({self._state})")
        return history

    def wait_current(self, timeout_s: float) -> History:
        """Blocks until everything that stands in the log now has been read; ``Transient`` when Kafka is away, or at the timeout.

        For whoever would otherwise refuse something because a member, a key or an agreement is not known.
        """
        end = self._end(timeout_s)
        with self._moved:
            is_there = self._moved.wait_for(lambda: self._reached >= end or self._corrupt is not None, timeout_s)
        history = self.require()
        if not is_there:
            raise Transient(
                f"{self._topic} has not been read up to offset {end} within {timeout_s:g} s ({self._state})"
            )
        return history

    def _end(self, timeout_s: float) -> int:
        """Offset after the last committed record. Asked by a client of its own: one client does not serve two threads at once."""
        with self._asking:
            if self._asker is None:
                self._asker = Consumer(self._kafka)
            try:
                return int(self._asker.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=timeout_s)[1])
            except KafkaException as error:
                raise Transient(f"{self._topic}: {error.args[0].name()}") from error

    def _run(self) -> None:
        consumer = Consumer(self._kafka)
        consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        try:
            while not self._stop.is_set():
                for message in consumer.consume(500, _POLL_S):
                    self._take(message)
                if self._state == "away":
                    self._probe(consumer)
            self._state = "stopped"
        except Corrupt as error:
            with self._moved:
                self._corrupt, self._state = error, "corrupt"
                self._moved.notify_all()
            self._caught_up.set()
        finally:
            consumer.close()

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is None:
            try:
                self.history.append(envelope_from_record(message.headers(), message.value())[1])
            except Refused as refused:
                where = f"{self._topic}/0@{message.offset()}"
                raise Corrupt(f"{where}: {refused.code}: {refused.message}") from refused
            self._state = "following"
            self._come_to(message.offset() + 1)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._state = "following"
            self._come_to(message.offset())
            self._caught_up.set()
        else:
            self._state = "away"

    def _come_to(self, offset: int) -> None:
        with self._moved:
            self._reached = offset
            self._moved.notify_all()

    def _probe(self, consumer: Consumer) -> None:
        """Asks the broker: the end of a partition is reported once, so its silence says nothing after an outage."""
        try:
            consumer.get_watermark_offsets(TopicPartition(self._topic, 0), timeout=1.0)
        except KafkaException:
            return
        self._state = "following" if self._caught_up.is_set() else "starting"

    def _on_client_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self._state != "corrupt":
            self._state = "away"
