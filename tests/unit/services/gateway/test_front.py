import asyncio
import io
import json
from typing import Any

import pytest

from services.gateway.access import AccessLog
from services.gateway.app import Route, build_app
from services.gateway.exchange import Incoming, Message, Reply, Scope
from services.gateway.front import Front
from services.gateway.problems import RateLimited, load_refusals
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import Corrupt, Refused, Transient
from services.kernel.ports import CountedEntropy, SettableClock
from services.runtime.metrics import GATEWAY_REQUESTS, Metrics

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


async def echo(incoming: Incoming) -> Reply:
    incoming.principal = "320100.market_regulator"
    document = {"path": dict(incoming.path_values), "query": incoming.query_string.decode()}
    return Reply(200, json.dumps(document).encode(), headers=((b"cache-control", b"public"),))


def failing(error: Exception) -> Any:
    async def handler(_incoming: Incoming) -> Reply:
        raise error

    return handler


ROUTES = (
    Route("GET", "/hot", echo, hot=True),
    Route("GET", "/cold/{id}", echo),
    Route("GET", "/refused", failing(Refused("bad-request", "no", field="x")), hot=True),
    Route("GET", "/away", failing(Transient("Kafka at 10.0.0.3")), hot=True),
    Route("GET", "/corrupt/{id}", failing(Corrupt("seq 7 of ipx.members"))),
    Route("GET", "/limited", failing(RateLimited("slowly", 2.2)), hot=True),
    Route("GET", "/bug", failing(ZeroDivisionError("1/0")), hot=True),
    Route("GET", "/bug/{id}", failing(ZeroDivisionError("1/0"))),
)


class House:
    """The application and what it logged and counted."""

    def __init__(self) -> None:
        self.out, self.metrics = io.BytesIO(), Metrics("gateway")
        access = AccessLog(SettableClock(), lambda _s, call: None, out=self.out)
        refusals = load_refusals(load_code_tables(SCHEMAS_DIR / "codes"))
        self.front: Front = build_app(ROUTES, refusals, self.metrics, CountedEntropy(), access)
        self.access = access

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], Any]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path.partition("?")[0],
            "raw_path": path.encode(),
            "query_string": path.partition("?")[2].encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 5),
            "root_path": "",
            "http_version": "1.1",
            "scheme": "http",
            "server": ("127.0.0.1", 8480),
        }
        try:
            asyncio.run(self.front(scope, receive, send))
        except ZeroDivisionError:
            assert "bug" in path  # raised again for the server, which logs where it was
        body = b"".join(m.get("body", b"") for m in sent)
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], told, json.loads(body) if body else None


@pytest.fixture
def house() -> House:
    return House()


def test_hot_and_cold_routes_answer_alike(house: House) -> None:
    hot, cold = house.ask("/hot?a=1"), house.ask("/cold/7?a=1")

    assert (hot[0], hot[2]) == (200, {"path": {}, "query": "a=1"})
    assert (cold[0], cold[2]) == (200, {"path": {"id": "7"}, "query": "a=1"})
    for name in (
        "x-content-type-options",
        "content-security-policy",
        "referrer-policy",
        "traceresponse",
        "content-length",
    ):
        assert name in hot[1]
        assert name in cold[1]
    assert hot[1]["cache-control"] == cold[1]["cache-control"] == "public"


def test_a_reply_is_not_stored_unless_it_says_so(house: House) -> None:
    assert house.ask("/refused")[1]["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/refused", 400, "bad-request"),
        ("/away", 503, "unavailable"),
        ("/corrupt/1", 503, "unavailable"),
        ("/limited", 429, "rate-limited"),
        ("/bug", 503, "unavailable"),
        ("/bug/1", 503, "unavailable"),
        ("/nowhere", 404, "not-found"),
        ("/cold", 404, "not-found"),
        ("/cold/1/", 404, "not-found"),
    ],
)
def test_every_error_is_a_problem_with_its_code_and_tells_nothing_of_the_inside(
    house: House, path: str, status: int, code: str
) -> None:
    found, headers, problem = house.ask(path)

    assert (found, problem["status"], problem["code"]) == (status, status, code)
    assert headers["content-type"] == "application/problem+json"
    assert not any(secret in str(problem) for secret in ("10.0.0.3", "ipx.members", "1/0", "ZeroDivision"))


def test_a_method_that_is_not_taken_is_a_problem_that_names_those_that_are(house: House) -> None:
    for path in ("/hot", "/cold/1"):
        status, headers, problem = house.ask(path, "DELETE")
        assert (status, problem["code"], headers["allow"]) == (405, "method-not-allowed", "GET")


def test_the_trace_of_the_caller_goes_through_reply_problem_and_log(house: House) -> None:
    _, headers, problem = house.ask("/refused", traceparent=TRACE)
    house.access.flush()

    assert headers["traceresponse"] == TRACE
    assert problem["instance"] == f"urn:ipx:trace:{'a' * 32}"
    line = json.loads(house.out.getvalue())
    assert (line["trace_id"], line["code"], line["status"]) == ("a" * 32, "bad-request", 400)


def test_requests_are_counted_by_route_and_never_by_path(house: House) -> None:
    for path in ("/cold/1", "/cold/2", "/secret/1", "/secret/2", "/hot"):
        house.ask(path)

    assert house.metrics.value(GATEWAY_REQUESTS, route="/cold/{id}", status="200") == 2
    assert house.metrics.value(GATEWAY_REQUESTS, route="other", status="404") == 2
    assert b"secret" not in house.metrics.exposition()
    house.access.flush()
    assert b"secret" not in house.out.getvalue()
