import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.gateway.cursor import format_cursor
from services.gateway.inboxes import Inboxes
from services.gateway.problems import RateLimited
from services.gateway.rings import Item, Page, RingLimits, Rings
from services.kernel.errors import Refused, Transient

NANJING = "320100.market_regulator"


class FakeKafka:
    """Old records and acknowledged places, in memory."""

    def __init__(self, *offsets: int, end: int = 0, acknowledged: int = 0) -> None:
        self.offsets = offsets
        self.last = end
        self.acknowledged = acknowledged
        self.noted: list[int] = []
        self.reads = 0
        self.away = False
        self.on_read: Callable[[], None] = lambda: None

    def read(self, participant: str, after: int, limit: int, limit_bytes: int) -> Page:
        if self.away:
            raise Transient("Kafka is away")
        self.reads += 1
        self.on_read()
        found = [o for o in self.offsets if o >= after][:limit]
        return Page(tuple(record(o) for o in found), found[-1] + 1 if found else max(after, self.last))

    def end(self, participant: str) -> int:
        return self.last

    def note(self, participant: str, offset: int) -> None:
        self.noted.append(offset)

    def position(self, participant: str) -> int:
        return self.acknowledged


def record(offset: int) -> bytes:
    return json.dumps({"n": offset}).encode()


def followed(kafka: FakeKafka, start: int = 0, *, polls: int = 4) -> Inboxes:
    inboxes = Inboxes(Rings(RingLimits(records=3)), kafka, kafka, lambda _: None, polls_per_participant=polls)
    inboxes.open(NANJING, start)
    return inboxes


def news(inboxes: Inboxes, *offsets: int) -> None:
    inboxes.extend({NANJING: [Item(o, record(o)) for o in offsets]})


def cursor(offset: int) -> str:
    return format_cursor(NANJING, offset)


async def read(inboxes: Inboxes, after: str | None, *, limit: int = 10, wait_s: float = 0.0) -> tuple[list[int], str]:
    reply = await inboxes.read(NANJING, after, limit, wait_s)
    document: dict[str, Any] = json.loads(reply.body)
    return [item["n"] for item in document["items"]], document["cursor"]


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 5.0))  # type: ignore[arg-type]


def test_a_page_and_the_cursor_after_it_come_from_the_ring_and_the_cursor_asked_with_is_acknowledged() -> None:
    async def test() -> None:
        kafka = FakeKafka()
        inboxes = followed(kafka)
        news(inboxes, 0, 1, 2)

        assert await read(inboxes, cursor(1), limit=1) == ([1], cursor(2))
        assert await read(inboxes, cursor(2)) == ([2], cursor(3))
        assert (kafka.noted, kafka.reads) == ([1, 2], 0)

    run(test)


def test_without_a_cursor_reading_goes_on_from_what_was_acknowledged_last_and_acknowledges_nothing() -> None:
    async def test() -> None:
        kafka = FakeKafka(acknowledged=2)
        inboxes = followed(kafka)
        news(inboxes, 0, 1, 2)

        assert await read(inboxes, None) == ([2], cursor(3))
        assert kafka.noted == []

    run(test)


def test_the_word_start_asks_for_the_oldest_record_and_takes_no_acknowledgement_back() -> None:
    async def test() -> None:
        kafka = FakeKafka(0, 1, 2, 3, end=4, acknowledged=4)
        inboxes = followed(kafka, start=4)

        assert await read(inboxes, "start", limit=3) == ([0, 1, 2], cursor(3))
        assert kafka.noted == []

    run(test)


def test_what_is_older_than_the_ring_comes_from_kafka_and_joins_the_ring_without_gap_or_repeat() -> None:
    async def test() -> None:
        kafka = FakeKafka(*range(10), end=10)
        inboxes = followed(kafka)
        news(inboxes, *range(10))  # the ring holds the last three
        after, seen = cursor(0), []
        for _ in range(4):
            items, after = await read(inboxes, after, limit=4)
            seen += items
        assert seen == list(range(10))
        assert kafka.reads == 2

    run(test)


def test_a_long_poll_ends_with_the_first_news() -> None:
    async def test() -> None:
        inboxes = followed(FakeKafka())
        poll = asyncio.create_task(read(inboxes, cursor(0), wait_s=30))
        await asyncio.sleep(0)
        assert inboxes.waiting == 1
        news(inboxes, 0, 1)

        assert await poll == ([0, 1], cursor(2))
        assert inboxes.waiting == 0

    run(test)


def test_a_long_poll_ends_empty_at_its_time_with_the_same_cursor() -> None:
    async def test() -> None:
        inboxes = followed(FakeKafka())

        assert await read(inboxes, cursor(0), wait_s=0.01) == ([], cursor(0))
        assert inboxes.waiting == 0

    run(test)


def test_news_of_another_inbox_wakes_nobody() -> None:
    async def test() -> None:
        inboxes = followed(FakeKafka())
        inboxes.open("330100.police", 0)
        poll = asyncio.create_task(read(inboxes, cursor(0), wait_s=30))
        await asyncio.sleep(0)
        inboxes.extend({"330100.police": [Item(0, record(0))]})
        await asyncio.sleep(0)
        assert not poll.done()
        inboxes.stop()
        await poll

    run(test)


def test_news_that_come_while_kafka_is_asked_are_not_waited_past() -> None:
    async def test() -> None:
        kafka = FakeKafka(end=5)
        inboxes = followed(kafka, start=5)
        loop = asyncio.get_running_loop()

        def arrive() -> None:
            asyncio.run_coroutine_threadsafe(_news(inboxes), loop).result()

        kafka.on_read = arrive
        assert await read(inboxes, cursor(2), wait_s=30) == ([5], cursor(6))

    run(test)


async def _news(inboxes: Inboxes) -> None:
    news(inboxes, 5)


def test_a_stop_answers_every_poll_with_what_there_is_and_no_poll_waits_after_it() -> None:
    async def test() -> None:
        inboxes = followed(FakeKafka())
        polls = [asyncio.create_task(read(inboxes, cursor(0), wait_s=30)) for _ in range(3)]
        await asyncio.sleep(0)
        inboxes.stop()

        assert await asyncio.gather(*polls) == [([], cursor(0))] * 3
        assert await read(inboxes, cursor(0), wait_s=30) == ([], cursor(0))

    run(test)


def test_a_cursor_ahead_of_the_inbox_is_refused_and_acknowledges_nothing() -> None:
    async def test() -> None:
        kafka = FakeKafka(end=3)
        inboxes = followed(kafka)

        with pytest.raises(Refused) as refused:
            await read(inboxes, cursor(4))
        assert (refused.value.code, refused.value.field) == ("bad-request", "after")
        assert kafka.noted == []

    run(test)


def test_a_cursor_that_the_broker_knows_and_the_tail_has_not_reached_is_taken() -> None:
    async def test() -> None:
        kafka = FakeKafka(end=3)
        inboxes = followed(kafka)

        assert await read(inboxes, cursor(3)) == ([], cursor(3))
        assert kafka.noted == [3]

    run(test)


def test_only_so_many_requests_of_a_participant_wait_at_once() -> None:
    async def test() -> None:
        inboxes = followed(FakeKafka(), polls=2)
        polls = [asyncio.create_task(read(inboxes, cursor(0), wait_s=30)) for _ in range(2)]
        await asyncio.sleep(0)

        with pytest.raises(RateLimited):
            await read(inboxes, cursor(0), wait_s=30)
        inboxes.stop()
        await asyncio.gather(*polls)

    run(test)


def test_an_inbox_that_is_not_followed_yet_is_asked_for_and_read_when_it_is() -> None:
    async def test() -> None:
        kafka, asked = FakeKafka(), []
        inboxes = Inboxes(Rings(RingLimits()), kafka, kafka, asked.append, polls_per_participant=1)
        reading = asyncio.create_task(read(inboxes, None))
        await asyncio.sleep(0)
        assert asked == [NANJING]
        assert not reading.done()
        inboxes.open(NANJING, 0)

        assert await reading == ([], cursor(0))

    run(test)


def test_every_request_says_that_the_inbox_is_in_use() -> None:
    async def test() -> None:
        kafka, asked = FakeKafka(), []
        inboxes = Inboxes(Rings(RingLimits()), kafka, kafka, asked.append, polls_per_participant=1)
        inboxes.open(NANJING, 0)
        for _ in range(3):
            await read(inboxes, cursor(0))

        assert asked == [NANJING] * 3

    run(test)


def test_an_inbox_that_was_left_is_followed_anew_from_its_end_and_misses_nothing() -> None:
    async def test() -> None:
        kafka = FakeKafka(0, 1, 2, 3, end=4)
        inboxes = followed(kafka)
        news(inboxes, 0, 1)
        _, after = await read(inboxes, cursor(0))
        inboxes.close(NANJING)
        news(inboxes, 2)  # a batch that was on its way
        inboxes.open(NANJING, 4)
        news(inboxes, 4)

        seen: list[int] = []
        for _ in range(3):
            items, after = await read(inboxes, after)
            seen += items
        assert seen == [2, 3, 4]

    run(test)


def test_a_stop_ends_the_opening_of_an_inbox() -> None:
    async def test() -> None:
        kafka = FakeKafka()
        inboxes = Inboxes(Rings(RingLimits()), kafka, kafka, lambda _: None, polls_per_participant=1)
        reading = asyncio.create_task(read(inboxes, None))
        await asyncio.sleep(0)
        inboxes.stop()

        with pytest.raises(Transient):
            await reading

    run(test)


def test_while_kafka_is_away_old_records_are_unavailable_and_new_ones_are_not() -> None:
    async def test() -> None:
        kafka = FakeKafka()
        kafka.away = True
        inboxes = followed(kafka, start=5)
        news(inboxes, 5)

        assert await read(inboxes, cursor(5)) == ([5], cursor(6))
        with pytest.raises(Transient):
            await read(inboxes, cursor(4))

    run(test)
