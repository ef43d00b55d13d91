"""The REST connector over a transport in memory: what it sends, and how it takes every kind of answer."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors.kit.auth import NoProof, StaticToken
from connectors.kit.port import Accepted, CityAway, Fault, Health, Message, Page, TryLater
from connectors.rest.city import RestCity
from connectors.rest.system import compile_system
from services.codec.http import AsyncHttpClient
from services.kernel.errors import BadSettings

SYSTEM: dict[str, Any] = {
    "push": {"idempotency_header": "X-Key", "number_header": "X-Number"},
    "doors": {"in": {"path": "/in"}, "put": {"path": "/in/{key}", "method": "PUT"}},
    "reply": {"reference": "id"},
    "pull": {
        "path": "/new",
        "cursor": "after",
        "limit": "n",
        "page_size": 2,
        "items": "list",
        "next": "last",
        "more": "more",
        "code": "code",
        "success_codes": ["0"],
        "kind": "k",
        "key": "i",
    },
    "ack": {"path": "/ack", "cursor": "after"},
    "health": {"path": "/up"},
}
Handle = Callable[[httpx.Request], httpx.Response]


class Recorder:
    """A transport that answers by a function and remembers the requests."""

    def __init__(self, handle: Handle) -> None:
        self.requests: list[httpx.Request] = []
        self._handle = handle

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._handle(request)


def city(handle: Handle, maker: Any = None, **more: Any) -> tuple[RestCity, Recorder]:
    recorder = Recorder(handle)
    client = AsyncHttpClient("http://city.example", timeout_s=0.2, transport=httpx.MockTransport(recorder))
    return RestCity("c", compile_system({**SYSTEM, **more}, "here"), client, maker or NoProof()), recorder


def answering(document: Any, status: int = 200) -> Handle:
    return lambda _request: httpx.Response(status, json=document)


def push(made: RestCity, door: str = "in", key: str = "k/1") -> Any:
    return asyncio.run(made.push(Message(door, {"标题": "甲"}), idempotency_key=key, delivery_number=7))


def test_a_push_carries_document_key_number_and_proof() -> None:
    made, recorder = city(answering({"id": "R-1"}), StaticToken("t"))
    assert push(made) == Accepted("R-1")
    request = recorder.requests[0]
    assert (request.method, request.url.path) == ("POST", "/in")
    assert json.loads(request.content) == {"标题": "甲"}
    assert request.headers["X-Key"] == "k/1"
    assert request.headers["X-Number"] == "7"
    assert request.headers["Authorization"] == "Bearer t"


def test_a_key_in_the_path_is_escaped() -> None:
    made, recorder = city(answering({"id": "R-1"}))
    push(made, "put")
    assert recorder.requests[0].method == "PUT"
    assert recorder.requests[0].url.raw_path == b"/in/k%2F1"


def test_a_door_that_is_not_described_is_a_bad_setting() -> None:
    made, _ = city(answering({}))
    with pytest.raises(BadSettings):
        push(made, "nowhere")


def raising(error: Exception) -> Handle:
    def handle(request: httpx.Request) -> httpx.Response:
        raise error

    return handle


@pytest.mark.parametrize(
    ("handle", "fault"),
    [
        (raising(httpx.ConnectError("refused")), Fault.UNREACHABLE),
        (raising(httpx.RemoteProtocolError("cut")), Fault.UNREACHABLE),
        (raising(httpx.ReadTimeout("slow")), Fault.TIMEOUT),
        (lambda _r: httpx.Response(200, content=b"x" * 70_000), Fault.NONSENSE),
        (lambda _r: httpx.Response(200, content=b"<html>"), Fault.NONSENSE),
        (answering({}, 200), Fault.NONSENSE),
        (answering({}, 500), Fault.SERVER_ERROR),
        (answering({}, 401), Fault.UNAUTHORISED),
    ],
)
def test_whatever_goes_wrong_is_tried_later_and_says_how(handle: Handle, fault: Fault) -> None:
    made, _ = city(handle)
    answer = push(made)
    assert isinstance(answer, TryLater)
    assert answer.fault is fault


def test_an_answer_that_takes_too_long_as_a_whole_is_a_timeout() -> None:
    async def handle(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    client = AsyncHttpClient("http://city.example", timeout_s=0.01, transport=httpx.MockTransport(handle))
    made = RestCity("c", compile_system(SYSTEM, "here"), client, NoProof())
    answer = push(made)
    assert isinstance(answer, TryLater)
    assert answer.fault is Fault.TIMEOUT


def test_a_refused_proof_is_made_afresh_the_next_time() -> None:
    class Maker(NoProof):
        forgotten = 0

        def forget(self) -> None:
            Maker.forgotten += 1

    made, _ = city(answering({}, 401), Maker())
    push(made)
    assert Maker.forgotten == 1


def test_a_system_that_lies_is_found_out_where_it_can_be_asked() -> None:
    held: set[str] = set()

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"id": "R-1"})
        return httpx.Response(200, json={"id": "R-1"}) if request.url.path in held else httpx.Response(404, json={})

    made, _ = city(handle, confirm={"path": "/held/{key}/{reference}"})
    answer = push(made, key="k1")
    assert isinstance(answer, TryLater)
    assert answer.fault is Fault.NONSENSE
    held.add("/held/k1/R-1")
    assert push(made, key="k1") == Accepted("R-1")


def pull(made: RestCity, cursor: str = "") -> Page:
    return asyncio.run(made.pull(cursor))


def test_a_pull_asks_after_the_cursor_and_reads_the_page() -> None:
    made, recorder = city(answering({"code": "0", "list": [{"i": 1}], "last": 5, "more": "1"}))
    assert pull(made, "4") == Page(({"i": 1},), "5", more=True)
    assert dict(recorder.requests[0].url.params) == {"after": "4", "n": "2"}


def test_an_empty_page_leaves_the_cursor() -> None:
    made, _ = city(answering({"code": "0", "list": [], "last": "9", "more": "1"}))
    assert pull(made, "4") == Page((), "4")


@pytest.mark.parametrize(
    ("handle", "fault"),
    [
        (raising(httpx.ConnectError("refused")), Fault.UNREACHABLE),
        (answering({"code": "1"}), Fault.SERVER_ERROR),
        (answering({"code": "0"}), Fault.NONSENSE),
        (answering({"code": "0", "list": ["x"], "last": "5"}), Fault.NONSENSE),
        (answering({"code": "0", "list": [{}]}), Fault.NONSENSE),
        (answering({"code": "0", "list": [{}], "last": "4"}), Fault.NONSENSE),
        (answering({"code": "0", "list": [{}], "last": True}), Fault.NONSENSE),
        (answering([]), Fault.NONSENSE),
        (answering({}, 500), Fault.SERVER_ERROR),
        (answering({}, 404), Fault.NONSENSE),
        (answering({}, 401), Fault.UNAUTHORISED),
    ],
)
def test_a_pull_that_does_not_succeed_says_that_the_city_is_away(handle: Handle, fault: Fault) -> None:
    made, _ = city(handle)
    with pytest.raises(CityAway) as away:
        pull(made, "4")
    assert away.value.answer.fault is fault


def test_a_system_without_a_pull_has_no_happenings() -> None:
    made, recorder = city(answering({}), pull=None)
    assert pull(made, "4") == Page((), "4")
    assert recorder.requests == []


def test_an_acknowledgement_carries_the_cursor_and_its_answer_does_not_matter() -> None:
    made, recorder = city(answering({}, 500))
    asyncio.run(made.ack("5"))
    assert (recorder.requests[0].url.path, json.loads(recorder.requests[0].content)) == ("/ack", {"after": "5"})


def test_health_is_what_the_health_door_says() -> None:
    assert asyncio.run(city(answering({}))[0].health()) == Health(True, "status 200")
    assert asyncio.run(city(answering({}, 503))[0].health()) == Health(False, "status 503")
    assert asyncio.run(city(raising(httpx.ConnectError("x")))[0].health()) == Health(False, "unreachable")
