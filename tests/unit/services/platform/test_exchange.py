"""The exchange's own processes."""

from __future__ import annotations

import sys

import pytest

from services.codec.http import Reply
from services.platform.exchange import BOOTSTRAP, failing_checks, ipx
from services.platform.parts import EXCHANGE
from tests.unit.services.platform.site import make_site


def started(tmp_path):
    site = make_site(tmp_path)
    return {part.name: part.prepare(site) for part in EXCHANGE}


def test_each_process_is_a_command_of_this_installation(tmp_path):
    programs = started(tmp_path)
    assert programs["admission"].argv == (sys.executable, "-m", "services", "admission", "run")
    assert programs["gateway"].argv == ipx("gateway", "run")
    assert programs["clues"].argv == ipx("room", "run", "clues")
    assert programs["receipts"].argv == ipx("room", "run", "receipts")
    assert programs["relay"].argv == ipx("relay", "run")


def test_each_process_is_told_its_state_directory_and_its_own_port(tmp_path):
    for name, program in started(tmp_path).items():
        own = "IPX_GATEWAY_PORT" if name == "gateway" else "IPX_METRICS_PORT"
        assert set(program.env) == {"IPX_STATE_DIR", own}
        assert program.env["IPX_STATE_DIR"] == str(tmp_path)
    ports = [program.env.get("IPX_METRICS_PORT") for program in started(tmp_path).values()]
    assert len(set(ports)) == len(ports)


def test_the_state_tells_where_a_process_is_found(tmp_path):
    site = make_site(tmp_path)
    urls = {part.name: part.details(site)["url"] for part in EXCHANGE}
    assert urls["gateway"] == f"http://127.0.0.1:{site.ports['gateway']}"
    assert len(set(urls.values())) == len(urls)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"checks": {"kafka": {"ok": false, "reason": "away"}, "a": {"ok": true, "reason": null}}}', "kafka: away"),
        (b'{"checks": {"a": {"ok": false, "reason": "x"}, "b": {"ok": false, "reason": "y"}}}', "a: x; b: y"),
        (b'{"checks": {}}', "it answers 503"),
        (b'{"checks": []}', "it answers 503"),
        (b"<html>", "it answers 503"),
        (b"[]", "it answers 503"),
    ],
)
def test_what_fails_is_told_by_name_whatever_is_answered(body, said):
    assert failing_checks(Reply(503, {}, body)) == said


def test_topics_and_schemas_are_there_before_the_members():
    assert [step.name for step in BOOTSTRAP] == ["topics", "schemas", "members"]
