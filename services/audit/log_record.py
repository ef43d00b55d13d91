"""Reads single records of the logs by their offsets, with one Kafka consumer that is kept open."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.codec.envelope import Envelope, envelope_from_record
from services.kernel.errors import Corrupt, Refused, Transient


class LogRecords:
    """Committed records only; in no group, nothing is committed. For any thread, one record at a time."""

    def __init__(self, kafka: Mapping[str, Any], *, timeout_s: float = 5.0) -> None:
        """``kafka`` are librdkafka's connection settings."""
        self._kafka = {
            **kafka,
            "group.id": "unused",  # the client wants one
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "queued.max.messages.kbytes": 2048,
            "fetch.message.max.bytes": 262_144,
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._consumer: Consumer | None = None

    def read(self, topic: str, partition: int, offset: int) -> Envelope:
        """The record at this offset. Blocks; ``Transient`` while Kafka is away, ``Corrupt`` when there is none or it is no event."""
        where = f"{topic}/{partition}@{offset}"
        with self._lock:
            message = self._fetch(topic, partition, offset, where)
        if message.offset() != offset:
            raise Corrupt(f"{where}: there is no committed record; the index of the log names it")
        try:
            return envelope_from_record(message.headers(), message.value())[1]
        except Refused as refused:
            raise Corrupt(f"{where}: {refused.message}") from refused

    def _fetch(self, topic: str, partition: int, offset: int, where: str) -> Any:
        try:
            if self._consumer is None:
                self._consumer = Consumer(self._kafka)
            self._consumer.assign([TopicPartition(topic, partition, offset)])
            message = self._consumer.poll(self._timeout_s)
            self._consumer.unassign()
        except KafkaException as error:
            raise Transient(f"{where}: {error.args[0].str()}") from error
        if message is None:
            raise Transient(f"{where}: Kafka did not answer within {self._timeout_s:g} s")
        reason = message.error()
        if reason is not None:
            raise Transient(f"{where}: {reason.str()}")
        return message

    def close(self) -> None:
        """Closes the consumer."""
        with self._lock:
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None
