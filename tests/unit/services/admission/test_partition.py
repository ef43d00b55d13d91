from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from services.admission.catchup import LogReader
from services.admission.inbox_tail import InboxTail
from services.admission.index import SourceNumbers
from services.admission.judgement import Judged
from services.admission.partition import Partition, Progress, open_index
from services.admission.sequence import Sequencing
from services.kernel.errors import Corrupt
from services.kernel.instants import format_instant
from services.members.recipients import Recipient
from services.runtime.topics import Topics
from tests.unit.services.admission.desk import CLUES, checked, sealed
from tests.unit.services.admission.logs import FakeReader
from tests.unit.services.members.town import HANGZHOU, NANJING, NOW_MS

TOPICS = Topics("t")


class FakeTail:
    """Counts how often it is asked, and answers the same."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def numbers_after(self, source: str, place: str) -> SourceNumbers:
        self.asked.append((source, place))
        return SourceNumbers(7, 70)


def partition(directory: Path) -> Partition:
    return Partition(TOPICS, CLUES, 3, open_index(directory, TOPICS, "clues", 3, "cluster"))


def ready(directory: Path, in_offset: int = 0, reader: FakeReader | None = None) -> Partition:
    made = partition(directory)
    assert made.catch_up(cast(LogReader, reader or FakeReader()), lambda _place: in_offset)
    return made


def progress(of: Partition, number: int, in_offset: int) -> Progress:
    sequencing = Sequencing(of.log, of.numbers, {})
    judged = Judged(checked(sealed(number=number)), (Recipient(HANGZHOU),))
    sequencing.take(judged, format_instant(NOW_MS), NOW_MS, 1)
    return Progress(sequencing, sequencing.numbers(), {NANJING: SourceNumbers(1, number + 1)}, in_offset, 1)


def test_it_knows_its_names() -> None:
    made = Partition(TOPICS, CLUES, 3, cast("object", None))  # type: ignore[arg-type]
    assert (made.place, made.log, made.log_topic) == ("t.clues.in/3", "t.clues/3", "t.clues")


def test_what_a_transaction_brought_is_taken_over_and_found_again(tmp_path: Path) -> None:
    first = ready(tmp_path)
    brought = progress(first, 0, in_offset=5)
    brought.told(None, type("M", (), {"offset": lambda _self: 20})())
    first.accept(brought)
    assert first.numbers.next_seq == 1
    assert first.position == 5
    first.close()
    reader = FakeReader(ends={"t.clues": 20})
    reader.put("t.clues", [("ce_ipxentry", brought.sequencing.admitted[0].entry)])
    again = partition(tmp_path)
    assert any(again.catch_up(cast(LogReader, reader), lambda _place: 5) for _ in range(5))
    assert again.numbers == first.numbers
    assert again.sources == {NANJING: SourceNumbers(1, 1)}
    assert again.caught_up_entries == 0


def test_an_unready_offset_keeps_it_waiting(tmp_path: Path) -> None:
    made = partition(tmp_path)
    reader = cast(LogReader, FakeReader())
    assert not made.catch_up(reader, lambda _place: None)
    assert (made.is_ready, made.held_by) == (False, f"the offsets of {made.place}")
    assert made.catch_up(reader, lambda _place: 4)
    assert (made.position, made.held_by) == (4, None)


def test_an_open_transaction_on_the_log_is_named(tmp_path: Path) -> None:
    made = partition(tmp_path)
    reader = FakeReader(ends={"t.clues": 20}, open_from={"t.clues": 6})
    assert not made.catch_up(cast(LogReader, reader), lambda _place: 0)
    assert made.held_by == made.log


def test_outcome_numbers_begin_at_zero_in_a_new_exchange(tmp_path: Path) -> None:
    tail = FakeTail()
    assert ready(tmp_path).source_numbers(NANJING, cast(InboxTail, tail)) == SourceNumbers()
    assert tail.asked == []


def test_outcome_numbers_that_were_counted_elsewhere_are_read_from_the_inbox_once(tmp_path: Path) -> None:
    made = ready(tmp_path, in_offset=40)
    tail = FakeTail()
    found = [made.source_numbers(NANJING, cast(InboxTail, tail)) for _ in range(2)]
    assert found == [SourceNumbers(7, 70)] * 2
    assert tail.asked == [(NANJING, "t.clues.in/3")]


def test_a_source_that_is_new_to_a_partition_taken_over_is_looked_up_too(tmp_path: Path) -> None:
    ready(tmp_path, in_offset=40).close()
    again = ready(tmp_path, in_offset=40)
    tail = FakeTail()
    assert again.source_numbers(HANGZHOU, cast(InboxTail, tail)) == SourceNumbers(7, 70)


def test_a_log_that_is_not_whole_is_never_ready(tmp_path: Path) -> None:
    reader = FakeReader()
    reader.put("t.clues", [("ce_ipxentry", b"nonsense")])
    made = partition(tmp_path)
    with pytest.raises(Corrupt):
        made.catch_up(cast(LogReader, reader), lambda _place: 0)
    assert not made.is_ready
