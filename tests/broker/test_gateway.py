"""The gateway as a process, on the real Kafka, registry and PostgreSQL: events in, outcomes, copies, status."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.codec.cloudevents import envelope_from_structured
from tests.broker.gateway_running import (
    AVRO,
    HANGZHOU,
    NANJING,
    SUZHOU,
    Client,
    Genesis,
    RunningGateway,
    SmallAdmission,
    running_gateway,
    until,
)


@pytest.fixture(scope="module")
def exchange(make_exchange) -> Iterator[Any]:
    with make_exchange() as made:
        Genesis(made).found(NANJING, HANGZHOU, SUZHOU)
        yield made


@pytest.fixture(scope="module")
def admission(exchange) -> Iterator[SmallAdmission]:
    with SmallAdmission(exchange) as small:
        yield small


@pytest.fixture(scope="module")
def gateway(exchange, admission) -> Iterator[RunningGateway]:
    with running_gateway(exchange) as running:
        yield running


@pytest.fixture
def nanjing(gateway, exchange) -> Client:
    return Client(gateway, exchange, NANJING)


@pytest.fixture
def hangzhou(gateway, exchange) -> Client:
    return Client(gateway, exchange, HANGZHOU)


def test_an_event_is_taken_in_each_mode_and_reaches_admission_as_the_same_record(nanjing, admission) -> None:
    structured, binary = nanjing.event("CL-modes-1"), nanjing.event("CL-modes-2")
    first, second = nanjing.event("CL-modes-3"), nanjing.event("CL-modes-4")

    assert nanjing.publish(structured).status == 202
    headers = {f"ce-{name}": text for name, text in binary.attributes().items()} | {"ce-specversion": "1.0"}
    assert nanjing.post(binary.body, AVRO, **headers).status == 202
    reply = nanjing.publish(first, second)
    assert (reply.status, reply.json()) == (202, {"ids": [first.statement.id, second.statement.id]})

    sent = {e.statement.id: e for e in (structured, binary, first, second)}
    until(lambda: set(sent) <= {e.statement.id for e in admission.read})
    for read in admission.read:
        if read.statement.id in sent:
            wanted = sent[read.statement.id]
            assert (read.statement, read.signature, read.salts, read.body) == (
                wanted.statement,
                wanted.signature,
                wanted.salts,
                wanted.body,
            )


def test_the_trace_of_the_caller_goes_with_the_event_and_comes_back(nanjing, admission) -> None:
    trace = f"00-{'c' * 32}-{'d' * 16}-01"
    event = nanjing.event("CL-trace")
    headers = {f"ce-{name}": text for name, text in event.attributes().items()} | {"ce-specversion": "1.0"}
    reply = nanjing.post(event.body, AVRO, traceparent=trace, **headers)

    assert reply.headers["traceresponse"] == trace
    until(lambda: any(e.statement.id == event.statement.id for e in admission.read))
    assert next(e for e in admission.read if e.statement.id == event.statement.id).trace == trace


def test_who_waits_is_told_the_outcome(nanjing) -> None:
    good, bad = nanjing.event("CL-wait"), nanjing.event("BAD-wait")

    reply = nanjing.publish(good, bad, wait=20)

    assert reply.status == 200
    admitted, refused = reply.json()["outcomes"]
    assert (admitted["id"], admitted["outcome"]) == (good.statement.id, "admitted")
    assert admitted["seq"] >= 0
    assert refused == {
        "id": bad.statement.id,
        "outcome": "refused",
        "code": "bad-field",
        "field": "uscc",
        "message_zh": "错",
        "message_en": "no",
    }


def test_a_copy_reaches_the_inbox_of_its_addressee_alone_with_all_that_a_node_verifies(
    nanjing, hangzhou, gateway, exchange
) -> None:
    suzhou = Client(gateway, exchange, SUZHOU)
    before = hangzhou.inbox("start", limit=1000)["cursor"]
    event = nanjing.event("CL-copy")
    assert nanjing.publish(event, wait=20).status == 200

    page = hangzhou.inbox(before, wait=20)
    copies = [envelope_from_structured(item) for item in page["items"]]
    copy = next(c for c in copies if c.statement.id == event.statement.id)
    assert (copy.statement, copy.signature, copy.salts, copy.body) == (
        event.statement,
        event.signature,
        event.salts,
        event.body,
    )
    assert copy.entry is not None
    assert copy.delivery is not None
    assert copy.delivery.startswith(f"{HANGZHOU} {exchange.name}.clues/")
    assert suzhou.inbox("start")["items"] == []


def test_the_status_of_an_event_is_its_sources_and_recipients_and_nobody_elses(
    nanjing, hangzhou, gateway, exchange
) -> None:
    bad = nanjing.event("BAD-status")
    nanjing.publish(bad, wait=20)
    path = f"/v1/events/{bad.statement.id}"

    told = nanjing.get(path)
    assert told.status == 200
    assert told.json()["outcome"]["code"] == "bad-field"
    absent = hangzhou.get("/v1/events/0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52")
    hidden = hangzhou.get(path)
    assert (absent.status, hidden.status) == (404, 404)
    assert _told(absent) == _told(hidden)


def _told(reply) -> dict[str, Any]:
    return {name: value for name, value in reply.json().items() if name != "instance"}


def test_members_schemas_and_codes_are_what_the_exchange_goes_by(nanjing, gateway) -> None:
    page = nanjing.get("/v1/members", {"after": "0"}).json()
    first = envelope_from_structured(page["items"][0])
    assert first.statement.type == "cn.ipx.member.ExchangeFounded"
    assert nanjing.get("/v1/members", {"after": str(page["next"])}).json() == {"items": [], "next": page["next"]}
    assert nanjing.get("/v1/members", {"after": "999999"}).status == 400
    assert gateway.get("/v1/members").status == 401

    release = next(r for r in gateway.get("/v1/schemas").json()["items"] if r["type"] == first.statement.type)
    schema = gateway.get(release["href"])
    assert (schema.status, schema.json()["name"]) == (200, "ExchangeFounded")
    assert gateway.get(release["href"], **{"if-none-match": schema.headers["etag"]}).status == 304
    assert gateway.get("/v1/schemas/cn.ipx.member.ExchangeFounded").json() == schema.json()
    assert gateway.get("/v1/codes/refusal_codes").json()["table"] == "refusal_codes"
    assert [gateway.get(p).status for p in ("/v1/codes/none", "/v1/schemas/none", "/v1/none")] == [404, 404, 404]


def test_every_reply_is_safe_to_show_in_a_browser_and_every_error_is_a_problem(gateway) -> None:
    for path, status in (("/livez", 200), ("/v1/inbox", 401), ("/nowhere", 404)):
        reply = gateway.get(path)
        assert reply.status == status
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        if status >= 400:
            assert reply.headers["content-type"] == "application/problem+json"
            assert reply.json()["status"] == status
    assert gateway.http.send("DELETE", "/v1/inbox").json()["code"] == "method-not-allowed"


def test_figures_and_health_are_told(gateway, nanjing) -> None:
    nanjing.publish(nanjing.event("CL-figures"))
    figures = gateway.get("/metrics").body.decode()

    assert 'ipx_gateway_published_events_total{family="clues"}' in figures
    ready = gateway.get("/readyz").json()
    assert ready["status"] == "ready"
    assert set(ready["checks"]) == {"kafka", "registry", "postgres", "members", "inboxes", "serving", "outboxes"}


def test_neither_content_nor_token_is_in_the_log(gateway, nanjing) -> None:
    event = nanjing.event("CL-secret")
    reply = nanjing.publish(event, wait=20)
    assert reply.status == 200
    trace_id = reply.headers["traceresponse"].split("-")[1]
    until(lambda: trace_id in [line.get("trace_id") for line in gateway.lines()])
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in gateway.lines())

    assert nanjing.token()[:20] not in text
    assert base64.b64encode(event.body).decode()[:40] not in text
    assert "CL-secret" not in text
