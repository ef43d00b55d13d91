"""CloudEvents over HTTP in every mode, and requests that are refused at the door."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.cloudevents import (
    MAX_BATCH_EVENTS,
    Mode,
    envelope_from_structured,
    envelope_to_structured,
    mode_of,
    parse_batch,
    parse_request,
)
from services.codec.envelope import MAX_HEADER_BYTES, Envelope, check_content
from services.codec.json_form import json_form
from services.kernel.errors import Refused
from tests.unit.services.codec.samples import SCHEMA, VALUE, mutated, released, sealed

ENVELOPE = sealed()
RELEASED = released()
DATA = json_form(SCHEMA).write(VALUE)
ATTRIBUTES = {"specversion": "1.0", **ENVELOPE.attributes()}
WITH_DATA = {**ATTRIBUTES, "datacontenttype": "application/json", "data": DATA}
WITH_AVRO = envelope_to_structured(ENVELOPE)
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MOST = 4 << 20


def ask(content_type: str | None, body: Any, *headers: tuple[str, str]) -> list[Envelope]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = [(name.encode(), value.encode()) for name, value in headers]
    if content_type is not None:
        found.append((b"content-type", content_type.encode("latin-1")))
    return parse_request(found, data, RELEASED, most_bytes=MOST)


def refusal(*arguments: Any) -> tuple[str, str | None]:
    with pytest.raises(Refused) as caught:
        ask(*arguments)
    return caught.value.code, caught.value.field


def binary(**changes: str | None) -> list[tuple[str, str]]:
    return [(f"ce-{name}", held) for name, held in {**ATTRIBUTES, **changes}.items() if held is not None]


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: held for name, held in document.items() if name not in names}


def test_every_mode_gives_the_envelope_that_was_sent() -> None:
    assert ask("application/avro", ENVELOPE.body, *binary()) == [ENVELOPE]
    assert ask("application/json", DATA, *binary()) == [ENVELOPE]
    assert ask("application/json; charset=UTF-8", DATA, *binary()) == [ENVELOPE]
    assert ask(STRUCTURED, WITH_DATA) == [ENVELOPE]
    assert ask(STRUCTURED, without(WITH_DATA, "datacontenttype")) == [ENVELOPE]
    assert ask(STRUCTURED, WITH_AVRO) == [ENVELOPE]
    assert ask(STRUCTURED, {**WITH_AVRO, "data": None, "traceparent": None, "tracestate": "a=b"}) == [ENVELOPE]
    assert ask(BATCH, [WITH_DATA, WITH_AVRO, WITH_DATA]) == [ENVELOPE] * 3


def test_the_content_of_a_json_event_is_what_its_statement_commits_to() -> None:
    (envelope,) = ask(STRUCTURED, WITH_DATA)
    assert check_content(SCHEMA, envelope) == VALUE
    (forged,) = ask(STRUCTURED, {**WITH_DATA, "data": {**DATA, "title": "x"}})
    with pytest.raises(Refused) as caught:
        check_content(SCHEMA, forged)
    assert caught.value.code == "statement-mismatch"


def test_a_trace_context_travels_and_a_foreign_one_is_dropped() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert ask(STRUCTURED, {**WITH_AVRO, "traceparent": trace}) == [replace(ENVELOPE, trace=trace)]
    assert ask(STRUCTURED, {**WITH_AVRO, "traceparent": "x"}) == [ENVELOPE]


@pytest.mark.parametrize(
    ("content_type", "mode"),
    [
        ("application/avro", Mode.BINARY_AVRO),
        ("Application/JSON ; Charset=utf-8", Mode.BINARY_JSON),
        ('application/cloudevents+json;charset="utf-8"', Mode.STRUCTURED),
        (BATCH, Mode.BATCH),
    ],
)
def test_the_content_type_decides_the_mode(content_type: str, mode: Mode) -> None:
    assert mode_of(content_type) is mode


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/xml",
        "application/cloudevents+avro",
        "application/cloudevents",
        "application/json; charset=gbk",
        "application/json; charset=utf-8; x=y",
        "application/json;",
        "avro/binary",
        "application/json, application/avro",
    ],
)
def test_another_content_type_is_refused(content_type: str | None) -> None:
    assert refusal(content_type, DATA, *binary()) == ("bad-content-type", "content-type")


def test_two_content_types_are_refused() -> None:
    assert refusal(STRUCTURED, WITH_DATA, ("content-type", BATCH)) == ("bad-content-type", "content-type")


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_a_missing_attribute_is_named_in_every_mode(name: str) -> None:
    for answer in (
        refusal("application/avro", ENVELOPE.body, *binary(**{name: None})),
        refusal("application/json", DATA, *binary(**{name: None})),
        refusal(STRUCTURED, without(WITH_AVRO, name)),
    ):
        assert answer[0] in ("missing-attribute", "statement-mismatch")
        assert answer[1] == name
    code, field = refusal(BATCH, [WITH_DATA, without(WITH_DATA, name)])
    assert code in ("missing-attribute", "statement-mismatch")
    assert field == f"[1].{name}"


@pytest.mark.parametrize("name", ["ipxentry", "ipxdelivery", "ipxoutcome", "ipxsalt", "partitionkey", "ID", "x\ud800"])
def test_an_attribute_that_nobody_reads_or_only_the_exchange_writes_is_refused(name: str) -> None:
    assert refusal(STRUCTURED, {**WITH_AVRO, name: "x"}) == ("bad-attribute", name)
    if name.isascii():
        assert refusal("application/avro", ENVELOPE.body, *binary(), (f"ce-{name}", "x")) == ("bad-attribute", name)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"specversion": "0.3"}, "bad-attribute", "specversion"),
        ({"time": 1_790_000_000_123}, "bad-attribute", "time"),
        ({"id": ["x"]}, "bad-attribute", "id"),
        ({"subject": "线索"}, "bad-attribute", "subject"),
        ({"ipxsalts": "half \ud800"}, "bad-attribute", "ipxsalts"),
        ({"ipxsalts": "x" * (MAX_HEADER_BYTES + 1)}, "too-large", None),
        ({"datacontenttype": "application/avro"}, "bad-content-type", "datacontenttype"),
        ({"datacontenttype": "application/xml"}, "bad-content-type", "datacontenttype"),
        ({"data_base64": "AA=="}, "missing-attribute", "data"),
        ({"data": None}, "missing-attribute", "data"),
        ({"data": "x"}, "bad-field", "data"),
        ({"data": {**DATA, "rights": []}}, "bad-field", "rights"),
        ({"data": {**DATA, "count": 2**31}}, "bad-number", "count"),
        ({"data": {**DATA, "classes": [1] * 10_001}}, "too-many-items", None),
        ({"data": {**DATA, "title": "x" * 300_000}}, "too-large", None),
        ({"dataschema": "sha256:" + "0" * 64}, "unreleased-schema", "schema"),
        ({"dataschema": "https://example.org/x.avsc"}, "unreleased-schema", "schema"),
        ({"type": "cn.ipx.clue.OtherSeen"}, "statement-mismatch", "type"),
    ],
)
def test_a_structured_event_that_does_not_fit_is_refused(change: dict[str, Any], code: str, field: str | None) -> None:
    assert refusal(STRUCTURED, {**WITH_DATA, **change}) == (code, field)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"data_base64": "A"}, "bad-field"),
        ({"data_base64": "AAA="[::-1]}, "bad-field"),
        ({"data_base64": "AB=="}, "bad-field"),
        ({"data_base64": "AA==\n"}, "bad-field"),
        ({"data_base64": "图"}, "bad-field"),
        ({"data_base64": 7}, "bad-field"),
        ({"datacontenttype": "application/json"}, "bad-content-type"),
        ({"datacontenttype": None}, "bad-content-type"),
    ],
)
def test_bytes_in_json_have_one_spelling_and_one_type(change: dict[str, Any], code: str) -> None:
    assert refusal(STRUCTURED, {**WITH_AVRO, **change})[0] == code
    with pytest.raises(Refused) as caught:
        envelope_from_structured({**WITH_AVRO, **change})
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("content_type", "body", "code"),
    [
        (STRUCTURED, b"", "bad-json"),
        (STRUCTURED, b"[]", "bad-request"),
        (STRUCTURED, b"NaN", "bad-number"),
        (STRUCTURED, b'{"id": "x", "id": "y"}', "duplicate-key"),
        (STRUCTURED, b"[" * 100_000, "bad-json"),
        (STRUCTURED, b'{"data":' * 100_000, "bad-json"),
        (STRUCTURED, b" " * (MOST + 1), "too-large"),
        (BATCH, b"{}", "bad-request"),
        (BATCH, b"[]", "bad-request"),
        (BATCH, b"[" + b"0," * MAX_BATCH_EVENTS + b"0]", "too-many-items"),
        (BATCH, b"[7]", "bad-request"),
        (BATCH, b" " * (MOST + 1), "too-large"),
    ],
)
def test_bodies_that_are_no_events_are_refused(content_type: str, body: bytes, code: str) -> None:
    assert refusal(content_type, body)[0] == code


@pytest.mark.parametrize(
    ("body", "code"), [(b"\xff", "bad-json"), (b'{"count": NaN}', "bad-number"), (b" " * (MOST + 1), "too-large")]
)
def test_binary_bodies_that_do_not_fit_are_refused(body: bytes, code: str) -> None:
    assert refusal("application/json", body, *binary())[0] == code


def test_an_avro_body_past_the_cap_is_refused() -> None:
    assert refusal("application/avro", bytes(MOST + 1), *binary())[0] == "too-large"


def test_a_header_that_stands_twice_is_refused() -> None:
    assert refusal("application/avro", ENVELOPE.body, *binary(), ("ce-id", "x")) == ("bad-attribute", "id")


def test_the_content_type_is_said_once_in_binary_mode() -> None:
    answer = refusal("application/avro", ENVELOPE.body, *binary(), ("ce-datacontenttype", "application/avro"))
    assert answer == ("bad-attribute", "datacontenttype")


def test_header_values_are_unescaped_as_the_binding_says() -> None:
    escaped = [(name, "".join(f"%{byte:02x}" for byte in value.encode())) for name, value in binary()]
    assert ask("application/avro", ENVELOPE.body, *escaped) == [ENVELOPE]
    quoted = [(name, ' "' + value.replace("1", "\\1") + '" ') for name, value in binary()]
    assert ask("application/avro", ENVELOPE.body, *quoted) == [ENVELOPE]
    assert refusal("application/avro", ENVELOPE.body, *binary(subject="%ff")) == ("bad-attribute", "subject")


def test_every_bad_event_of_a_batch_is_named() -> None:
    items = parse_batch(
        json.dumps([WITH_AVRO, {**WITH_DATA, "data": {}}, 7, WITH_DATA]).encode(), RELEASED, most_bytes=MOST
    )
    assert [item for item in items if isinstance(item, Envelope)] == [ENVELOPE, ENVELOPE]
    refused = [(item.code, item.field) for item in items if isinstance(item, Refused)]
    assert refused == [("bad-field", "[1].title"), ("bad-request", "[2]")]


@pytest.mark.parametrize(
    "envelope",
    [
        ENVELOPE,
        replace(ENVELOPE, entry="ipx-event/v1\n", delivery="320100.police ipx.clues/3 7", body=b""),
        replace(ENVELOPE, outcome="320100.police ipx.clues.in/3 7"),
    ],
)
def test_what_an_inbox_hands_out_is_read_back(envelope: Envelope) -> None:
    document = json.loads(json.dumps(envelope_to_structured(envelope)))
    assert envelope_from_structured(document) == envelope
    assert base64.b64decode(document["data_base64"]) == envelope.body


@pytest.mark.parametrize("name", ["ipxentry", "ipxdelivery", "ipxoutcome", "traceparent", "id"])
def test_half_a_surrogate_pair_reaches_nobody_who_encodes(name: str) -> None:
    with pytest.raises(Refused) as caught:
        envelope_from_structured({**WITH_AVRO, name: "\ud800"})
    assert (caught.value.code, caught.value.field) == ("bad-attribute", name)


@pytest.mark.parametrize("document", [None, [], {}, WITH_DATA, without(WITH_AVRO, "id"), {**WITH_AVRO, "x": "y"}])
def test_what_an_inbox_does_not_hand_out_is_refused(document: Any) -> None:
    with pytest.raises(Refused):
        envelope_from_structured(document)


CODES = {
    "bad-json",
    "bad-request",
    "bad-attribute",
    "missing-attribute",
    "bad-content-type",
    "bad-field",
    "bad-number",
    "duplicate-key",
    "unreleased-schema",
    "statement-mismatch",
}


@given(mutated(json.dumps(WITH_DATA, ensure_ascii=False).encode()) | mutated(json.dumps([WITH_AVRO]).encode()))
@settings(max_examples=80, deadline=None)
def test_nothing_but_a_refusal_comes_out_of_a_damaged_request(data: bytes) -> None:
    for content_type in (STRUCTURED, BATCH):
        try:
            ask(content_type, data)
        except Refused as refused:
            if refused.code not in CODES:
                raise


@given(st.lists(st.tuples(st.sampled_from([name for name, _ in binary()]), st.binary(max_size=30)), max_size=20))
@settings(max_examples=150, deadline=None)
def test_nothing_but_a_refusal_comes_out_of_foreign_headers(headers: list[tuple[str, bytes]]) -> None:
    found = [*((name.encode(), value) for name, value in headers), (b"content-type", b"application/avro")]
    try:
        parse_request(found, ENVELOPE.body, RELEASED, most_bytes=MOST)
    except Refused as refused:
        if refused.code not in CODES:
            raise
