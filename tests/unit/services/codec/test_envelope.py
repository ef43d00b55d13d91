"""The envelope: what goes into a Kafka record comes out of it, and what comes from outside is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.content import NOTHING_RESTRICTED, format_disclosure, redact
from services.codec.envelope import (
    MAX_HEADER_BYTES,
    Envelope,
    check_content,
    envelope_from_attributes,
    envelope_from_record,
    frame,
    open_content,
    prepare,
    seal,
    seal_batch,
    unframe,
)
from services.codec.schema import MAX_BODY_BYTES
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import format_statement
from services.kernel.errors import Refused
from services.kernel.ports import CountedEntropy
from tests.unit.services.codec.samples import SCHEMA, VALUE, draft, sealed, signer

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ENVELOPE = sealed()
FULL = replace(ENVELOPE, trace=TRACE, entry="ipx-event/v1\n…", delivery="320100.police ipx.clues/3 7", outcome="x")


def refusal(call: Any) -> tuple[str, str | None]:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.code, caught.value.field


@pytest.mark.parametrize("envelope", [ENVELOPE, FULL])
def test_a_record_gives_the_envelope_back(envelope: Envelope) -> None:
    assert envelope_from_record(envelope.headers(), frame(7, envelope.body)) == (7, envelope)
    assert envelope_from_attributes(envelope.attributes(), envelope.body) == envelope


def test_the_headers_are_those_of_the_format() -> None:
    names = [name for name, _ in ENVELOPE.headers()]
    assert names == [
        "ce_specversion",
        "ce_datacontenttype",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_subject",
        "ce_time",
        "ce_ipxagreement",
        "ce_ipxaddressee",
        "ce_ipxcause",
        "ce_dataschema",
        "ce_ipxcontent",
        "ce_ipxsignature",
        "ce_ipxsalts",
    ]


def test_a_sealed_event_is_signed_and_its_content_is_what_it_says() -> None:
    assert check_content(SCHEMA, ENVELOPE) == VALUE
    signature = parse_signature(ENVELOPE.signature)
    assert verify(format_statement(ENVELOPE.statement), signature, signer().public.data, RootCache())


def test_a_batch_rests_on_one_signature() -> None:
    envelopes = seal_batch([(SCHEMA, VALUE, draft(n)) for n in range(1, 6)], signer(), CountedEntropy())
    signatures = [parse_signature(envelope.signature) for envelope in envelopes]
    assert len({signature.value for signature in signatures}) == 1
    for envelope, signature in zip(envelopes, signatures, strict=True):
        assert verify(format_statement(envelope.statement), signature, signer().public.data, RootCache())
        assert check_content(SCHEMA, envelope) == VALUE


def test_a_redacted_copy_passes_the_same_check() -> None:
    content = open_content(SCHEMA, ENVELOPE)
    shown, parts, disclosure = redact(SCHEMA, content.value, content.parts, content.disclosure, {"phone"})
    copy = replace(ENVELOPE, body=b"".join(parts), salts=format_disclosure(SCHEMA, disclosure))
    assert check_content(SCHEMA, copy) == shown == {**VALUE, "phone": None}


@pytest.mark.parametrize("change", [{"title": "x"}, {"phone": "13900000000"}, {"phone": None}])
def test_content_that_the_statement_does_not_commit_to_is_refused(change: dict[str, Any]) -> None:
    forged = replace(ENVELOPE, body=SCHEMA.encode({**VALUE, **change}))
    assert refusal(lambda: check_content(SCHEMA, forged)) == ("statement-mismatch", "ipxcontent")


@pytest.mark.parametrize("change", [{"type": "cn.ipx.clue.OtherSeen"}, {"schema": "sha256:" + "0" * 64}])
def test_content_of_another_schema_than_the_statement_says_is_refused(change: dict[str, str]) -> None:
    forged = replace(ENVELOPE, statement=replace(ENVELOPE.statement, **change))
    assert refusal(lambda: check_content(SCHEMA, forged))[0] == "statement-mismatch"


@pytest.mark.parametrize("value", [None, b"", b"\x00\x00\x00\x00", b"\x01\x00\x00\x00\x07x"])
def test_a_value_without_the_frame_is_undecodable(value: bytes | None) -> None:
    assert refusal(lambda: unframe(value)) == ("undecodable", None)
    assert refusal(lambda: envelope_from_record(ENVELOPE.headers(), value)) == ("undecodable", None)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=20))
def test_a_frame_gives_id_and_body_back(schema_id: int, body: bytes) -> None:
    assert unframe(frame(schema_id, body)) == (schema_id, body)


@pytest.mark.parametrize(
    "name", [name for name, _ in ENVELOPE.headers() if name not in ("ce_specversion", "ce_datacontenttype")]
)
def test_a_missing_attribute_is_named(name: str) -> None:
    headers = [(key, data) for key, data in ENVELOPE.headers() if key != name]
    assert refusal(lambda: envelope_from_record(headers, frame(7, b""))) == ("missing-attribute", name[3:])


@pytest.mark.parametrize("name", ["specversion", "datacontenttype"])
@pytest.mark.parametrize("data", [None, b"0.3", b"application/json", b""])
def test_another_version_or_content_type_is_refused(name: str, data: bytes | None) -> None:
    headers = [(key, held) for key, held in ENVELOPE.headers() if key != f"ce_{name}"]
    headers += [] if data is None else [(f"ce_{name}", data)]
    assert refusal(lambda: envelope_from_record(headers, frame(7, b""))) == ("bad-attribute", name)


@pytest.mark.parametrize(
    "extra", [("ce_id", b"again"), ("ce_id", b"\xff"), ("ce_x", b"\xc0\x80"), ("ce_x", b"\xed\xa0\x80"), ("ce_x", None)]
)
def test_headers_that_are_no_text_or_stand_twice_are_undecodable(extra: Any) -> None:
    headers = [*ENVELOPE.headers(), extra]
    assert refusal(lambda: envelope_from_record(headers, frame(7, b"")))[0] == "undecodable"


def test_headers_past_the_cap_are_refused() -> None:
    headers = [*ENVELOPE.headers(), ("other", b"x" * MAX_HEADER_BYTES)]
    assert refusal(lambda: envelope_from_record(headers, frame(7, b"")))[0] == "too-large"


def test_no_headers_at_all_are_refused() -> None:
    for headers in (None, []):
        assert refusal(lambda headers=headers: envelope_from_record(headers, frame(7, b"")))[0] == "bad-attribute"


def test_headers_of_others_are_not_read() -> None:
    headers = [*ENVELOPE.headers(), ("x-other", b"\xff"), ("id", b"y")]
    assert envelope_from_record(headers, frame(7, ENVELOPE.body)) == (7, ENVELOPE)


@pytest.mark.parametrize(
    "trace",
    ["", "x", TRACE.upper(), TRACE.replace("00-", "ff-", 1), "00-" + "0" * 32 + TRACE[35:], TRACE + "-x", "\ud800"],
)
def test_a_foreign_trace_context_is_dropped(trace: str) -> None:
    attributes = {**ENVELOPE.attributes(), "traceparent": trace}
    assert envelope_from_attributes(attributes, ENVELOPE.body).trace is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({**VALUE, "title": "x" * MAX_BODY_BYTES}, "too-large"),
        ({**VALUE, "classes": [1] * 10_001}, "too-many-items"),
        ({**VALUE, "count": 1.5}, "bad-field"),
    ],
)
def test_nothing_is_signed_that_admission_would_not_take(value: dict[str, Any], code: str) -> None:
    assert refusal(lambda: seal(SCHEMA, value, draft(), signer(), CountedEntropy()))[0] == code


def test_a_bad_draft_is_refused_by_its_line() -> None:
    assert refusal(lambda: sealed(subject="线索")) == ("bad-attribute", "subject")


def test_a_schema_with_restricted_fields_needs_a_disclosure() -> None:
    assert refusal(lambda: prepare(SCHEMA, VALUE, draft(), NOTHING_RESTRICTED))[0] == "bad-disclosure"
