"""The loop that hands deliveries to one city's system: at least once, in order within a subject, never more than it can bear.

Each target has its own loop, its own limit of calls at a time and its own circuit breaker, so a slow or broken system holds up
nobody else. What is to be tried again, and when, stands in the database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Final

from connectors.kit import dead_letters
from connectors.kit.breaker import Breaker, Circuit
from connectors.kit.converters import CANNOT_MAP
from connectors.kit.dead_letters import TO_CITY, Letter
from connectors.kit.dialect import Dialect
from connectors.kit.mapping import message
from connectors.kit.port import Accepted, Answer, CitySystem, Declined, TryLater
from connectors.kit.retry import chance
from connectors.node import deliveries, receipts
from connectors.node.deliveries import Due
from connectors.node.journal import Change, Journal
from connectors.node.reading import trace_id
from connectors.node.site import Site, wait_for
from connectors.node.telling import Teller
from services.kernel.errors import Refused, Transient
from services.kernel.ports import Clock, Entropy

_IDLE_S: Final = 1.0
_AHEAD: Final = 8
_WORST_S: Final = 1.0
_ASK_EVERY_S: Final = 5.0


class Came(Enum):
    """What an answer came to."""

    COMMITTED = "committed"
    REJECTED = "rejected"
    LATER = "later"
    DEAD = "dead"


@dataclass(slots=True)
class Pusher:
    """Pushes for one site until it is cancelled."""

    site: Site
    city: CitySystem
    dialect: Dialect
    journal: Journal
    clock: Clock
    entropy: Entropy
    teller: Teller
    breaker: Breaker
    monotonic_s: Callable[[], float]
    _ready: deque[Due] = field(default_factory=deque, init=False)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict, init=False)
    _fatal: BaseException | None = field(default=None, init=False)
    _well: bool = field(default=False, init=False)
    _ask_at_s: float = field(default=0.0, init=False)

    @property
    def check(self) -> str:
        """Name of the health check of this target."""
        return f"push {self.city.name}"

    async def run(self) -> None:
        """Pushes for ever. When it is cancelled, calls on their way are given up; their deliveries are pending still."""
        try:
            while True:
                try:
                    begun = await self.begin()
                except Transient as error:
                    self.teller.warning("deliveries could not be read", target=self.city.name, reason=str(error))
                    begun = 0
                if self._fatal is not None:
                    raise self._fatal
                if begun == 0:
                    await self._ask_how_it_is()
                    await wait_for(self.site.bells.target, self._rest_s())
        finally:
            for task in tuple(self._running.values()):
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _ask_how_it_is(self) -> None:
        """While the target is not known to be well and nothing is pushed, its health door is asked now and then."""
        if self._well or self._running or self.monotonic_s() < self._ask_at_s:
            return
        self._ask_at_s = self.monotonic_s() + _ASK_EVERY_S
        health = await self.city.health()
        self._is(None if health.reachable else health.detail)

    def _is(self, trouble: str | None) -> None:
        self._well = trouble is None
        self.teller.healthy(self.check, trouble)

    def _rest_s(self) -> float:
        resting = self.breaker.wait_s()
        return min(_IDLE_S, resting) if resting > 0 else _IDLE_S

    async def begin(self) -> int:
        """Begins as many calls as the target may have now; how many."""
        free = self.site.pace.concurrency - len(self._running)
        state = self.breaker.state
        self.teller.gauge("open_breakers", float(state is not Circuit.CLOSED), target=self.city.name)
        if free <= 0 or state is Circuit.OPEN:
            return 0
        if not self._ready:
            await self._fill()
        begun = 0
        while self._ready and begun < free and self.breaker.admit():
            one = self._ready.popleft()
            task = asyncio.create_task(self._deliver(one))
            self._running[one.delivery.id] = task
            task.add_done_callback(partial(self._ended, one.delivery.id))
            begun += 1
        return begun

    async def _fill(self) -> None:
        now_ms, limit = self.clock.now_ms(), _AHEAD * self.site.pace.concurrency + len(self._running)
        due = await self.journal.change(lambda change: deliveries.due(change.db, self.city.name, now_ms, limit))
        self._ready.extend(one for one in due if one.delivery.id not in self._running)

    def _ended(self, event: str, task: asyncio.Task[None]) -> None:
        del self._running[event]
        if not task.cancelled():
            self._fatal = self._fatal or task.exception()
        self.site.bells.target.set()

    async def _deliver(self, one: Due) -> None:
        answer = await self.push(one)
        self.teller.reach("node.after_push")
        now_ms = self.clock.now_ms()
        try:
            came = await self.journal.change(lambda change: self.settle(change, one, answer, now_ms))
        except Transient as error:
            # the database is away: the delivery is pending still and will be pushed again, under the same key
            self.teller.warning("an answer could not be stored", target=self.city.name, reason=str(error))
            await asyncio.sleep(_WORST_S)
            return
        self.teller.reach("node.after_answer")
        self._tell(one, answer, came)

    async def push(self, one: Due) -> Answer | Refused:
        """One call, counted by the breaker; the refusal when the event cannot be said in the city's words."""
        outward = self.dialect.for_type(one.delivery.type)
        try:
            if outward is None:
                raise Refused(CANNOT_MAP, "there is no mapping for this type any longer")
            said = message(outward, one.value, one.delivery.known())
        except Refused as error:
            self.breaker.released()
            return error
        began_s = self.monotonic_s()
        answer = await self.city.push(said, idempotency_key=one.delivery.id, delivery_number=one.delivery.number)
        self.teller.seconds("push_seconds", self.monotonic_s() - began_s, target=self.city.name)
        if isinstance(answer, TryLater):
            self.breaker.failed()
        else:
            self.breaker.succeeded()
        return answer

    def settle(self, change: Change, one: Due, answer: Answer | Refused, now_ms: int) -> Came:
        """Stores what the city answered, with the receipt that says it, in one transaction; what it came to."""
        row, attempts = one.delivery, one.attempts + 1
        match answer:
            case Accepted(reference):
                deliveries.committed(change.db, row.participant, row.id, reference, attempts, now_ms)
                dead_letters.settle(change.db, self.city.name, TO_CITY, row.id)
                dead_letters.wake_unknown(change.db, self.city.name)
                if row.receipted:
                    receipt = receipts.committed(
                        row.reported(), now_ms, reference=reference, connector=self.city.name, attempts=attempts
                    )
                    change.receipts.append(receipt)
                return Came.COMMITTED
            case Declined(code, city_code, reason, field_name):
                deliveries.rejected(change.db, row.participant, row.id, code, city_code, reason, now_ms)
                dead_letters.settle(change.db, self.city.name, TO_CITY, row.id)
                if row.receipted:
                    receipt = receipts.rejected(
                        row.reported(),
                        now_ms,
                        code=code,
                        city_code=city_code,
                        reason=reason,
                        field=field_name,
                        connector=self.city.name,
                    )
                    change.receipts.append(receipt)
                return Came.REJECTED
            case TryLater():
                return self._later(change, one, answer, attempts, now_ms)
            case Refused():
                return self._give_up(change, one, attempts, answer.code, answer.field, answer.message, now_ms)

    def _later(self, change: Change, one: Due, answer: TryLater, attempts: int, now_ms: int) -> Came:
        row = one.delivery
        if self.site.pace.limits.passed(attempts, (now_ms - row.since_ms) / 1000):
            return self._give_up(change, one, attempts, str(answer.fault), None, answer.detail, now_ms)
        wait_s = self.site.pace.backoff.delay_s(attempts, chance(self.entropy))
        wait_s = max(wait_s, answer.wait_s or 0.0)
        next_ms = now_ms + round(wait_s * 1000)
        deliveries.retry(change.db, row.participant, row.id, attempts, next_ms, str(answer.fault))
        return Came.LATER

    def _give_up(
        self, change: Change, one: Due, attempts: int, fault: str, field_name: str | None, reason: str, now_ms: int
    ) -> Came:
        row = one.delivery
        deliveries.dead(change.db, row.participant, row.id, attempts, fault, reason[:500], now_ms)
        letter = Letter(
            connector=self.city.name,
            way=TO_CITY,
            item=row.id,
            type=row.type,
            code=fault,
            field=field_name,
            reason=reason[:500],
            payload=None,
            at_ms=now_ms,
        )
        dead_letters.put(change.db, letter)
        if row.receipted:
            receipt = receipts.not_committed(
                row.reported(),
                now_ms,
                limit_s=row.limit_s,
                due_ms=row.due_ms,
                attempts=attempts,
                last_error=fault,
                connector=self.city.name,
                still_trying=False,
            )
            change.receipts.append(receipt)
        return Came.DEAD

    def _tell(self, one: Due, answer: Answer | Refused, came: Came) -> None:
        row, target = one.delivery, self.city.name
        about = {"event_id": row.id, "trace_id": trace_id(row.trace), "target": target}
        self._is(str(answer.fault) if isinstance(answer, TryLater) else None)
        self.site.bells.outbox.set()
        match came:
            case Came.COMMITTED:
                if row.receipted:
                    self.teller.count("committed_events_total", participant=row.participant)
                self.teller.info("committed", **about)
                self.site.bells.pull.set()
            case Came.REJECTED:
                code = answer.code if isinstance(answer, Declined) else ""
                if row.receipted:
                    self.teller.count("rejected_events_total", participant=row.participant, code=code)
                self.teller.warning("rejected by the city's system", code=code, **about)
            case Came.LATER:
                fault = str(answer.fault) if isinstance(answer, TryLater) else ""
                self.teller.count("retries_total", target=target)
                self.teller.warning("not taken, tried again later", code=fault, attempts=one.attempts + 1, **about)
            case Came.DEAD:
                code = answer.code if isinstance(answer, Refused) else ""
                self.teller.count("dead_letters_total", target=target)
                self.teller.error("set aside", code=code, attempts=one.attempts + 1, **about)
