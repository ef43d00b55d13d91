"""``POST /v1/events``: events in, one by one or in a batch, answered when Kafka has them, or with their outcome.

A batch is taken whole or not at all: when one event of it cannot be taken, nothing of it is produced and every event at
fault is named. When Kafka does not acknowledge all of it, part of it may have been taken; sending it again is safe, since
admission answers an event that it has with the first outcome.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from services.codec.cloudevents import Mode, mode_of, parse_batch, parse_request
from services.codec.envelope import Envelope
from services.codec.released import ReleasedSchemas
from services.events.receipt import OutcomeItem
from services.gateway.exchange import BodyBudget, HeldBody, Incoming, Reply, whole_number
from services.gateway.intake import Intake, Taken
from services.gateway.problems import BatchRefused, RateLimited
from services.gateway.producing import Record
from services.gateway.settings import GatewaySettings
from services.gateway.throttle import Throttle
from services.gateway.waits import Waits
from services.kernel.errors import Refused, Transient
from services.runtime.metrics import GATEWAY_BYTES, GATEWAY_PRODUCE_FAILURES, GATEWAY_PUBLISHED, Metrics

MAX_WAIT_S = 30
_IN_THREAD_BYTES = 65_536
_TOLD_FAULTS = 100
_ROUTE = "/v1/events"
PENDING = "pending"


class Producing(Protocol):
    """Where records go."""

    async def send(self, records: Sequence[Record]) -> None:
        """Returns when all are acknowledged; ``Transient`` when they are not."""
        ...


class Publishing:
    """The handler, over the intake that both doors share."""

    def __init__(
        self,
        intake: Intake,
        released: ReleasedSchemas,
        producer: Producing,
        waits: Waits,
        followed: Callable[[str], Awaitable[object]],
        principal: Callable[[Incoming], str],
        throttle: Throttle,
        monotonic_s: Callable[[], float],
        metrics: Metrics,
        settings: GatewaySettings,
    ) -> None:
        self._intake = intake
        self._released = released
        self._producer = producer
        self._waits = waits
        self._followed = followed
        self._principal = principal
        self._throttle = throttle
        self._monotonic_s = monotonic_s
        self._metrics = metrics
        self._settings = settings
        self._budget = BodyBudget(settings.gateway_bodies_max_bytes)
        self._one_large_body = asyncio.Semaphore(1)

    async def post(self, incoming: Incoming) -> Reply:
        """202 with the ids, or, asked to ``wait``, 200 with every outcome (202 when some are not known in time)."""
        sender = self._principal(incoming)
        query = incoming.query(("wait",))
        wait_s = whole_number(query.get("wait"), "wait", 0, 0, MAX_WAIT_S)
        late_s = self._throttle.wait_s(sender, self._monotonic_s())
        if late_s > 0:
            raise RateLimited(f"{sender} publishes faster than it may", late_s)
        mode = mode_of(incoming.headers.get(b"content-type", b"").decode("latin-1"))
        limit_bytes = self._settings.gateway_event_max_bytes
        if mode is Mode.BATCH:
            limit_bytes = self._settings.gateway_batch_max_bytes
        held = HeldBody(incoming, limit_bytes, self._budget, self._settings.gateway_request_timeout_s)
        async with held as body:
            self._metrics.add(GATEWAY_BYTES, len(body), route=_ROUTE)
            taken = await self._taken(mode, incoming, body, sender)
            incoming.notes["events"] = len(taken)
            self._throttle.charge(sender, len(taken), self._monotonic_s())
            with self._awaiting(taken if wait_s else ()) as futures:
                if wait_s:
                    await self._followed(sender)  # before the event goes out, so that its outcome cannot be missed
                await self._produce(taken)
                if wait_s:
                    return await _with_outcomes(taken, futures, wait_s)
        return Reply(202, _encoded({"ids": [event.awaited.event for event in taken]}))

    async def _taken(self, mode: Mode, incoming: Incoming, body: bytes, sender: str) -> list[Taken]:
        if len(body) < _IN_THREAD_BYTES:
            return self._read(mode, incoming, body, sender)
        async with self._one_large_body:  # others are answered meanwhile, and memory has one of them at a time
            return await asyncio.to_thread(self._read, mode, incoming, body, sender)

    def _read(self, mode: Mode, incoming: Incoming, body: bytes, sender: str) -> list[Taken]:
        trace = incoming.trace.header
        if mode is Mode.BATCH:
            return self._read_batch(body, sender, trace)
        envelopes = parse_request(incoming.pairs, body, self._released, most_bytes=len(body))
        return [self._intake.take(envelope, sender, trace) for envelope in envelopes]

    def _read_batch(self, body: bytes, sender: str, trace: str) -> list[Taken]:
        taken: list[Taken] = []
        faults: list[tuple[Refused, Mapping[str, Any]]] = []
        parsed = parse_batch(body, self._released, most_bytes=len(body))
        if len(parsed) > (most := self._settings.gateway_batch_max_events):
            raise Refused("too-many-items", f"the batch has {len(parsed)} events, {most} are allowed")
        for index, found in enumerate(parsed):
            try:
                taken.append(self._intake.take(_or_raise(found), sender, trace))
            except Refused as error:
                event = found.statement.id if isinstance(found, Envelope) else None
                faults.append((error, _fault(index, event, error)))
        if faults:
            raise BatchRefused(faults[0][0], tuple(fault for _, fault in faults[:_TOLD_FAULTS]))
        return taken

    async def _produce(self, taken: Sequence[Taken]) -> None:
        try:
            await self._producer.send([event.record for event in taken])
        except Transient:
            self._metrics.add(GATEWAY_PRODUCE_FAILURES, len(taken))
            raise
        for event in taken:
            self._metrics.add(GATEWAY_PUBLISHED, family=event.family)

    @contextmanager
    def _awaiting(self, taken: Sequence[Taken]) -> Iterator[list[asyncio.Future[OutcomeItem]]]:
        futures = [self._waits.expect(event.awaited) for event in taken]
        try:
            yield futures
        finally:
            for event, future in zip(taken, futures, strict=True):
                self._waits.forget(event.awaited, future)


async def _with_outcomes(taken: Sequence[Taken], futures: Sequence[asyncio.Future[OutcomeItem]], wait_s: int) -> Reply:
    await asyncio.wait(futures, timeout=wait_s)
    known = [future.result() if future.done() and not future.cancelled() else None for future in futures]
    outcomes = [outcome_document(event.awaited.event, item) for event, item in zip(taken, known, strict=True)]
    return Reply(200 if all(known) else 202, _encoded({"outcomes": outcomes}))


def outcome_document(event: str, item: OutcomeItem | None) -> dict[str, Any]:
    """The outcome of one event as it is shown to its source; ``pending`` when none is known."""
    if item is None:
        return {"id": event, "outcome": PENDING}
    document = {
        "id": event,
        "outcome": item.outcome,
        "log": item.log,
        "seq": item.seq,
        "code": item.code,
        "field": item.field,
        "message_zh": item.message_zh,
        "message_en": item.message_en,
    }
    return {name: value for name, value in document.items() if value is not None}


def _or_raise(found: Envelope | Refused) -> Envelope:
    if isinstance(found, Refused):
        raise found
    return found


def _fault(index: int, event: str | None, error: Refused) -> dict[str, Any]:
    found = {
        "index": index,
        "id": event and event[:128],
        "code": error.code,
        "field": error.field,
        "detail": error.message,
    }
    return {name: value for name, value in found.items() if value is not None}


def _encoded(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
