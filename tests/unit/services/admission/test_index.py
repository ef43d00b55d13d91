from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.admission.index import LogIndex, Place, SourceNumbers
from services.admission.sequence import Numbers, Seen
from services.codec.merkle import RightEdge, leaf_hash
from services.kernel.errors import Corrupt
from services.kernel.ids import uuid7, uuid8

LOG, CLUSTER = "t.clues/0", "cluster"
IDS = [uuid7(n, n.to_bytes(10, "big")) for n in range(50)]
EDGE = RightEdge().extend(leaf_hash(bytes([n])) for n in range(5))
NUMBERS = Numbers(next_seq=2, deliveries={"a": 3, "b": 1}, edge=EDGE, admitted_ms=77)
PLACE = Place(log_offset=9, leaf=b"l" * 32, in_offset=12)
ROWS = [(IDS[0], b"0" * 32, 0), (IDS[1], b"1" * 32, 1)]


def opened(directory: Path, log: str = LOG, cluster: str = CLUSTER) -> LogIndex:
    return LogIndex(directory / "index.sqlite", log, cluster)


def test_a_new_index_knows_nothing(tmp_path: Path) -> None:
    index = opened(tmp_path)
    assert index.numbers() == Numbers()
    assert index.place() == Place()
    assert index.sources() == {}
    assert index.seen(IDS) == {}
    assert not index.looks_back()


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.extend(ROWS, NUMBERS, PLACE, {"s": SourceNumbers(4, 40)})
    index.close()
    again = opened(tmp_path)
    assert again.numbers() == NUMBERS
    assert again.place() == PLACE
    assert again.sources() == {"s": SourceNumbers(4, 40)}
    assert again.seen([*IDS, IDS[0]]) == {IDS[0]: Seen(b"0" * 32, 0), IDS[1]: Seen(b"1" * 32, 1)}


def test_numbers_that_did_not_change_stay(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.extend(ROWS[:1], NUMBERS, PLACE)
    index.extend(ROWS[1:], Numbers(next_seq=3, deliveries={"a": 3, "b": 2, "c": 1}, edge=EDGE), PLACE)
    assert index.numbers().deliveries == {"a": 3, "b": 2, "c": 1}
    assert opened(tmp_path).numbers().deliveries == {"a": 3, "b": 2, "c": 1}


def test_an_id_twice_is_corrupt_and_nothing_of_it_is_written(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.extend(ROWS, NUMBERS, PLACE)
    with pytest.raises(Corrupt):
        index.extend([(IDS[2], b"2" * 32, 2), ROWS[0]], Numbers(next_seq=4), Place(log_offset=99))
    assert index.seen(IDS[:3]).keys() == {IDS[0], IDS[1]}
    assert index.place() == PLACE
    assert index.numbers() == NUMBERS


def test_forgotten_outcomes_are_to_be_looked_up_from_then_on(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.extend(ROWS, NUMBERS, PLACE, {"s": SourceNumbers(4, 40)})
    index.forget_outcomes(33)
    assert index.sources() == {}
    assert index.place() == Place(PLACE.log_offset, PLACE.leaf, 33)
    assert opened(tmp_path).looks_back()


@pytest.mark.parametrize(("log", "cluster"), [("t.clues/1", CLUSTER), (LOG, "another")])
def test_the_index_of_another_log_is_begun_anew(tmp_path: Path, log: str, cluster: str) -> None:
    index = opened(tmp_path)
    index.extend(ROWS, NUMBERS, PLACE)
    index.close()
    assert opened(tmp_path, log, cluster).numbers() == Numbers()


def test_a_file_that_is_no_database_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"not a database" * 500)
    index = opened(tmp_path)
    index.extend(ROWS, NUMBERS, PLACE)
    assert index.numbers() == NUMBERS


def test_a_reset_forgets_everything(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.extend(ROWS, NUMBERS, PLACE)
    index.reset()
    assert index.numbers() == Numbers()
    assert index.seen(IDS) == {}


def id_of(number: int) -> str:
    """Born ids and derived ones, mixed."""
    return uuid8("room", "cause", str(number)) if number % 3 == 0 else uuid7(number, number.to_bytes(10, "big"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from(range(1000)), max_size=30), max_size=6))
def test_exactly_what_was_written_is_seen(tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]) -> None:
    index = opened(tmp_path_factory.mktemp("index"))
    known: dict[str, Seen] = {}
    for batch in batches:
        rows = []
        for number in batch:
            event = id_of(number)
            if event not in known:
                known[event] = Seen(number.to_bytes(32, "big"), len(known))
                rows.append((event, known[event].digest, known[event].seq))
        index.extend(rows, Numbers(next_seq=len(known)), Place())
    asked = [id_of(number) for number in range(1000)]
    assert index.seen(asked) == known
    index.close()
    assert opened(index.path.parent).seen(asked) == known
