from hypothesis import given
from hypothesis import strategies as st

from services.gateway.rings import Item, Page, Ring, RingLimits, Rings

NANJING = "320100.market_regulator"
BIG = 1 << 30


def item(offset: int, size: int = 10) -> Item:
    return Item(offset, b"x" * size)


def filled(*offsets: int, start: int = 0, limits: RingLimits | None = None) -> Rings:
    rings = Rings(limits or RingLimits())
    rings.open(NANJING, start)
    rings.extend(NANJING, [item(offset) for offset in offsets])
    return rings


def ring_of(rings: Rings) -> Ring:
    ring = rings.get(NANJING)
    assert ring is not None
    return ring


def test_a_page_has_the_records_from_the_cursor_on_and_the_place_after_them() -> None:
    page = ring_of(filled(3, 4, 7)).page(4, 10, BIG)

    assert page == Page((item(4).json, item(7).json), 8)


def test_an_empty_page_keeps_the_cursor() -> None:
    assert ring_of(filled(3, start=3)).page(4, 10, BIG) == Page((), 4)


def test_a_cursor_before_the_ring_is_not_answered_from_it() -> None:
    assert ring_of(filled(5, 6, start=5)).page(4, 10, BIG) is None


def test_a_page_ends_at_its_limit_in_records_and_in_bytes_but_never_without_progress() -> None:
    ring = ring_of(filled(0, 1, 2, 3))

    assert ring.page(0, 2, BIG) == Page((item(0).json, item(1).json), 2)
    assert ring.page(0, 4, 25) == Page((item(0).json, item(1).json), 2)
    assert ring.page(0, 4, 1) == Page((item(0).json,), 1)


def test_a_record_that_comes_again_is_held_once() -> None:
    assert len(ring_of(filled(1, 2, 2, 1, 3))) == 3


def test_the_oldest_records_go_when_there_are_too_many() -> None:
    ring = ring_of(filled(0, 1, 2, 3, limits=RingLimits(records=2)))

    assert len(ring) == 2
    assert ring.page(1, 10, BIG) is None
    assert ring.page(2, 10, BIG) == Page((item(2).json, item(3).json), 4)


def test_the_oldest_records_go_when_they_are_too_large_even_all_of_them() -> None:
    rings = filled(limits=RingLimits(record_bytes=1_000))
    rings.extend(NANJING, [item(0, 2_000)])

    assert len(ring_of(rings)) == 0
    assert ring_of(rings).page(0, 1, BIG) is None
    assert rings.size_bytes == 0


def test_the_largest_ring_gives_way_when_all_together_are_too_large() -> None:
    rings = Rings(RingLimits(total_bytes=20_000))
    rings.open("quiet", 0)
    rings.open("busy", 0)
    rings.extend("quiet", [item(0, 1_000)])
    rings.extend("busy", [item(offset, 1_000) for offset in range(200)])

    assert rings.size_bytes <= 20_000
    quiet, busy = rings.get("quiet"), rings.get("busy")
    assert quiet is not None
    assert busy is not None
    assert len(quiet) == 1
    assert busy.end == 200


def test_a_ring_that_is_opened_anew_forgets_what_it_held() -> None:
    rings = filled(0, 1)
    rings.open(NANJING, 9)

    assert rings.size_bytes == 0
    assert ring_of(rings).page(0, 1, BIG) is None


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400)), max_size=60),
    st.integers(1, 8),
    st.integers(200, 3_000),
)
def test_whatever_comes_a_reader_that_pages_on_misses_nothing_that_the_ring_says_it_covers(
    steps: list[tuple[int, int]], records: int, record_bytes: int
) -> None:
    rings = Rings(RingLimits(records, record_bytes, 2 * record_bytes))
    rings.open(NANJING, 0)
    offset, written, read, cursor = 0, [], [], 0
    for gap, size in steps:
        offset += gap
        rings.extend(NANJING, [item(offset, size)])
        written.append(offset)
        offset += 1
        page = ring_of(rings).page(cursor, 2, 500)
        if page is None:  # older than the ring: read elsewhere, as Kafka would be
            cursor = ring_of(rings).start
            read = [o for o in written if o < cursor]
        else:
            read += [o for o in written if cursor <= o < page.next_offset]
            cursor = page.next_offset
    while (page := ring_of(rings).page(cursor, 2, 500)) is not None and page.items:
        assert len(page.items) == len([o for o in written if cursor <= o < page.next_offset])
        read += [o for o in written if cursor <= o < page.next_offset]
        cursor = page.next_offset
    if page is not None:
        assert read == written
    assert rings.size_bytes <= 2 * record_bytes
