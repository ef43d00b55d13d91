"""What a process says of itself: alive, ready or why not, its metrics. No socket is opened here."""

from __future__ import annotations

import json

import pytest

from services.runtime.health import Checks, HealthServer, answer
from services.runtime.metrics import HEALTH_PASSING, Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("room")


def ready(checks, metrics):
    status, kind, body = answer("/readyz", checks, metrics)
    assert kind == "application/json"
    return status, json.loads(body)


def test_a_check_fails_until_it_is_first_told(metrics):
    checks = Checks(metrics, "kafka", "postgres")
    status, told = ready(checks, metrics)
    assert status == 503
    assert told["checks"]["kafka"] == {"ok": False, "reason": "starting"}


def test_ready_is_when_every_check_passes_and_not_ready_names_the_one_that_fails(metrics):
    checks = Checks(metrics, "kafka", "postgres")
    checks.passed("kafka")
    checks.passed("postgres")
    assert ready(checks, metrics)[0] == 200
    checks.failed("postgres", "no connection")
    status, told = ready(checks, metrics)
    assert (status, told["status"]) == (503, "not ready")
    assert told["checks"]["postgres"]["reason"] == "no connection"
    assert told["checks"]["kafka"]["ok"]


def test_a_probe_is_asked_when_somebody_looks(metrics):
    checks = Checks(metrics)
    answers = iter([None, "the members log is away"])
    checks.probe("members", lambda: next(answers))
    assert ready(checks, metrics)[0] == 200
    assert ready(checks, metrics)[1]["checks"]["members"]["reason"] == "the members log is away"
    assert metrics.value(HEALTH_PASSING, check="members") == 0


def test_the_checks_are_metrics_too(metrics):
    checks = Checks(metrics, "kafka")
    assert metrics.value(HEALTH_PASSING, check="kafka") == 0
    checks.passed("kafka")
    assert metrics.value(HEALTH_PASSING, check="kafka") == 1


def test_alive_is_whether_it_answers_at_all(metrics):
    checks = Checks(metrics, "kafka")
    assert answer("/livez?x=1", checks, metrics)[0] == 200


def test_metrics_are_the_prometheus_text(metrics):
    status, kind, body = answer("/metrics", Checks(metrics, "kafka"), metrics)
    assert status == 200
    assert kind.startswith("text/plain")
    assert b"ipx_health_passing_checks" in body


def test_there_is_nothing_else(metrics):
    assert answer("/state", Checks(metrics), metrics)[0] == 404


def test_port_zero_is_off(metrics):
    with HealthServer(0, Checks(metrics), metrics) as server:
        assert server._server is None
