"""The content commitment: redaction keeps it, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.content import (
    NOTHING_RESTRICTED,
    Disclosure,
    commitment,
    content_digest,
    field_digest,
    format_disclosure,
    new_disclosure,
    parse_disclosure,
    redact,
    withhold,
)
from services.codec.schema import EventSchema
from services.kernel.errors import Refused
from services.kernel.ports import CountedEntropy
from tests.unit.services.codec.samples import SCHEMA, VALUE, events, mutated, taken

DISCLOSURE = new_disclosure(SCHEMA, CountedEntropy())
PARTS = SCHEMA.encode_parts(VALUE)
COMMITMENT = content_digest(SCHEMA, PARTS, DISCLOSURE)


def digest_of(value: dict[str, Any], disclosure: Disclosure = DISCLOSURE) -> bytes:
    return content_digest(SCHEMA, SCHEMA.encode_parts(value), disclosure)


def test_the_commitment_is_what_the_format_says() -> None:
    sha = hashlib.sha256
    opened = sha(b"ipx-open/v1\n" + PARTS[0] + PARTS[2]).digest()
    fields = [
        sha(b"ipx-field/v1\n" + DISCLOSURE.salts[name] + PARTS[position]).digest()
        for name, position in (("reporter", 1), ("accuser", 3), ("phone", 4))
    ]
    assert sha(b"ipx-content/v1\n" + SCHEMA.digest + opened + b"".join(fields)).digest() == COMMITMENT


@given(st.sets(st.sampled_from(SCHEMA.restricted)), st.sets(st.sampled_from(SCHEMA.restricted)))
def test_any_redaction_keeps_the_commitment_also_a_second_one(first: set[str], second: set[str]) -> None:
    value, parts, disclosure = redact(SCHEMA, VALUE, PARTS, DISCLOSURE, first)
    value, parts, disclosure = redact(SCHEMA, value, parts, disclosure, second)
    assert content_digest(SCHEMA, parts, disclosure) == COMMITMENT
    body = b"".join(parts)
    assert SCHEMA.encode(value) == body
    assert SCHEMA.decode_parts(body) == (value, parts)
    hidden = first | second
    assert {name for name in SCHEMA.restricted if value[name] is None} == hidden
    assert set(disclosure.digests) == hidden
    line = format_disclosure(SCHEMA, disclosure)
    assert digest_of(SCHEMA.decode(body), parse_disclosure(SCHEMA, line)) == COMMITMENT


@given(events(), st.data())
@settings(max_examples=150, deadline=None)
def test_redaction_keeps_the_commitment_for_any_schema_value_and_subset(
    event: tuple[EventSchema, dict[str, Any]], data: st.DataObject
) -> None:
    schema, value = event
    disclosure = new_disclosure(schema, CountedEntropy())
    parts = schema.encode_parts(value)
    names = st.sampled_from(schema.restricted) if schema.restricted else st.nothing()
    withheld = data.draw(st.sets(names))
    shown, redacted, line = redact(schema, value, parts, disclosure, withheld)
    assert content_digest(schema, redacted, line) == content_digest(schema, parts, disclosure)
    assert schema.encode(shown) == b"".join(redacted)
    assert parse_disclosure(schema, format_disclosure(schema, line)) == line


@pytest.mark.parametrize(
    "change",
    [
        {"title": "网店销售假冒商标商品。"},
        {"seen_on": None},
        {"suspects": []},
        {"urgent": False},
        {"count": 313},
        {"reporter": "李某", "accuser": {"name": "王某", "uscc": None}},
        {"phone": None},
        {"reporter": "13800000000", "phone": "王某"},
    ],
)
def test_a_changed_field_changes_the_commitment(change: dict[str, Any]) -> None:
    assert digest_of({**VALUE, **change}) != COMMITMENT


def test_restricted_fields_swapped_with_their_salts_change_the_commitment() -> None:
    salts = {**DISCLOSURE.salts, "reporter": DISCLOSURE.salts["phone"], "phone": DISCLOSURE.salts["reporter"]}
    swapped = {**VALUE, "reporter": VALUE["phone"], "phone": VALUE["reporter"]}
    assert digest_of(swapped, replace(DISCLOSURE, salts=salts)) != COMMITMENT


def test_digests_swapped_change_the_commitment() -> None:
    _, parts, hidden = redact(SCHEMA, VALUE, PARTS, DISCLOSURE, {"reporter", "phone"})
    digests = {"reporter": hidden.digests["phone"], "phone": hidden.digests["reporter"]}
    assert content_digest(SCHEMA, parts, replace(hidden, digests=digests)) != COMMITMENT


def test_a_guessed_salt_does_not_fit() -> None:
    assert digest_of(VALUE, replace(DISCLOSURE, salts={**DISCLOSURE.salts, "phone": bytes(16)})) != COMMITMENT


def test_a_withheld_value_cannot_be_tried_without_its_salt() -> None:
    _, _, hidden = redact(SCHEMA, VALUE, PARTS, DISCLOSURE, {"phone"})
    guesses = {hashlib.sha256(PARTS[4]).digest(), hashlib.sha256(b"ipx-field/v1\n" + PARTS[4]).digest()}
    assert hidden.digests["phone"] not in guesses
    assert hidden.digests["phone"] == field_digest(DISCLOSURE.salts["phone"], PARTS[4])


def test_the_same_value_in_two_events_has_two_digests() -> None:
    entropy = CountedEntropy()
    first, second = (new_disclosure(SCHEMA, entropy) for _ in range(2))
    salts = [*first.salts.values(), *second.salts.values()]
    assert len(set(salts)) == 6
    assert all(len(salt) == 16 for salt in salts)


def test_a_withheld_field_must_be_null() -> None:
    _, _, hidden = redact(SCHEMA, VALUE, PARTS, DISCLOSURE, {"phone"})
    with pytest.raises(Refused) as caught:
        content_digest(SCHEMA, PARTS, hidden)
    assert (caught.value.code, caught.value.field) == ("bad-disclosure", "phone")


def test_a_restricted_field_without_salt_and_digest_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        content_digest(SCHEMA, PARTS, NOTHING_RESTRICTED)
    assert (caught.value.code, caught.value.field) == ("bad-disclosure", "reporter")


def test_what_is_not_restricted_cannot_be_withheld() -> None:
    for name in ("title", "suspects", "nothing"):
        with pytest.raises(Refused) as caught:
            redact(SCHEMA, VALUE, PARTS, DISCLOSURE, {"phone", name})
        assert caught.value.code == "bad-disclosure"


LINE = format_disclosure(SCHEMA, redact(SCHEMA, VALUE, PARTS, DISCLOSURE, {"accuser"})[2])


@given(mutated(LINE.encode()) | st.binary(max_size=300))
@settings(max_examples=200)
def test_a_disclosure_line_is_read_only_if_it_is_what_would_be_written(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    read = taken(lambda line: parse_disclosure(SCHEMA, line), text, "bad-disclosure")
    assert read is None or format_disclosure(SCHEMA, read) == text


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line + ",",
        lambda line: line.replace("s:", "d:", 1),
        lambda line: line.replace("d:", "s:", 1),
        lambda line: ",".join(reversed(line.split(","))),
        lambda line: ",".join([*line.split(",")[:2], line.split(",")[0]]),
        lambda line: line.replace("==", "=", 1),
        lambda line: line.replace("==", "", 1),
        lambda line: line.replace("Q==", "R==", 1),
        lambda line: line.upper(),
        lambda line: line.replace(",", "", 1),
        lambda line: line + "\n",
        lambda line: "-",
        lambda line: "",
        lambda line: line * 100_000,
    ],
)
def test_lines_that_nearly_fit_are_refused(change: Any) -> None:
    changed = change(LINE)
    assert changed != LINE
    with pytest.raises(Refused):
        parse_disclosure(SCHEMA, changed)


def test_a_digest_with_trailing_bits_set_is_refused() -> None:
    head, _, tail = LINE.partition("=,phone")
    twin = f"{head[:-1]}{chr(ord(head[-1]) + 1)}=,phone{tail}"
    assert base64.b64decode(twin.split(",")[1][10:]) == base64.b64decode(LINE.split(",")[1][10:])
    with pytest.raises(Refused):
        parse_disclosure(SCHEMA, twin)


def test_a_schema_without_restricted_fields_has_a_dash() -> None:
    bare = replace(SCHEMA, restricted=())
    assert new_disclosure(bare, CountedEntropy()) is NOTHING_RESTRICTED
    assert format_disclosure(bare, NOTHING_RESTRICTED) == "-"
    assert parse_disclosure(bare, "-") is NOTHING_RESTRICTED
    with pytest.raises(Refused):
        parse_disclosure(bare, "")


@given(events(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_copy_made_from_the_line_is_the_copy_that_redaction_makes(
    event: tuple[EventSchema, dict[str, Any]], data: st.DataObject
) -> None:
    schema, value = event
    parts = schema.encode_parts(value)
    disclosure = new_disclosure(schema, CountedEntropy())
    withheld = data.draw(st.sets(st.sampled_from(schema.restricted))) if schema.restricted else set()
    content, digests = commitment(schema, parts, disclosure)
    assert content == content_digest(schema, parts, disclosure)
    _, redacted, rest = redact(schema, value, parts, disclosure, withheld)
    expected = (b"".join(redacted), format_disclosure(schema, rest))
    assert withhold(schema, parts, format_disclosure(schema, disclosure), digests, withheld) == expected


def test_a_copy_leaves_out_only_what_is_restricted() -> None:
    _, digests = commitment(SCHEMA, PARTS, DISCLOSURE)
    with pytest.raises(Refused) as refused:
        withhold(SCHEMA, PARTS, format_disclosure(SCHEMA, DISCLOSURE), digests, {"title"})
    assert refused.value.code == "bad-disclosure"
