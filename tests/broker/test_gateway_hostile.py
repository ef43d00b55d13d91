"""What is not an event is refused with its code and field, at once, and costs no memory (issue 3, bad input)."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.codec.cloudevents import envelope_to_structured
from services.codec.envelope import Envelope
from tests.broker.gateway_running import (
    AVRO,
    BATCH,
    CLUE,
    HANGZHOU,
    NANJING,
    STRUCTURED,
    Client,
    Genesis,
    RunningGateway,
    running_gateway,
)

MB = 1 << 20


@pytest.fixture(scope="module")
def exchange(make_exchange) -> Iterator[Any]:
    with make_exchange() as made:
        Genesis(made).found(NANJING, HANGZHOU)
        yield made


@pytest.fixture(scope="module")
def gateway(exchange) -> Iterator[RunningGateway]:
    with running_gateway(exchange) as running:
        yield running


@pytest.fixture
def nanjing(gateway, exchange) -> Client:
    return Client(gateway, exchange, NANJING)


def refusal(reply) -> tuple[int, str, str | None]:
    problem = reply.json()
    assert reply.headers["content-type"] == "application/problem+json"
    assert problem["status"] == reply.status
    assert problem["title_zh"]
    return reply.status, problem["code"], problem.get("field")


def document(envelope: Envelope, **changed: Any) -> bytes:
    made = {**envelope_to_structured(envelope), **changed}
    return json.dumps({name: value for name, value in made.items() if value is not ...}).encode()


def with_json(envelope: Envelope, data: str) -> bytes:
    head = {**envelope_to_structured(envelope), "datacontenttype": "application/json"}
    del head["data_base64"]
    return json.dumps(head)[:-1].encode() + b', "data": ' + data.encode() + b"}"


@pytest.mark.parametrize(
    ("content_type", "answer"),
    [
        ("text/plain", (415, "bad-content-type", "content-type")),
        ("application/cloudevents+json; charset=gbk", (415, "bad-content-type", "content-type")),
        ("application/xml", (415, "bad-content-type", "content-type")),
    ],
)
def test_a_content_type_that_is_not_taken_is_refused(nanjing, content_type, answer) -> None:
    assert refusal(nanjing.post(document(nanjing.event()), content_type)) == answer


def test_json_that_is_not_strict_is_refused(nanjing) -> None:
    event = nanjing.event()
    clue = json.dumps(CLUE)
    deep = '{"a":' * 5_000 + "1" + "}" * 5_000

    assert refusal(nanjing.post(b"{"))[:2] == (400, "bad-json")
    assert refusal(nanjing.post(b"\xff\xfe{}"))[:2] == (400, "bad-json")
    assert refusal(nanjing.post(with_json(event, deep)))[:2] == (400, "bad-json")
    assert refusal(nanjing.post(b"[" * 200_000))[:2] == (400, "bad-json")
    assert refusal(nanjing.post(with_json(event, '{"title": NaN}')))[:2] == (400, "bad-number")
    assert refusal(nanjing.post(with_json(event, '{"title": -Infinity}')))[:2] == (400, "bad-number")
    assert refusal(nanjing.post(with_json(event, f'{{"n": {"9" * 5_000}}}')))[:2] == (400, "bad-number")
    twice = clue[:-1] + ', "title": "again"}'
    assert refusal(nanjing.post(with_json(event, twice))) == (400, "duplicate-key", "title")
    doubled = document(event)[:-1] + b', "id": "x"}'
    assert refusal(nanjing.post(doubled)) == (400, "duplicate-key", "id")


def test_attributes_that_are_missing_wrong_or_the_exchanges_are_refused_by_name(nanjing) -> None:
    event = nanjing.event()

    assert refusal(nanjing.post(document(event, subject=...))) == (400, "missing-attribute", "subject")
    assert refusal(nanjing.post(document(event, subject="a b"))) == (400, "bad-attribute", "subject")
    assert refusal(nanjing.post(document(event, time="2026-11-24"))) == (400, "bad-attribute", "time")
    assert refusal(nanjing.post(document(event, id="1"))) == (400, "bad-attribute", "id")
    assert refusal(nanjing.post(document(event, specversion="0.3"))) == (400, "bad-attribute", "specversion")
    assert refusal(nanjing.post(document(event, ipxentry="ipx-event/v1"))) == (400, "bad-attribute", "ipxentry")
    assert refusal(nanjing.post(document(event, surprise="x"))) == (400, "bad-attribute", "surprise")
    assert refusal(nanjing.post(document(event, type="cn.other.Thing")))[:2] == (400, "unknown-schema")
    assert refusal(nanjing.post(document(event, dataschema=f"sha256:{'0' * 64}")))[:2] == (400, "unreleased-schema")
    assert refusal(nanjing.post(document(event, ipxsignature="ed25519:x")))[1:] == ("bad-signature", "ipxsignature")
    assert refusal(nanjing.post(document(event, ipxsignature="rsa:x")))[1:] == ("unknown-suite", "ipxsignature")
    assert refusal(nanjing.post(document(event, subject="CL-1\nid: x"))) == (400, "bad-attribute", "subject")


def test_content_that_is_not_canonical_or_not_what_was_signed_is_refused(nanjing) -> None:
    event = nanjing.event()
    headers = {f"ce-{name}": text for name, text in event.attributes().items()} | {"ce-specversion": "1.0"}

    def post(body: bytes) -> tuple[int, str]:
        return refusal(nanjing.post(body, AVRO, **headers))[:2]

    assert post(event.body + b"\x00") in ((400, "not-canonical"), (400, "undecodable"))
    assert post(bytes([event.body[0] | 0x80, 0]) + event.body[1:]) == (400, "not-canonical")
    assert post(b"") == (400, "undecodable")
    assert post(b"\xff" * 100) == (400, "undecodable")
    assert post(b"\x00" * 200_000)[0] == 400
    changed = bytearray(event.body)
    changed[3] ^= 1
    assert post(bytes(changed))[0] == 400
    other = nanjing.event(data={**CLUE, "title": "另一件事"})
    assert post(other.body) == (400, "statement-mismatch")
    assert refusal(nanjing.post(document(event, data_base64="A")))[:2] == (422, "bad-field")
    assert refusal(nanjing.post(with_json(event, '{"titel": "x"}')))[:2] == (422, "bad-field")


def test_a_batch_with_one_bad_event_is_refused_whole_and_the_event_is_named(nanjing, exchange) -> None:
    events = [nanjing.event(f"CL-batch-{n}") for n in range(4)]
    documents = [envelope_to_structured(e) for e in events]
    documents[2]["time"] = "yesterday"
    del documents[3]["ipxcause"]
    reply = nanjing.post(json.dumps(documents).encode(), BATCH)

    assert refusal(reply)[:2] == (400, "bad-attribute")
    faults = reply.json()["items"]
    assert [(f["index"], f["code"]) for f in faults] == [(2, "bad-attribute"), (3, "missing-attribute")]
    assert nanjing.publish(events[0], wait=1).status == 202  # nobody answers here; it was not known before either
    assert refusal(nanjing.post(b"[]", BATCH))[:2] == (400, "bad-request")
    assert refusal(nanjing.post(b"{}", BATCH))[:2] == (400, "bad-request")
    assert refusal(nanjing.post(b"[" + b"1," * 10_000 + b"1]", BATCH))[:2] == (413, "too-many-items")


def test_what_is_too_large_is_refused_before_it_is_read_and_memory_stays_flat(nanjing, gateway) -> None:
    nanjing.publish(nanjing.event())
    before_mb = gateway.rss_mb()

    assert refusal(nanjing.post(b" " * (MB + 1)))[:2] == (413, "too-large")
    assert refusal(nanjing.post(b" " * (16 * MB + 1), BATCH))[:2] == (413, "too-large")
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: nanjing.post(b" " * (8 * MB), BATCH).status, range(48)))
    assert set(replies) <= {400, 503}
    assert 400 in replies
    deep = b"[" * (4 * MB)
    assert refusal(nanjing.post(deep, BATCH))[:2] == (400, "bad-json")
    assert gateway.rss_mb() - before_mb < 120


def test_a_body_without_end_is_cut(gateway, nanjing) -> None:
    with _connection(gateway) as raw:
        head = f"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {nanjing.token()}\r\n"
        raw.sendall(f"{head}content-type: {STRUCTURED}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        sent = 0
        try:
            while sent < 32 * MB and not _answered(raw):
                raw.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")
                sent += 65_536
        except OSError:
            pass
        assert sent < 16 * MB  # what the buffers on the way hold is not the gateway's


def test_heads_without_end_and_heads_that_never_come_do_not_hold_the_gateway(gateway, nanjing) -> None:
    before_mb = gateway.rss_mb()
    with _connection(gateway) as raw:
        raw.sendall(b"GET /livez HTTP/1.1\r\n")
        sent = 0
        try:
            while sent < 32 * MB:
                raw.sendall(b"x-filler: " + b"x" * 60_000 + b"\r\n")
                sent += 60_000
        except OSError:
            pass
    assert sent < 16 * MB
    assert gateway.rss_mb() - before_mb < 50
    waiting = [_connection(gateway) for _ in range(50)]
    assert nanjing.gateway.get("/livez").status == 200
    for raw in waiting:
        raw.close()


def test_a_request_that_is_no_request_is_answered_or_closed_and_the_next_one_served(gateway) -> None:
    for bytes_ in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\ncontent-length: -5\r\n\r\n",
    ):
        with _connection(gateway) as raw:
            raw.sendall(bytes_)
            raw.settimeout(15)
            assert raw.recv(100)[:12] in (b"HTTP/1.1 400", b"")
    assert gateway.get("/livez").status == 200


def test_a_query_or_cursor_that_nobody_gave_is_refused(nanjing) -> None:
    for query in ({"wait": "31"}, {"limit": "0"}, {"limit": "x"}, {"after": "zzz"}, {"aftr": "x"}):
        assert nanjing.get("/v1/inbox", query).status == 400
    theirs = base64.urlsafe_b64encode(f"ipx1 {HANGZHOU} 0".encode()).decode().rstrip("=")
    future = base64.urlsafe_b64encode(f"ipx1 {NANJING} 99999999".encode()).decode().rstrip("=")
    for cursor in (theirs, future):
        assert refusal(nanjing.get("/v1/inbox", {"after": cursor})) == (400, "bad-request", "after")
    assert nanjing.get("/v1/events/' or 1=1").status == 404


def test_a_flood_of_events_leaves_memory_flat(nanjing, gateway) -> None:
    """20,000 events of 1.4 kB: what is held of each is gone when it is answered."""
    documents = [envelope_to_structured(nanjing.event(f"CL-flood-{n % 97}")) for n in range(1_000)]
    body = json.dumps(documents).encode()
    for _ in range(5):
        nanjing.post(body, BATCH)
    before_mb = gateway.rss_mb()
    taken = 0
    while taken < 20_000:
        reply = nanjing.post(body, BATCH)
        if reply.status == 202:
            taken += 1_000
        else:
            assert (reply.status, reply.headers["retry-after"]) == (429, "1"), "a debt of 1,000 at 2,000 a second"
            time.sleep(
                1
            )  # as it asks: there is nothing to wait for but its bucket, and who asks earlier is refused again
    assert gateway.rss_mb() - before_mb < 60


def _connection(gateway: RunningGateway) -> socket.socket:
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _answered(raw: socket.socket) -> bool:
    raw.setblocking(False)
    try:
        return bool(raw.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        raw.setblocking(True)
