import asyncio
from collections.abc import Sequence

import pytest

from services.gateway.exchange import BodyBudget, HeldBody, Incoming, Message, Trace, read_trace, whole_number
from services.kernel.errors import Refused, Transient
from services.kernel.ports import CountedEntropy

LIMIT = 100


def incoming(chunks: Sequence[bytes | None] = (), *, length: bytes | None = None, query: bytes = b"") -> Incoming:
    """A request whose body comes in these chunks; None is a client that goes away."""
    left = list(chunks)
    asked: list[int] = []

    async def receive() -> Message:
        asked.append(1)
        chunk = left.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    headers = {} if length is None else {b"content-length": length}
    request = Incoming("POST", "/", query, headers, list(headers.items()), "127.0.0.1", Trace("t" * 32, "h"), receive)
    request.notes["asked"] = asked
    return request


async def body_of(request: Incoming, budget: BodyBudget, timeout_s: float = 5.0) -> bytes:
    async with HeldBody(request, LIMIT, budget, timeout_s) as body:
        assert budget.held >= len(body)
        return body


def test_a_body_is_read_whole_and_its_bytes_are_given_back() -> None:
    budget = BodyBudget(1_000)

    assert asyncio.run(body_of(incoming([b"ab", b"", b"cd"], length=b"4"), budget)) == b"abcd"
    assert budget.held == 0


def test_a_declared_length_over_the_limit_is_refused_before_a_byte_is_read() -> None:
    budget, request = BodyBudget(1_000), incoming([b"x" * 101], length=b"101")

    with pytest.raises(Refused) as refused:
        asyncio.run(body_of(request, budget))
    assert refused.value.code == "too-large"
    assert request.notes["asked"] == []
    assert budget.held == 0


@pytest.mark.parametrize("length", [None, b"4"])
def test_a_body_that_grows_past_the_limit_is_cut_whatever_length_was_declared(length: bytes | None) -> None:
    budget, request = BodyBudget(1_000), incoming([b"x" * 60, b"x" * 60, b"x" * 60, b"x"], length=length)

    with pytest.raises(Refused) as refused:
        asyncio.run(body_of(request, budget))
    assert refused.value.code == "too-large"
    assert len(request.notes["asked"]) == 2
    assert budget.held == 0


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"", b"9" * 40])
def test_a_length_that_is_no_number_is_refused(length: bytes) -> None:
    with pytest.raises(Refused) as refused:
        asyncio.run(body_of(incoming([b""], length=length), BodyBudget(1_000)))
    assert refused.value.code in ("bad-request", "too-large")


def test_no_more_bodies_are_held_than_the_budget_has() -> None:
    async def run() -> tuple[int, int]:
        budget = BodyBudget(150)
        async with HeldBody(incoming([b"x" * 90], length=b"90"), LIMIT, budget, 5.0):
            with pytest.raises(Transient):
                await body_of(incoming([b"x" * 90], length=b"90"), budget)
            with pytest.raises(Transient):
                await body_of(incoming([b"x" * 50, b"x" * 40]), budget)
            held = budget.held
        return held, budget.held

    assert asyncio.run(run()) == (90, 0)


def test_a_client_that_goes_away_in_the_middle_holds_nothing() -> None:
    budget = BodyBudget(1_000)

    with pytest.raises(Refused):
        asyncio.run(body_of(incoming([b"ab", None]), budget))
    assert budget.held == 0


def test_a_body_that_does_not_arrive_in_time_is_given_up() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    budget, request = BodyBudget(1_000), incoming()
    request.receive = never

    with pytest.raises(Refused) as refused:
        asyncio.run(body_of(request, budget, timeout_s=0.01))
    assert refused.value.code == "timeout"
    assert budget.held == 0


def test_a_query_is_read_by_name() -> None:
    assert incoming(query=b"after=a%3D&limit=5").query(("after", "limit")) == {"after": "a=", "limit": "5"}
    assert incoming().query(()) == {}


@pytest.mark.parametrize("query", [b"limit=1&limit=2", b"limt=1", b"limit", b"\xff=1", b"&".join([b"a=1"] * 40)])
def test_a_query_that_nobody_can_have_meant_is_refused(query: bytes) -> None:
    with pytest.raises(Refused) as refused:
        incoming(query=query).query(("limit",))
    assert refused.value.code == "bad-request"


@pytest.mark.parametrize("text", ["", "-1", "1.5", "0x1", "31", "١", "1" * 30, " 1"])
def test_a_number_out_of_bounds_or_form_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(Refused) as refused:
        whole_number(text, "wait", 0, 0, 30)
    assert (refused.value.code, refused.value.field) == ("bad-request", "wait")


def test_a_number_is_taken_within_its_bounds() -> None:
    assert [whole_number(text, "wait", 7, 0, 30) for text in (None, "0", "30")] == [7, 0, 30]


def test_the_trace_of_the_caller_is_kept_and_a_new_one_made_where_there_is_none() -> None:
    given = f"00-{'a' * 32}-{'b' * 16}-01"

    assert read_trace(given.encode(), CountedEntropy().draw) == Trace("a" * 32, given)
    for other in (
        None,
        b"",
        b"00-xyz",
        f"00-{'0' * 32}-{'b' * 16}-01".encode(),
        f"00-{'a' * 32}-{'0' * 16}-01".encode(),
    ):
        made = read_trace(other, CountedEntropy().draw)
        assert made.trace_id != "a" * 32
        assert read_trace(made.header.encode(), CountedEntropy().draw) == made
