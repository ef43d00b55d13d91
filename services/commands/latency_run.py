"""The measuring of ``ipx bench latency``: open loop, so that what is late is counted from when it was due.

An event is due at its place in the rate, whatever became of those before it; its latency runs from there to its arrival
at the city's endpoint, by one clock, in one process. The bare loops are run at the same rate, with the same client and
bodies, without the exchange between.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from services.codec.cloudevents import STRUCTURED_JSON, envelope_to_structured
from services.codec.envelope import Draft, seal
from services.codec.examples import read_examples
from services.codec.http import AsyncHttpClient
from services.codec.json_form import json_form
from services.codec.keys import Ed25519Signer
from services.codec.released import ReleasedSchemas
from services.codec.token import issue
from services.commands.latency_sink import BARE_PATH, KEY_HEADER, Arrivals
from services.kernel.errors import Transient
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import Clock, Entropy
from services.runtime.settings import CommonSettings

_REPORTED = "cn.ipx.clue.ClueReported"
_AGREEMENT = "yrd-enforcement@1"
_TOKEN_LIFE_S = 300
_ADMIN_S = 20.0
CONNECTIONS = 16
_PERMILLE = (500, 990, 1000)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A signed event, ready to be posted."""

    id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Times:
    """Latencies in milliseconds, sorted."""

    ms: tuple[float, ...]

    def at(self, permille: int) -> float:
        """The latency that so many of a thousand stayed within (nearest rank)."""
        if not self.ms:
            return 0.0
        return round(self.ms[max(0, -(-len(self.ms) * permille // 1000) - 1)], 2)


def prepare(
    count: int,
    source: Ed25519Signer,
    recipient: str,
    released: ReleasedSchemas,
    clock: Clock,
    entropy: Entropy,
) -> list[Prepared]:
    """Signed clue reports, each of a subject of its own, as structured CloudEvents."""
    schema = released.named(_REPORTED)
    clue = next(e.data for e in read_examples() if (e.type, e.name) == (_REPORTED, "valid-online"))
    value, prepared = json_form(schema).read(clue), []
    for _ in range(count):
        now_ms = clock.now_ms()
        event = uuid7(now_ms, entropy.draw(10))
        draft = Draft(
            id=event,
            source=source.public.participant,
            subject=f"BENCH-{event}",
            time=format_instant(now_ms),
            agreement=_AGREEMENT,
            addressee=recipient,
        )
        sealed = seal(schema, value, draft, source, entropy)
        prepared.append(Prepared(event, json.dumps(envelope_to_structured(sealed), ensure_ascii=False).encode()))
    return prepared


class Publisher:
    """Posts events to the gateway as their source."""

    def __init__(self, http: AsyncHttpClient, signer: Ed25519Signer, exchange: str, clock: Clock) -> None:
        self._http = http
        self._signer = signer
        self._exchange = exchange
        self._clock = clock
        self._token = ""
        self._token_ends_ms = 0

    async def post(self, event: Prepared) -> None:
        """Posts one event; ``Transient`` when it is not taken."""
        headers = {**self._proof(), "content-type": STRUCTURED_JSON}
        reply = await self._http.send("POST", "/v1/events", body=event.body, headers=headers)
        if reply.status != 202:
            raise Transient(f"the gateway answered {reply.status}: {reply.body[:300].decode('utf-8', 'replace')}")

    async def acknowledge_all(self) -> None:
        """Reads what the source was told, so that its inbox is not left unread; the last page is acknowledged too."""
        cursor: str | None = None
        while True:
            query = {"limit": "1000"} | ({"after": cursor} if cursor else {})
            reply = await self._http.send("GET", "/v1/inbox", headers=self._proof(), query=query)
            if reply.status != 200:
                raise Transient(f"the gateway answered {reply.status} to the inbox")
            page = reply.json()
            if not page["items"] and cursor is not None:
                return
            cursor = page["cursor"]

    def _proof(self) -> dict[str, str]:
        now_ms = self._clock.now_ms()
        if now_ms > self._token_ends_ms:
            self._token = issue(self._signer, self._exchange, now_ms, _TOKEN_LIFE_S)
            self._token_ends_ms = now_ms + _TOKEN_LIFE_S * 500
        return {"authorization": f"Bearer {self._token}"}


class BarePoster:
    """Posts the same bodies straight to the sink."""

    def __init__(self, http: AsyncHttpClient, url: str) -> None:
        self._http = http
        self._url = f"{url}{BARE_PATH}"

    async def post(self, event: Prepared) -> None:
        """Posts one body."""
        await self._http.send("POST", self._url, body=event.body, headers={KEY_HEADER: f"bare-{event.id}"})


@dataclass(frozen=True, slots=True)
class Sent:
    """When each event was due, and how long its post took to be answered."""

    due_s: dict[str, float]
    answered: Times
    seconds: float


async def send_at(rate: float, events: Sequence[Prepared], post: Callable[[Prepared], Awaitable[None]]) -> Sent:
    """Posts each event when it is due, without waiting for those before it. Raises what the first failed post raised."""
    loop = asyncio.get_running_loop()
    start_s = loop.time() + 0.05
    due_s = {event.id: start_s + position / rate for position, event in enumerate(events)}
    answered_ms: list[float] = []
    connections = asyncio.Semaphore(
        CONNECTIONS
    )  # httpx's own queue costs more the longer it is; the clock runs here too

    async def one(event: Prepared) -> None:
        await asyncio.sleep(due_s[event.id] - loop.time())
        async with connections:
            await post(event)
        answered_ms.append((loop.time() - due_s[event.id]) * 1000)

    await asyncio.gather(*map(one, events))
    return Sent(due_s, Times(tuple(sorted(answered_ms))), loop.time() - start_s)


async def wait_for_all(sent: Sent, arrivals: Arrivals, within_s: float, prefix: str = "") -> Times:
    """The latencies, when every event has arrived; those that have, when the time is over first."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + within_s
    while loop.time() < until_s and any(f"{prefix}{event}" not in arrivals.at_s for event in sent.due_s):
        await asyncio.sleep(0.1)
    found = [
        (arrivals.at_s[f"{prefix}{event}"] - due) * 1000
        for event, due in sent.due_s.items()
        if f"{prefix}{event}" in arrivals.at_s
    ]
    return Times(tuple(sorted(found)))


def bare_kafka(settings: CommonSettings, rate: float, events: Sequence[Prepared]) -> Times:
    """Produce to consume through the same broker, at the same rate, acknowledged by all, without a transaction. Blocks."""
    topic = f"{settings.exchange_name}.bench"
    admin = AdminClient(settings.librdkafka())
    _made(admin, topic)
    consumer = Consumer(
        {**settings.librdkafka(), "group.id": topic, "enable.auto.commit": False, "fetch.wait.max.ms": 500}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    producer = Producer({**settings.librdkafka(), "acks": "all", "enable.idempotence": True, "linger.ms": 1})
    due_s: dict[bytes, float] = {}
    latencies: list[float] = []

    def consume() -> None:
        until_s = time.perf_counter() + len(events) / rate + _ADMIN_S
        while len(latencies) < len(events) and time.perf_counter() < until_s:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                latencies.append((time.perf_counter() - due_s[message.key()]) * 1000)

    reader = threading.Thread(target=consume, daemon=True)
    reader.start()
    time.sleep(0.5)
    start_s = time.perf_counter()
    for position, event in enumerate(events):
        key, due = event.id.encode(), start_s + position / rate
        due_s[key] = due
        producer.poll(0)
        if (ahead_s := due - time.perf_counter()) > 0:
            time.sleep(ahead_s)
        producer.produce(topic, event.body, key)
    producer.flush(_ADMIN_S)
    reader.join()
    consumer.close()
    for future in admin.delete_topics([topic]).values():
        future.result(_ADMIN_S)
    return Times(tuple(sorted(latencies)))


def _made(admin: Any, topic: str) -> None:
    for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result(_ADMIN_S)


def shown(name: str, times: Times) -> dict[str, float]:
    """p50, p99 and the largest, by name."""
    words = ("p50_ms", "p99_ms", "max_ms")
    return {f"{name}{word}": times.at(permille) for word, permille in zip(words, _PERMILLE, strict=True)}
