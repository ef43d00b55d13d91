"""The producer behind both doors: an event is answered only after the broker has acknowledged it on every replica.

librdkafka, idempotent, ``acks=all``. Its delivery reports come in a thread of their own and wake the event loop once a
round, not once a record. Nothing is kept here for later: what is not acknowledged in time is reported to the caller,
who sends it again; admission knows the second copy by its id.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from services.codec.envelope import Headers
from services.kernel.errors import Refused, Transient

_log = logging.getLogger("ipx.gateway.kafka")
_FULL_RETRY_S = 0.01
_POLL_S = 0.2
_SETTINGS = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",  # what Java clients and admission compute; librdkafka's own default is another
    "linger.ms": 10,  # a request to the broker costs it more than the events in it; a publish may wait this long
    "compression.type": "none",
    "queue.buffering.max.messages": 50_000,
    "queue.buffering.max.kbytes": 65_536,
    "message.max.bytes": 1_048_576,
    "socket.keepalive.enable": True,
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 2_000,
}


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it will be written."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class _Awaited:
    """The acknowledgements that one call still waits for. Counted in the delivery thread alone."""

    __slots__ = ("error", "future", "missing")

    def __init__(self, missing: int, future: asyncio.Future[None]) -> None:
        self.missing = missing
        self.future = future
        self.error: str | None = None


class KafkaProducer:
    """Writes records and waits for their acknowledgement. Made in the event loop that calls :meth:`send`."""

    def __init__(self, connection: Mapping[str, Any], *, timeout_s: float) -> None:
        self._settings = {**_SETTINGS, **connection, "message.timeout.ms": int(timeout_s * 1000)}
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._done: deque[_Awaited] = deque()
        self._broken = False
        self._stopping = threading.Event()
        self._producer = self._connect()
        self._thread = threading.Thread(target=self._serve, name="gateway-producer", daemon=True)
        self._thread.start()

    async def send(self, records: Sequence[Record]) -> None:
        """Returns when every record is acknowledged; raises ``Transient`` when one was not, and some may have been.

        Also ``Transient`` when the queue stays full for the whole timeout, or after :meth:`stop`.
        """
        if self._stopping.is_set():
            raise Transient("the gateway is stopping")
        awaited = _Awaited(len(records), self._loop.create_future())
        deadline_s = self._loop.time() + self._timeout_s
        for record in records:
            while not self._enqueue(record, awaited):
                if self._loop.time() > deadline_s:
                    raise Transient("the queue to Kafka is full")
                await asyncio.sleep(_FULL_RETRY_S)
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                await awaited.future
        except TimeoutError as error:
            raise Transient("Kafka did not say what became of the records") from error
        if awaited.error is not None:
            raise Transient(f"Kafka did not acknowledge: {awaited.error}")

    def probe(self, topic: str, timeout_s: float) -> str | None:
        """None when a broker answers, else why not. Blocks up to the timeout: for a thread of the health check.

        Asks for one topic: the list of all of them, made into objects, holds the interpreter for tens of milliseconds.
        """
        try:
            self._producer.list_topics(topic, timeout=timeout_s)
        except KafkaException as error:
            return str(error.args[0].str())
        return None

    def stop(self, timeout_s: float) -> int:
        """Waits for what is on its way and ends the thread; how many records were still unacknowledged. Blocks."""
        left = int(self._producer.flush(timeout_s))
        self._stopping.set()
        self._thread.join(timeout_s)
        return left

    def _enqueue(self, record: Record, awaited: _Awaited) -> bool:
        def acknowledged(error: KafkaError | None, _message: object) -> None:
            awaited.missing -= 1
            if error is not None:
                awaited.error = error.str()
                self._broken = self._broken or error.fatal()
            if awaited.missing == 0:
                self._done.append(awaited)

        if self._broken:
            self._reconnect()
        try:
            self._producer.produce(
                record.topic, record.value, record.key, headers=record.headers, on_delivery=acknowledged
            )
        except BufferError:
            return False
        except KafkaException as error:
            self._broken = self._broken or error.args[0].fatal()
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise Refused(
                    "too-large", "the event with its attributes is larger than a Kafka record may be"
                ) from error
            raise Transient(f"Kafka does not take the record: {error.args[0].str()}") from error
        return True

    def _connect(self) -> Producer:
        return Producer(self._settings, logger=_log)

    def _reconnect(self) -> None:
        """A fatal error (idempotence lost) ends a producer for good: what it held is reported, a new one takes over."""
        old, self._broken = self._producer, False
        old.purge()
        old.flush(1.0)
        self._producer = self._connect()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)
            done = []
            while self._done:
                done.append(self._done.popleft())
            if done:
                self._loop.call_soon_threadsafe(_resolve, done)


def _resolve(done: list[_Awaited]) -> None:
    for awaited in done:
        if not awaited.future.done():
            awaited.future.set_result(None)
