"""Containers: what is written is read back by us and by another Avro library; any other byte is refused, in bounded memory."""

from __future__ import annotations

import io
import tracemalloc

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.container import (
    HEADER,
    MAX_BLOCK_RECORDS,
    ContainerWriter,
    TopicRecord,
    read_container,
    sync_marker,
)
from services.kernel.errors import Refused

OPTIONAL = st.none() | st.binary(max_size=40)
RECORDS = st.lists(
    st.builds(
        TopicRecord,
        st.just("ipx.clues"),
        st.integers(0, 99_999),
        st.integers(0, (1 << 63) - 1),
        st.integers(0, (1 << 63) - 1),
        OPTIONAL,
        st.lists(st.tuples(st.text(max_size=12), OPTIONAL), max_size=4).map(tuple),
        OPTIONAL,
    ),
    min_size=1,
    max_size=30,
)
ONE = TopicRecord("ipx.clues", 3, 17, 5, b"CL-1", (("ce_id", b"a"), ("ce_none", None)), b"\x00body")


def written(records: list[TopicRecord]) -> bytes:
    file = io.BytesIO()
    writer = ContainerWriter(file, records[0].topic, records[0].partition, records[0].offset)
    for record in records:
        writer.write(record)
    writer.close()
    return file.getvalue()


def read(data: bytes) -> list[TopicRecord]:
    return list(read_container(io.BytesIO(data)))


@given(RECORDS)
def test_what_is_written_is_read_back_by_us_and_by_another_library(records):
    data = written(records)
    assert read(data) == records
    assert data == written(records)
    others = list(fastavro.reader(io.BytesIO(data)))
    assert [(each["offset"], each["key"], each["value"]) for each in others] == [
        (record.offset, record.key, record.value) for record in records
    ]
    assert [[(h["name"], h["value"]) for h in each["headers"]] for each in others] == [
        list(record.headers) for record in records
    ]


def test_many_records_are_many_blocks_and_memory_stays_flat():
    file = io.BytesIO()
    writer = ContainerWriter(file, "t", 0, 0)
    for offset in range(20_000):
        writer.write(TopicRecord("t", 0, offset, 0, None, (), b"x" * 400))
    writer.close()
    file.seek(0)
    tracemalloc.start()
    assert sum(1 for _ in read_container(file)) == 20_000
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@given(RECORDS, st.data())
def test_any_other_byte_is_refused_or_gives_other_records_never_an_error_of_another_kind(records, data):
    whole = bytearray(written(records))
    start = data.draw(st.sampled_from([0, len(HEADER)]))  # the header is most of a small file
    at = data.draw(st.integers(start, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(whole))
    except Refused as error:
        outcome = error.code
    else:
        assert found != records
        outcome = "other" if written(found) == bytes(whole) else "not in its one form"
    assert outcome in ("bad-archive", "other")


@given(RECORDS, st.data())
def test_a_file_that_is_cut_or_goes_on_is_refused(records, data):
    whole = written(records)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for wrong in (cut, whole + data.draw(st.binary(min_size=1, max_size=8))):
        with pytest.raises(Refused) as refused:
            read(wrong)
        assert refused.value.code == "bad-archive"


def block(head: bytes, data: bytes = b"") -> bytes:
    marker = sync_marker("ipx.clues", 3, 17)
    return HEADER + marker + head + data + marker


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(block(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01" + b"\x02"), id="huge count"),
        pytest.param(block(b"\x02" + b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), id="huge size"),
        pytest.param(block(b"\x01\x02", b"x"), id="negative count"),
        pytest.param(block(b"\x02\x01", b"x"), id="negative size"),
        pytest.param(block(b"\x00\x00"), id="empty block"),
        pytest.param(block(b"\x82\x00\x02", b"x"), id="overlong count"),
        pytest.param(block(bytes([0xA0, 0x9C, 0x01]) + b"\x10", b"x" * 8), id="more records than bytes"),
        pytest.param(HEADER.replace(b"null", b"defl"), id="another codec"),
        pytest.param(b"Obj\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", id="huge metadata"),
        pytest.param(HEADER + b"x" * 16, id="no block"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_hostile_block_is_refused_before_it_is_decoded(hostile):
    tracemalloc.start()
    with pytest.raises(Refused) as refused:
        read(hostile)
    assert refused.value.code == "bad-archive"
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()


def test_hostile_lengths_within_a_block_are_refused():
    for inner in (
        b"\xfe\xff\xff\xff\x0f" + b"x" * 10,
        b"\x00\x06\x02\x02\x00" + b"\xfe\xff\xff\x0f" + b"x" * 10,
        b"\x02\xff" + b"\x00" * 9,
    ):
        with pytest.raises(Refused, match="byte"):
            read(block(b"\x02" + bytes([2 * len(inner)]), inner))


LEAST = b"\x00" * 7
"""A record of nothing, in the least bytes that there are."""


def least(count: int, records: int) -> bytes:
    """A file whose one block says so many records and holds so many."""
    data = LEAST * records
    marker = sync_marker("", 0, 0)
    return HEADER + marker + varint(count) + varint(len(data)) + data + marker


def varint(value: int) -> bytes:
    value <<= 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


@pytest.mark.parametrize(("count", "records"), [(MAX_BLOCK_RECORDS + 1, MAX_BLOCK_RECORDS + 1), (1, 2), (2, 3)])
def test_a_block_of_too_many_records_or_of_more_than_it_says_is_refused(count, records):
    assert len(read(least(MAX_BLOCK_RECORDS, MAX_BLOCK_RECORDS))) == MAX_BLOCK_RECORDS
    with pytest.raises(Refused) as refused:
        read(least(count, records))
    assert refused.value.code == "bad-archive"


def test_a_block_that_ends_with_another_marker_is_refused():
    whole = written([ONE])
    with pytest.raises(Refused, match="marker"):
        read(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_a_record_that_no_reader_would_take_is_not_written():
    writer = ContainerWriter(io.BytesIO(), "t", 0, 0)
    with pytest.raises(Refused) as refused:
        writer.write(TopicRecord("t", 0, 0, 0, None, (), b"x" * 4_200_000))
    assert refused.value.code == "too-large"
    with pytest.raises(Refused) as refused:
        writer.write(TopicRecord("t", 0, 0, 0, None, (("name", "text"),), b""))  # type: ignore[arg-type]
    assert refused.value.code == "bad-field"


def test_one_file_is_these_very_bytes():
    assert written([ONE]) == HEADER + sync_marker("ipx.clues", 3, 17) + bytes.fromhex(
        "025c126970782e636c7565730622 0a 02 08434c2d31 04 0a63655f6964 02 0261 0e63655f6e6f6e65 00 00 02 0a00626f6479"
    ) + sync_marker("ipx.clues", 3, 17)
