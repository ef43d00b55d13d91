from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.admission.check import Door, check
from services.admission.proposal import Proposed
from services.codec.content import commitment, parse_disclosure, withhold
from services.codec.envelope import frame
from services.codec.statement import format_statement
from services.kernel.errors import Refused
from tests.unit.services.admission.desk import CLUES, IDS, FakeSchemas, checked, proposed, sealed
from tests.unit.services.members.town import clue

GOOD = sealed()
CLUE = GOOD.statement.type


def code(record: Proposed, door: Door = CLUES) -> tuple[str, str | None]:
    with pytest.raises(Refused) as refused:
        check(record, door, FakeSchemas())
    return refused.value.code, refused.value.field


def test_a_good_proposal_comes_through_with_all_that_the_later_steps_need() -> None:
    found = checked(GOOD)
    assert found.statement == GOOD.statement
    assert found.text == format_statement(GOOD.statement)
    assert found.digest == hashlib.sha256(found.text).digest()
    assert found.time_ms == GOOD.statement.time_ms
    assert (found.signature, found.body, found.salts) == (GOOD.signature, GOOD.body, GOOD.salts)
    assert found.value["reporter_phone"] == "13900000000"
    assert b"".join(found.parts) == GOOD.body
    assert len(found.digests) == len(found.schema.restricted)


def statement(**changes: str) -> Callable[[], Proposed]:
    return lambda: proposed(replace(GOOD, statement=replace(GOOD.statement, **changes)))


def record(**changes: object) -> Callable[[], Proposed]:
    return lambda: proposed(GOOD, **changes)


def envelope(**changes: object) -> Callable[[], Proposed]:
    return lambda: proposed(replace(GOOD, **changes))


def headers(change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]) -> Callable[[], Proposed]:
    return lambda: proposed(GOOD, headers=change(GOOD.headers()))


CASES: dict[str, tuple[Callable[[], Proposed], tuple[str, str | None]]] = {
    "no value": (record(value=None), ("undecodable", None)),
    "no frame": (record(value=b"\x01\x00\x00\x00\x01"), ("undecodable", None)),
    "no avro": (record(value=frame(IDS[CLUE], b"\xff" * 30)), ("undecodable", None)),
    "bytes after the body": (record(value=frame(IDS[CLUE], GOOD.body + b"\x00")), ("not-canonical", None)),
    "a header twice": (headers(lambda h: [*h, h[2]]), ("undecodable", None)),
    "a header that is no text": (headers(lambda h: [*h, ("ce_traceparent", b"\xff")]), ("undecodable", None)),
    "a header that is nothing": (headers(lambda h: [*h, ("ce_x", None)]), ("undecodable", None)),  # type: ignore[list-item]
    "huge headers": (headers(lambda h: [*h, ("x", b"x" * 70_000)]), ("too-large", None)),
    "an attribute missing": (
        headers(lambda h: [x for x in h if x[0] != "ce_ipxcause"]),
        ("missing-attribute", "ipxcause"),
    ),
    "another version": (headers(lambda h: [("ce_specversion", b"2.0"), *h[1:]]), ("bad-attribute", "specversion")),
    "a schema that nobody knows": (record(value=frame(999, GOOD.body)), ("unknown-schema", None)),
    "the schema of another type": (
        record(value=frame(IDS["cn.ipx.clue.ClueFiled"], GOOD.body)),
        ("statement-mismatch", "type"),
    ),
    "another schema digest": (statement(schema="sha256:" + "0" * 64), ("statement-mismatch", "dataschema")),
    "another content digest": (statement(content="sha256:" + "0" * 64), ("statement-mismatch", "ipxcontent")),
    "the body of another event": (
        envelope(body=sealed(clue(title="另一条")).body),
        ("statement-mismatch", "ipxcontent"),
    ),
    "the salts of another event": (envelope(salts=sealed(number=3).salts), ("statement-mismatch", "ipxcontent")),
    "no salts": (envelope(salts="-"), ("bad-disclosure", "ipxsalts")),
    "an id that is none": (statement(id="x"), ("bad-attribute", "id")),
    "a day that is none": (statement(time="2026-02-30T00:00:00.000Z"), ("bad-attribute", "time")),
    "an entry": (envelope(entry="x"), ("bad-attribute", "ipxentry")),
    "a delivery": (envelope(delivery="x"), ("bad-attribute", "ipxdelivery")),
    "an outcome": (envelope(outcome="x"), ("bad-attribute", "ipxoutcome")),
    "another key": (record(key=b"other"), ("bad-attribute", "subject")),
    "no key": (record(key=None), ("bad-attribute", "subject")),
    "another partition": (record(partition=9), ("bad-attribute", "subject")),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_refused_by_its_code(name: str) -> None:
    make, expected = CASES[name]
    assert code(make()) == expected


def test_a_family_is_taken_by_its_own_topic_only() -> None:
    assert code(proposed(GOOD), Door("receipts", 4)) == ("bad-attribute", "type")


def test_a_field_that_the_source_withholds_from_the_exchange_is_refused() -> None:
    found = checked(GOOD)
    _, digests = commitment(found.schema, found.parts, parse_disclosure(found.schema, GOOD.salts))
    body, line = withhold(found.schema, found.parts, GOOD.salts, digests, {"reporter"})
    assert code(proposed(replace(GOOD, body=body, salts=line))) == ("bad-disclosure", "ipxsalts")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_the_bytes_are_a_proposal_is_checked_or_refused(data: st.DataObject) -> None:
    good = proposed(GOOD)
    assert good.value is not None
    value = bytearray(good.value)
    for _ in range(data.draw(st.integers(0, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    fields = list(good.headers)
    at = data.draw(st.integers(0, len(fields) - 1))
    fields[at] = (fields[at][0], data.draw(st.one_of(st.just(fields[at][1]), st.binary(max_size=300))))
    cut = data.draw(st.integers(0, len(value)))
    changed = bytes(value) if data.draw(st.booleans()) else bytes(value[:cut])
    given = good._replace(value=changed, headers=fields, key=data.draw(st.one_of(st.just(good.key), st.binary())))
    try:
        found = check(given, CLUES, FakeSchemas())
    except Refused:
        return
    assert found.text == format_statement(found.statement)
    assert found.proposed.value == good.value, "another body under the same commitment"
