"""Kafka, the registry or PostgreSQL away, at start or later: said clearly, nothing lost, work resumed by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.codec.registry import SchemaRegistry
from services.kernel.errors import Transient
from services.platform.ports import any_free
from tests.broker.gateway_running import (
    HANGZHOU,
    NANJING,
    Client,
    Genesis,
    RunningGateway,
    SmallAdmission,
    running_gateway,
    until,
)

BACK_S = 60.0


@pytest.fixture(scope="module")
def exchange(make_exchange) -> Iterator[Any]:
    with make_exchange() as made:
        Genesis(made).found(NANJING, HANGZHOU)
        yield made


@pytest.fixture
def gateway(exchange) -> Iterator[RunningGateway]:
    with SmallAdmission(exchange), running_gateway(exchange, IPX_GATEWAY_PRODUCE_TIMEOUT_S="2") as running:
        yield running


def pid_of(platform, part: str) -> int:
    pid = platform.state().parts[part].pid
    assert pid is not None
    return int(pid)


def registry_is_well(exchange) -> bool:
    registry = SchemaRegistry(exchange.settings.registry_url)
    try:
        return bool(registry.subjects())
    except Transient:
        return False
    finally:
        registry.close()


def is_well(gateway: RunningGateway, part: str) -> bool:
    return bool(gateway.get("/healthz").json()["checks"][part]["ok"])


def test_without_kafka_an_event_is_refused_for_the_moment_never_lost_and_taken_when_it_is_back(
    platform, gateway, exchange
) -> None:
    nanjing = Client(gateway, exchange, NANJING)
    event, waiting = nanjing.event("CL-kafka"), nanjing.event("CL-kafka-2")
    assert nanjing.publish(event, wait=20).status == 200
    os.kill(pid_of(platform, "kafka"), signal.SIGKILL)

    reply = nanjing.publish(waiting)
    if reply.status == 202:  # the supervisor was quicker than the producer's timeout: then it must be in the log
        until(lambda: nanjing.get(f"/v1/events/{waiting.statement.id}").status == 200, BACK_S)
    else:
        assert (reply.status, reply.json()["code"]) == (503, "unavailable")
        assert int(reply.headers["retry-after"]) >= 1
    until(lambda: nanjing.publish(waiting).status == 202, BACK_S)
    until(lambda: gateway.ready(), BACK_S)
    final = nanjing.event("CL-kafka-3")
    assert nanjing.publish(final, wait=30).json()["outcomes"][0]["outcome"] == "admitted"
    hangzhou = Client(gateway, exchange, HANGZHOU)
    for sent in (event, waiting, final):
        until(lambda sent=sent: sent.statement.id in [i["id"] for i in hangzhou.inbox("start", limit=1000)["items"]])


def test_a_kafka_that_hangs_is_said_in_readyz_and_does_not_hang_the_gateway(platform, gateway, exchange) -> None:
    nanjing, pid = Client(gateway, exchange, NANJING), pid_of(platform, "kafka")
    os.kill(pid, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        reply = nanjing.publish(nanjing.event("CL-hang"))
        assert reply.status == 503
        assert time.monotonic() - began_s < 8
        until(lambda: not is_well(gateway, "kafka"), 20)
        assert gateway.get("/readyz").status == 503
        assert gateway.get("/livez").status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: gateway.ready(), BACK_S)
    until(lambda: nanjing.publish(nanjing.event("CL-unhung")).status == 202, BACK_S)


def test_without_postgresql_events_flow_and_what_became_of_them_is_told_when_it_is_back(
    platform, gateway, exchange
) -> None:
    nanjing = Client(gateway, exchange, NANJING)
    os.kill(pid_of(platform, "postgres"), signal.SIGKILL)

    event = nanjing.event("BAD-postgres")
    assert nanjing.publish(event, wait=20).json()["outcomes"][0]["outcome"] == "refused"
    until(lambda: gateway.ready() and registry_is_well(exchange), BACK_S)  # the registry keeps its schemas there
    until(lambda: nanjing.get(f"/v1/events/{event.statement.id}").status == 200, BACK_S)
    assert nanjing.get(f"/v1/events/{event.statement.id}").json()["outcome"]["code"] == "bad-field"


def test_without_the_registry_events_flow_and_readyz_says_so(platform, gateway, exchange) -> None:
    nanjing, pid = Client(gateway, exchange, NANJING), pid_of(platform, "registry")
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: not is_well(gateway, "registry"), 40)
        assert nanjing.publish(nanjing.event("CL-registry"), wait=20).status == 200
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: gateway.ready(), BACK_S)


def test_a_gateway_that_starts_before_its_parts_says_which_are_away_and_refuses_nothing_for_good(exchange) -> None:
    nowhere = any_free()
    away = {
        "IPX_KAFKA_BOOTSTRAP": f"127.0.0.1:{nowhere}",
        "IPX_REGISTRY_URL": f"http://127.0.0.1:{nowhere}",
        "IPX_POSTGRES_DSN": f"postgresql://ipx@127.0.0.1:{nowhere}/ipx",
    }
    with running_gateway(exchange, wait=False, **away) as gateway:
        until(lambda: gateway.get("/readyz").status == 503)
        checks = gateway.get("/healthz").json()["checks"]
        until(lambda: not any(is_well(gateway, p) for p in ("kafka", "registry", "postgres", "members")))
        assert set(checks) == {"kafka", "registry", "postgres", "members", "inboxes", "serving", "outboxes"}
        reply = Client(gateway, exchange, NANJING).get("/v1/inbox")
        assert (reply.status, reply.json()["code"]) == (503, "unavailable")
        assert str(nowhere) not in reply.body.decode()
        assert gateway.get("/v1/schemas").status == 200
        assert gateway.stop() == 0
