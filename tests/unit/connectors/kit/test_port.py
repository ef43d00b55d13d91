"""The fake keeps the promises of the port; the same suite runs on the REST connector in tests/broker."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.kit.port import Accepted, CityAway, Declined, FakeCity, Fault, Message, TryLater
from services.kernel.errors import Transient
from tests.unit.connectors.city_suite import CitySuite


@dataclass
class FakeSubject:
    city: FakeCity

    def message(self, title: str) -> Message:
        return Message("jieshou", {"bt": title})

    def happen(self, count: int) -> None:
        self.city.happenings += [{"lsh": str(n)} for n in range(1, count + 1)]

    def fail(self) -> None:
        self.city.away = TryLater(Fault.UNREACHABLE, "told to be away")

    def recover(self) -> None:
        self.city.away = None

    def refuse_once(self) -> None:
        self.city.answers = [Declined("not-our-jurisdiction", "1001", "不属于本机关管辖")]

    def held(self) -> list[tuple[str, str, int]]:
        return [(key, taken.reference, taken.delivery_number) for key, taken in self.city.taken.items()]


class TestFakeCity(CitySuite):
    @contextmanager
    def make(self) -> Iterator[FakeSubject]:
        yield FakeSubject(FakeCity(page_size=3))


def test_the_fake_answers_what_it_is_told_and_then_by_itself() -> None:
    later = TryLater(Fault.NONSENSE, "x")
    city = FakeCity(answers=[later, Accepted("X-9")])

    async def push(key: str) -> object:
        return await city.push(Message("d", {}), idempotency_key=key, delivery_number=1)

    assert asyncio.run(push("a")) == later
    assert asyncio.run(push("a")) == Accepted("X-9")
    assert asyncio.run(push("b")) == Accepted("F-2")
    assert city.asked == ["a", "a", "b"]


def test_a_city_that_is_away_is_transient() -> None:
    error = CityAway(TryLater(Fault.TIMEOUT, "slow"))
    assert isinstance(error, Transient)
    assert error.answer.fault is Fault.TIMEOUT
