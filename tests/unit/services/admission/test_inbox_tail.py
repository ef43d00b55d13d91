from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.admission.catchup import LogReader
from services.admission.inbox_tail import InboxTail
from services.admission.index import SourceNumbers
from services.kernel.errors import Corrupt
from services.runtime.topics import Topics
from tests.unit.services.admission.logs import FakeReader
from tests.unit.services.admission.test_outcomes import ADMITTED, PLACE, SCHEMA, WRITER, item
from tests.unit.services.members.town import HANGZHOU, NANJING

TOPICS = Topics("t")
INBOX = TOPICS.inbox(NANJING)


def tail(reader: FakeReader) -> InboxTail:
    return InboxTail(cast(LogReader, reader), TOPICS, SCHEMA)


def tell(reader: FakeReader, place: str, numbers: SourceNumbers, count: int) -> SourceNumbers:
    records, after = WRITER.write(place, NANJING, [item() for _ in range(count)], numbers, ADMITTED)
    for record in records:
        reader.put(INBOX, record.headers, record.value)
    return after


def copy(reader: FakeReader) -> None:
    reader.put(INBOX, [("ce_id", b"x"), ("ce_ipxdelivery", b"a b 1")], b"\x00")


def test_an_empty_inbox_begins_at_zero() -> None:
    assert tail(FakeReader()).numbers_after(NANJING, PLACE) == SourceNumbers()


def test_the_numbers_go_on_after_the_last_record_of_that_partition() -> None:
    reader = FakeReader()
    numbers = tell(reader, PLACE, SourceNumbers(), 3)
    numbers = tell(reader, PLACE, numbers, 2)
    other = tell(reader, "t.clues.in/0", SourceNumbers(), 7)
    copy(reader)
    found = tail(reader)
    assert found.numbers_after(NANJING, PLACE) == numbers == SourceNumbers(2, 5)
    assert found.numbers_after(NANJING, "t.clues.in/0") == other
    assert found.numbers_after(NANJING, "t.clues.in/1") == SourceNumbers()
    assert found.numbers_after(HANGZHOU, PLACE) == SourceNumbers()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1200), st.integers(0, 1200))
def test_it_is_found_however_many_copies_lie_around_it(before: int, after: int) -> None:
    reader = FakeReader(chunk=400)
    for _ in range(before):
        copy(reader)
    numbers = tell(reader, PLACE, SourceNumbers(8, 80), 4)
    for _ in range(after):
        copy(reader)
    assert tail(reader).numbers_after(NANJING, PLACE) == numbers


def test_what_is_not_committed_does_not_count() -> None:
    reader = FakeReader()
    numbers = tell(reader, PLACE, SourceNumbers(), 3)
    reader.open_from[INBOX] = reader.ends[INBOX]
    tell(reader, PLACE, numbers, 2)
    assert tail(reader).numbers_after(NANJING, PLACE) == numbers


def test_a_record_that_says_outcome_and_is_none_is_corrupt() -> None:
    reader = FakeReader()
    reader.put(INBOX, [("ce_ipxoutcome", f"{NANJING} {PLACE} 4".encode())], b"\x00\x00\x00\x00\x01\xff")
    with pytest.raises(Corrupt):
        tail(reader).numbers_after(NANJING, PLACE)
