"""The node at the gateway: who it says it is, and what it makes of every answer."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from connectors.node.gateway import BATCH_TYPE, TOKEN_LIFE_S, Gateway, GatewayAway, Took
from connectors.node.outbox import Waiting
from connectors.node.wire import Fault, LogLine
from services.codec.http import AsyncHttpClient
from services.codec.token import verify
from services.kernel.errors import Transient
from services.kernel.ports import SettableClock
from tests.unit.connectors.small_exchange import NANJING, SmallExchange, signer_of

ROWS = [Waiting(1, "a", b'{"id":"a"}'), Waiting(2, "b", b'{"id":"b"}')]


class Answering:
    """A transport with one answer; remembers the requests."""

    def __init__(self, status: int, document: Any, **headers: str) -> None:
        self.requests: list[httpx.Request] = []
        self._response = (status, document, headers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, document, headers = self._response
        return httpx.Response(
            status, content=document if isinstance(document, bytes) else json.dumps(document), headers=headers
        )


def gateway(answering: Any, clock: SettableClock | None = None) -> Gateway:
    http = AsyncHttpClient("http://gateway.example", transport=httpx.MockTransport(answering))
    return Gateway(http, "small", {NANJING: signer_of(NANJING)}, clock or SettableClock())


def publish(answering: Any) -> Any:
    return asyncio.run(gateway(answering).publish(NANJING, ROWS))


def test_a_batch_goes_out_as_it_is_stored_with_a_token_of_the_participant() -> None:
    answering, clock = Answering(202, {"ids": ["a", "b"]}), SettableClock()
    assert asyncio.run(gateway(answering, clock).publish(NANJING, ROWS)).took is Took.ALL
    request = answering.requests[0]
    assert (request.method, request.url.path) == ("POST", "/v1/events")
    assert request.headers["content-type"] == BATCH_TYPE
    assert request.content == b'[{"id":"a"},{"id":"b"}]'
    token = request.headers["authorization"].removeprefix("Bearer ")
    latest = SmallExchange().history.latest
    assert verify(token, latest.key, "small", clock.now_ms()).participant == NANJING


def test_a_token_is_used_until_shortly_before_its_end_and_made_afresh_when_it_is_refused() -> None:
    answering, clock = Answering(401, {"code": "unauthenticated"}), SettableClock()
    made = gateway(Answering(200, {"items": [], "cursor": "c"}), clock)
    first = made._token(NANJING)
    clock.advance((TOKEN_LIFE_S - 61) * 1000)
    assert made._token(NANJING) == first
    clock.advance(1000)
    assert made._token(NANJING) != first
    refused = gateway(answering, clock)
    with pytest.raises(GatewayAway):
        asyncio.run(refused.publish(NANJING, ROWS))
    assert refused._tokens == {}


def test_named_faults_are_told_with_their_events() -> None:
    found = publish(Answering(422, {"code": "bad-field", "items": [{"id": "b", "code": "bad-field", "field": "x"}]}))
    assert found.took is Took.NONE
    assert found.faults == (Fault("b", "bad-field", "x", ""),)


def test_a_batch_that_is_too_large_says_so() -> None:
    assert publish(Answering(413, {"code": "too-large"})).took is Took.TOO_LARGE


@pytest.mark.parametrize("status", [401, 403, 404, 405, 408, 429, 500, 502, 503, 302])
def test_an_answer_that_is_not_about_the_events_is_tried_again(status: int) -> None:
    with pytest.raises(GatewayAway):
        publish(Answering(status, {"code": "x"}))


def test_an_event_that_is_forbidden_by_name_is_a_fault_of_the_event() -> None:
    found = publish(
        Answering(403, {"code": "forbidden", "items": [{"id": "a", "code": "forbidden", "field": "source"}]})
    )
    assert [fault.event for fault in found.faults] == ["a"]


def test_the_wait_that_the_gateway_asks_for_is_known() -> None:
    with pytest.raises(GatewayAway) as away:
        publish(Answering(429, {"code": "rate-limited"}, **{"retry-after": "3"}))
    assert away.value.wait_s == 3
    assert "rate-limited" in str(away.value)


def test_no_connection_is_transient() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(Transient):
        publish(refuse)


def test_the_inbox_is_asked_from_the_beginning_without_a_cursor() -> None:
    answering = Answering(200, {"items": [], "cursor": "c"})
    page = asyncio.run(gateway(answering).inbox(NANJING, "", limit=5, wait_s=20))
    assert page.cursor == "c"
    assert dict(answering.requests[0].url.params) == {"after": "start", "limit": "5", "wait": "20"}
    asyncio.run(gateway(answering).inbox(NANJING, "c", limit=5, wait_s=0))
    assert answering.requests[1].url.params["after"] == "c"


def test_members_and_schemas_are_asked_for_by_number_and_digest() -> None:
    exchange = SmallExchange()
    answering = Answering(200, exchange.members_page(0))
    assert asyncio.run(gateway(answering).members(NANJING, 4)).next == exchange.history.size
    assert answering.requests[0].url.params["after"] == "4"
    assert asyncio.run(gateway(Answering(200, b"text")).schema(NANJING, "ab")) == b"text"
    assert asyncio.run(gateway(Answering(404, {})).schema(NANJING, "ab")) is None


def test_a_gateway_that_cannot_answer_is_away_for_every_question() -> None:
    made = gateway(Answering(503, {"code": "unavailable"}))
    for question in (
        made.inbox(NANJING, "", limit=1, wait_s=0),
        made.members(NANJING, 0),
        made.schema(NANJING, "ab"),
    ):
        with pytest.raises(GatewayAway):
            asyncio.run(question)


def test_the_list_of_logs_and_their_files_are_asked_for_with_a_token() -> None:
    answering = Answering(200, {"logs": [{"origin": "small/clues/0", "size": 5, "root": "sha256:ab"}]})
    assert asyncio.run(gateway(answering).logs(NANJING)) == (LogLine("small/clues/0", 5, "sha256:ab"),)
    assert answering.requests[0].url.path == "/v1/log"
    answering = Answering(200, b"bytes")
    assert asyncio.run(gateway(answering).log_file(NANJING, "small/clues/0", "tile/0/000.p/5")) == b"bytes"
    assert answering.requests[0].url.path == "/v1/log/small/clues/0/tile/0/000.p/5"
    assert answering.requests[0].headers["authorization"].startswith("Bearer ")
    assert asyncio.run(gateway(Answering(404, {})).log_file(NANJING, "small/clues/0", "checkpoint")) is None


def test_a_file_longer_than_a_note_is_not_read() -> None:
    with pytest.raises(Transient):
        asyncio.run(gateway(Answering(200, b"x" * 65_537)).log_file(NANJING, "small/clues/0", "checkpoint"))


@pytest.mark.parametrize(
    ("status", "code", "taken"),
    [
        (202, "", None),
        (400, "bad-note", "400 bad-note"),
        (401, "bad-signature", "401 bad-signature"),
        (422, "bad-checkpoint", "422 bad-checkpoint"),
    ],
)
def test_a_cosignature_is_taken_or_refused_for_good(status: int, code: str, taken: str | None) -> None:
    answering = Answering(status, {"code": code})
    assert asyncio.run(gateway(answering).cosign(NANJING, "small/clues/0", b"note")) == taken
    request = answering.requests[0]
    assert (request.method, request.url.path) == ("POST", "/v1/log/small/clues/0/cosignatures")
    assert request.content == b"note"


@pytest.mark.parametrize(("status", "code"), [(401, "unauthenticated"), (404, "not-found"), (429, ""), (503, "")])
def test_a_cosignature_that_the_gateway_cannot_take_now_is_tried_again(status: int, code: str) -> None:
    with pytest.raises(GatewayAway):
        asyncio.run(gateway(Answering(status, {"code": code})).cosign(NANJING, "small/clues/0", b"note"))
