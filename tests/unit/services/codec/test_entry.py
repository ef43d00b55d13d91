"""The entry: parser and formatter are inverses, and nothing enters the log that a reader cannot read."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.codec.entry import MAX_ENTRY_BYTES, Delivery, Entry, format_entry, parse_entry
from services.codec.statement import format_statement
from services.kernel.errors import Refused
from tests.unit.services.codec.samples import ADMITTED, OTHER, mutated, sealed, taken

ENVELOPE = sealed()
STATEMENT = format_statement(ENVELOPE.statement)
DELIVERIES = (Delivery("320100.police", 7, ("reporter", "phone")), Delivery(OTHER, 118))
ENTRY = Entry(ENVELOPE.statement, ENVELOPE.signature, ADMITTED, "ipx.clues/3", 1042, 57, DELIVERIES)


def written(entry: Entry) -> bytes:
    return format_entry(
        format_statement(entry.statement),
        entry.signature,
        entry.admitted,
        entry.log,
        entry.seq,
        entry.members,
        entry.deliveries,
    )


BYTES = written(ENTRY)


def test_an_entry_reads_as_the_format_shows_it() -> None:
    assert (
        STATEMENT
        + (
            f"signature: {ENVELOPE.signature}\n"
            "admitted: 2026-11-24T06:11:37.456Z\n"
            "log: ipx.clues/3\n"
            "seq: 1042\n"
            "members: 57\n"
            "deliver: 320100.police 7 -reporter,-phone\n"
            "deliver: 330100.market_regulator 118 full\n"
        ).encode("ascii")
        == BYTES
    )
    assert parse_entry(BYTES) == ENTRY


def test_the_copy_for_a_recipient_is_found_by_its_name() -> None:
    assert ENTRY.delivery_to(OTHER) == DELIVERIES[1]
    assert ENTRY.delivery_to("330100.police") is None


FIELD = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
NUMBERS = st.integers(0, 10**18 - 1)
COPIES = st.dictionaries(
    st.integers(0, 999_999).map(lambda n: f"{n:06d}.police"),
    st.tuples(NUMBERS, st.lists(FIELD, max_size=4, unique=True).map(tuple)),
    max_size=30,
).map(lambda found: tuple(Delivery(name, *found[name]) for name in sorted(found)))


@given(NUMBERS, NUMBERS, NUMBERS, COPIES)
@settings(max_examples=80, deadline=None)
def test_parsing_what_was_formatted_gives_the_entry_back(
    partition: int, seq: int, members: int, deliveries: tuple[Delivery, ...]
) -> None:
    entry = replace(ENTRY, log=f"t-1.clues/{partition}", seq=seq, members=members, deliveries=deliveries)
    assert parse_entry(written(entry)) == entry


@given(mutated(BYTES) | st.binary(max_size=400))
@settings(max_examples=150)
def test_other_bytes_are_refused_or_are_what_the_formatter_writes(data: bytes) -> None:
    read = taken(parse_entry, data, "bad-entry")
    assert read is None or written(read) == data


BAD: list[dict[str, Any]] = [
    {"signature": ""},
    {"signature": "a b"},
    {"signature": "a\nb"},
    {"signature": "签"},
    {"signature": "x" * 4097},
    {"admitted": "2026-02-30T06:11:37.456Z"},
    {"admitted": "2026-11-24T06:11:37Z"},
    {"log": "ipx.clues"},
    {"log": "ipx.clues/03"},
    {"log": "ipx.clues/-1"},
    {"log": "Ipx/1"},
    {"seq": -1},
    {"seq": 10**18},
    {"members": -1},
    {"deliveries": DELIVERIES[::-1]},
    {"deliveries": (DELIVERIES[0], DELIVERIES[0])},
    {"deliveries": (Delivery("nanjing.police", 1),)},
    {"deliveries": (Delivery(OTHER, -1),)},
    {"deliveries": (Delivery(OTHER, 1, ("a", "a")),)},
    {"deliveries": (Delivery(OTHER, 1, ("a b",)),)},
    {"deliveries": (Delivery(OTHER, 1, ("",)),)},
    {"deliveries": tuple(Delivery(f"{n:06d}.police", n, ("field",)) for n in range(2000))},
]


@pytest.mark.parametrize("change", BAD)
def test_an_entry_that_a_reader_would_refuse_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        written(replace(ENTRY, **change))
    assert caught.value.code == "bad-entry"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        STATEMENT,
        BYTES[:-1],
        BYTES + b"\n",
        BYTES + b"x",
        BYTES.replace(b"seq: 1042", b"seq: 01042"),
        BYTES.replace(b"seq: 1042", b"seq: +1042"),
        BYTES.replace(b"members: 57\n", b""),
        BYTES.replace(b" full", b" Full"),
        BYTES.replace(b"-reporter,-phone", b"-reporter,phone"),
        BYTES.replace(b"-reporter,-phone", b"-"),
        BYTES.replace(b"\n", b"\r\n"),
        BYTES.replace(b"ipx-event/v1", b"ipx-event/v2"),
        BYTES.replace(b"cause: -", b"cause: x"),
        BYTES[len(STATEMENT) :],
        b"signature: " + BYTES,
        BYTES.replace(b"57\n", b"5\xb2\n"),
        BYTES + b"deliver: 330100.market_regulator 119 full\n",
        b"x" * (MAX_ENTRY_BYTES + 1),
    ],
)
def test_other_bytes_that_mean_the_same_are_no_entry(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_entry(data)
    assert caught.value.code == "bad-entry"


def test_an_entry_past_the_cap_is_refused_however_well_it_is_spelt() -> None:
    lines = [f"deliver: {number:06d}.police 1 full\n".encode("ascii") for number in range(400_000, 401_200)]
    data = BYTES + b"".join(lines)
    assert len(data) > MAX_ENTRY_BYTES
    with pytest.raises(Refused):
        parse_entry(data)
    assert parse_entry(BYTES + b"".join(lines[:900])).deliveries[-1].recipient == "400899.police"


@pytest.mark.parametrize(
    "data",
    [
        BYTES + b"deliver: 330101.police 1 full\n" * 900,
        BYTES[:-1] + b",-a" * 9000,
        STATEMENT + b"signature: " * 2800,
        STATEMENT + b"signature: " + b"x" * 30_000,
    ],
)
def test_hostile_text_is_refused_in_linear_time(data: bytes) -> None:
    began = time.process_time()
    for _ in range(20):
        with pytest.raises(Refused):
            parse_entry(data)
    assert time.process_time() - began < 5  # a bound, not a measure: backtracking takes for ever
