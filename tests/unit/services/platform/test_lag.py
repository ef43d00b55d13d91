"""How far a reader is behind: the arithmetic."""

from __future__ import annotations

from services.platform.lag import COUNTED, Reader, Unread, count, readers, sum_up
from services.runtime.topics import Topics

TOPICS = Topics("ipx")
WHO = "320100.market_regulator"
READER = Reader("part", "admission", "ipx-admission", ())


def test_parts_read_their_topics_and_every_inbox_has_its_participant():
    present = {
        TOPICS.proposals("clues"),
        TOPICS.log("clues"),
        TOPICS.log("receipts"),
        TOPICS.inbox(WHO),
        TOPICS.outbox(WHO),
        Topics("other").inbox("310115.court"),
    }
    rooms = {"clues": ("clues",), "receipts": ("members", "clues", "receipts")}
    known = readers(TOPICS, ("members", "clues"), rooms, present)
    assert known == (
        Reader("part", "admission", "ipx-admission", (TOPICS.proposals("clues"),)),
        Reader("part", "gateway", "ipx-outboxes", (TOPICS.outbox(WHO),)),
        Reader("part", "clues", "ipx-room-clues", (TOPICS.log("clues"),)),
        Reader("part", "receipts", "ipx-room-receipts", (TOPICS.log("clues"), TOPICS.log("receipts"))),
        Reader("participant", WHO, f"ipx-inbox-{WHO}", (TOPICS.inbox(WHO),)),
    )


def test_records_read_to_the_end_are_counted_and_markers_are_not():
    assert count(position=10, end=16, read=[10, 11, 13], reached=16, oldest_ms=5) == Unread(3, True, 5)
    assert count(position=10, end=11, read=[], reached=11, oldest_ms=None) == Unread(0, True, None)


def test_what_is_not_read_to_the_end_is_told_by_offsets_and_marked():
    offsets = list(range(10, 10 + COUNTED))
    assert count(position=10, end=5_000, read=offsets, reached=10 + COUNTED, oldest_ms=5) == Unread(4_990, False, 5)


def test_the_lag_of_a_reader_is_the_sum_of_its_partitions_and_the_age_of_the_oldest_record():
    lag = sum_up(READER, [Unread(3, True, 9_000), Unread(4, True, 7_500), Unread(0, True, None)], now_ms=10_000)
    assert (lag.records, lag.exact, lag.seconds) == (7, True, 2.5)


def test_one_partition_told_by_offsets_makes_the_sum_inexact():
    assert not sum_up(READER, [Unread(3, True, 1), Unread(900, False, 1)], now_ms=2).exact


def test_who_has_read_everything_or_reads_nothing_is_not_behind():
    for unread in ([], [Unread(0, True, None)]):
        lag = sum_up(READER, unread, now_ms=10_000)
        assert (lag.records, lag.exact, lag.seconds) == (0, True, 0.0)


def test_a_record_stamped_later_than_now_is_new():
    assert sum_up(READER, [Unread(1, True, 11_000)], now_ms=10_000).seconds == 0.0
