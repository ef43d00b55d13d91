import asyncio

import pytest

from services.codec.keys import signer_from_seed
from services.codec.released import load_released
from services.commands.latency_run import Prepared, Sent, Times, prepare, send_at, shown, wait_for_all
from services.commands.latency_sink import Arrivals
from services.kernel.errors import Transient
from services.kernel.ports import CountedEntropy, SettableClock


def test_a_share_of_the_latencies_is_the_one_that_so_many_stayed_within() -> None:
    times = Times(tuple(float(n) for n in range(1, 201)))

    assert (times.at(500), times.at(990), times.at(1000)) == (100.0, 198.0, 200.0)
    assert shown("bare_", Times(())) == {"bare_p50_ms": 0.0, "bare_p99_ms": 0.0, "bare_max_ms": 0.0}


def test_every_event_is_of_its_own_subject_and_signed_by_the_source() -> None:
    source = signer_from_seed("320200.market_regulator", bytes(32))
    made = prepare(3, source, "330100.market_regulator", load_released(), SettableClock(), CountedEntropy())

    assert len({event.id for event in made}) == 3
    assert all(event.id.encode() in event.body and source.key_id.encode() in event.body for event in made)


def test_latency_counts_from_when_an_event_was_due_and_only_what_has_arrived_counts() -> None:
    async def run() -> Times:
        arrivals = Arrivals()
        arrivals.note("a", 10.25)
        arrivals.note("a", 11.0)
        arrivals.note("b", 10.5)
        sent = Sent({"a": 10.0, "b": 10.4, "lost": 10.5}, Times(()), 1.0)
        times = await wait_for_all(sent, arrivals, 0.0)
        assert arrivals.again == 1
        return times

    assert asyncio.run(run()).ms == pytest.approx((100.0, 250.0))


def test_a_post_that_fails_ends_the_run() -> None:
    async def post(_event: Prepared) -> None:
        raise Transient("refused")

    async def run() -> None:
        await send_at(1_000_000, [Prepared("a", b"")], post)

    with pytest.raises(Transient, match="refused"):
        asyncio.run(run())
