"""What a room is, as data."""

from __future__ import annotations

from services.runtime.fold import Folded, Room
from tests.unit.services.receipts.scene import Aside, event_id, logged


def room(**more) -> Room[int]:
    return Room(
        name="sum",
        families=("clues", "receipts"),
        key_of=lambda entry: (),
        fold=lambda state, entry, world: Folded(state),
        encode=lambda state: {},
        decode=lambda data: 0,
        **more,
    )


def test_a_room_without_clocks_never_ticks():
    assert not room().ticks
    assert room().due_of(7) is None
    assert room().tick(7, 1, Aside()).emissions == ()
    assert room(due_of=lambda state: 1).ticks


def test_ticks_wait_for_every_family_unless_the_room_names_fewer():
    assert room().awaited == ("clues", "receipts")
    assert room(waits_for=("receipts",)).awaited == ("receipts",)


def test_a_room_signs_as_a_part_of_the_exchange():
    assert room().participant == "exchange.sum"


def test_an_entry_tells_its_time_in_milliseconds():
    entry = logged(Aside(), id_=event_id("a"), source="exchange.x", at=1_790_000_000_123, seq=4)
    assert (entry.admitted_ms, entry.seq, entry.id) == (1_790_000_000_123, 4, event_id("a"))
