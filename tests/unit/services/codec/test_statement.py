"""The statement: parser and formatter are inverses, and no other bytes are a statement."""

from __future__ import annotations

import re
import time
from dataclasses import fields, replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.statement import MAX_STATEMENT_BYTES, Statement, format_statement, parse_statement
from services.kernel.errors import Refused
from tests.unit.services.codec.samples import mutated, sealed, taken

STATEMENT = sealed().statement
BYTES = format_statement(STATEMENT)

ORGAN = st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True)
DIGITS = st.integers(0, 999_999).map(lambda n: f"{n:06d}")
PARTICIPANTS = (
    st.builds(lambda place, organ: f"{place}.{organ}", DIGITS, ORGAN)
    | st.integers(0, 9999).map(lambda n: f"customs.{n:04d}")
    | ORGAN.map(lambda organ: f"exchange.{organ}")
)
IDS = st.from_regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", fullmatch=True)
HEX = st.binary(min_size=32, max_size=32).map(lambda data: f"sha256:{data.hex()}")
FIRST, LAST = datetime.fromisoformat("1970-01-01"), datetime.fromisoformat("9999-12-31")
TIMES = st.datetimes(FIRST, LAST).map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z")
STATEMENTS = st.builds(
    Statement,
    id=IDS,
    source=PARTICIPANTS,
    type=st.from_regex(r"cn\.ipx\.[a-z]{1,20}\.[A-Z][A-Za-z0-9]{0,63}", fullmatch=True),
    subject=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/#@-]{0,127}", fullmatch=True),
    time=TIMES,
    agreement=st.just("-") | st.from_regex(r"[a-z][a-z0-9-]{0,63}@[1-9][0-9]{0,5}", fullmatch=True),
    addressee=st.just("-") | st.sets(PARTICIPANTS, min_size=1, max_size=64).map(lambda names: ",".join(sorted(names))),
    cause=st.just("-") | IDS,
    schema=HEX,
    content=HEX,
)


@given(STATEMENTS)
@settings(max_examples=80, deadline=None)
def test_parsing_what_was_formatted_gives_the_statement_back(statement: Statement) -> None:
    assert parse_statement(format_statement(statement)) == statement


@given(mutated(BYTES) | st.binary(max_size=400))
@settings(max_examples=150)
def test_other_bytes_are_refused_or_are_what_the_formatter_writes(data: bytes) -> None:
    read = taken(parse_statement, data, "bad-attribute")
    assert read is None or format_statement(read) == data


@given(st.sampled_from([field.name for field in fields(Statement)]), st.text(max_size=40))
@settings(max_examples=200)
def test_nothing_foreign_is_formatted(name: str, text: str) -> None:
    changed = replace(STATEMENT, **{name: text})
    data = taken(format_statement, changed, "bad-attribute")
    assert data is None or parse_statement(data) == changed


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("id", STATEMENT.id.upper()),
        ("id", STATEMENT.id.replace("-7", "-4", 1)),
        ("id", ""),
        ("source", "nanjing.market_regulator"),
        ("source", "320100.Market"),
        ("source", "320100.market regulator"),
        ("source", "32010٠.market_regulator"),
        ("type", "cn.ipx.clue.clueReported"),
        ("type", "org.other.clue.ClueReported"),
        ("subject", ""),
        ("subject", "-x"),
        ("subject", "x" * 129),
        ("subject", "线索"),
        ("subject", "a b"),
        ("subject", "half \ud800"),
        ("subject", "x\ntime: 2026-11-24T06:11:37.123Z"),
        ("time", "2026-11-24T06:11:37Z"),
        ("time", "2026-11-24T06:11:37.123+00:00"),
        ("time", "2026-02-30T06:11:37.123Z"),
        ("time", "2026-13-01T06:11:37.123Z"),
        ("time", "2026-11-24T24:00:00.000Z"),
        ("time", "2026-11-24T06:11:60.000Z"),
        ("time", "1969-12-31T23:59:59.999Z"),
        ("time", "0000-01-01T00:00:00.000Z"),
        ("agreement", "yrd@0"),
        ("agreement", "yrd@01"),
        ("agreement", "yrd"),
        ("agreement", ""),
        ("addressee", "330100.police,320100.police"),
        ("addressee", "320100.police,320100.police"),
        ("addressee", "320100.police,"),
        ("addressee", ",".join(f"{n:06d}.police" for n in range(65))),
        ("addressee", ""),
        ("cause", "none"),
        ("schema", "sha256:" + "A" * 64),
        ("schema", "sha256:" + "0" * 63),
        ("content", "sha512:" + "0" * 64),
    ],
)
def test_a_line_that_is_not_of_the_form_is_refused_by_its_name(name: str, text: str) -> None:
    with pytest.raises(Refused) as caught:
        format_statement(replace(STATEMENT, **{name: text}))
    assert caught.value.code == "bad-attribute"
    assert caught.value.field == name
    raw = BYTES.replace(
        f"\n{name}: {getattr(STATEMENT, name)}\n".encode(), f"\n{name}: {text}\n".encode("utf-8", "replace")
    )
    assert raw != BYTES
    with pytest.raises(Refused):
        parse_statement(raw)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        BYTES[:-1],
        BYTES + b"\n",
        BYTES + b"x",
        b"\xef\xbb\xbf" + BYTES,
        BYTES.replace(b"\n", b"\r\n"),
        BYTES.replace(b": ", b":"),
        BYTES.replace(b"v1", b"v2", 1),
        BYTES.replace(b"\ncause", b"\n\ncause"),
        BYTES[: BYTES.index(b"cause")],
        BYTES.replace(b"320100.market", b"32010\xff.market", 1),
    ],
)
def test_other_bytes_that_mean_the_same_are_no_statement(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_statement(data)
    assert caught.value.code == "bad-attribute"


def test_sixty_four_addressees_fit() -> None:
    names = tuple(f"{number:06d}.{'x' * 40}" for number in range(64))
    statement = replace(STATEMENT, addressee=",".join(names))
    assert parse_statement(format_statement(statement)).addressees == names


def test_no_addressee_is_an_empty_list() -> None:
    assert replace(STATEMENT, addressee="-").addressees == ()


def test_the_time_is_milliseconds() -> None:
    assert STATEMENT.time_ms == 1_795_500_697_123


@pytest.mark.parametrize(
    "data",
    [
        BYTES * 40,
        b"ipx-event/v1\n" * 5000,
        BYTES.replace(b"addressee: ", b"addressee: " + b"320100.police," * 500),
        BYTES.replace(b"addressee: ", b"addressee: " + b"320100." + b"a" * 7000),
        re.sub(rb"agreement: \S+", b"agreement: " + b"a-" * 3000, BYTES),
        b"\n" * 8192,
    ],
)
def test_hostile_text_is_refused_in_linear_time(data: bytes) -> None:
    began = time.process_time()
    for _ in range(20):
        with pytest.raises(Refused):
            parse_statement(data)
    assert time.process_time() - began < 5  # a bound, not a measure: backtracking takes for ever
    assert MAX_STATEMENT_BYTES == 8192
