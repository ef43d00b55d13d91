from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from services.admission.catchup import CatchUp, LogReader
from services.admission.index import LogIndex, Place
from services.admission.judgement import Judged
from services.admission.sequence import Numbers, Seen, Sequencing
from services.kernel.errors import Corrupt
from services.kernel.instants import format_instant
from services.members.recipients import Recipient
from tests.unit.services.admission.desk import checked, sealed
from tests.unit.services.admission.logs import FakeReader
from tests.unit.services.members.town import HANGZHOU, NOW_MS, XIHU

TOPIC, LOG = "t.clues", "t.clues/0"


def entries(count: int, log: str = LOG) -> Sequencing:
    sequencing = Sequencing(log, Numbers(), {})
    for number in range(count):
        names = (HANGZHOU, XIHU) if number % 2 else (XIHU,)
        judged = Judged(checked(sealed(number=number)), tuple(Recipient(name) for name in names))
        sequencing.take(judged, format_instant(NOW_MS + number), NOW_MS + number, 3)
    return sequencing


WHOLE = entries(8)


def reader_with(*seqs: int, log: Sequencing = WHOLE) -> FakeReader:
    reader = FakeReader()
    for seq in seqs:
        reader.put(TOPIC, [("ce_id", b"x"), ("ce_ipxentry", log.admitted[seq].entry)])
    return reader


def index(path: Path) -> LogIndex:
    return LogIndex(path / "index.sqlite", LOG, "cluster")


def catch_up(reader: FakeReader, of: LogIndex, steps: int = 20) -> bool:
    catching = CatchUp(cast(LogReader, reader), TOPIC, 0, of)
    return any(catching.step() for _ in range(steps))


def seen_of(sequencing: Sequencing) -> dict[str, Seen]:
    return {e.checked.statement.id: Seen(e.checked.digest, e.seq) for e in sequencing.admitted}


def test_an_empty_log_is_caught_up_with_at_once(tmp_path: Path) -> None:
    reader = FakeReader()
    assert catch_up(reader, index(tmp_path), steps=1)
    assert reader.reads == 0


def test_a_lost_index_is_what_it_was_after_the_log_was_read(tmp_path: Path) -> None:
    rebuilt = index(tmp_path)
    assert catch_up(reader_with(*range(8)), rebuilt)
    assert rebuilt.numbers() == WHOLE.numbers()
    assert rebuilt.seen(seen_of(WHOLE)) == seen_of(WHOLE)
    assert rebuilt.place() == Place(14, WHOLE.admitted[-1].leaf, 0)


def test_an_index_that_lags_goes_on_from_its_last_entry(tmp_path: Path) -> None:
    lagging = index(tmp_path)
    assert catch_up(reader_with(*range(3)), lagging)
    reader = reader_with(*range(8))
    assert catch_up(reader, lagging)
    assert lagging.numbers() == WHOLE.numbers()
    assert reader.reads <= 4  # from its last entry on, not from the first
    assert catch_up(reader_with(*range(8)), lagging)  # and once more, without effect
    assert lagging.numbers() == WHOLE.numbers()


def test_aborted_records_are_passed_over(tmp_path: Path) -> None:
    reader = reader_with(*range(4))
    reader.abort(TOPIC)
    for seq in range(4, 8):
        reader.put(TOPIC, [("ce_ipxentry", WHOLE.admitted[seq].entry)])
    reader.abort(TOPIC)
    rebuilt = index(tmp_path)
    assert catch_up(reader, rebuilt)
    assert rebuilt.numbers() == WHOLE.numbers()


def test_an_open_transaction_is_waited_for(tmp_path: Path) -> None:
    reader = reader_with(*range(8))
    reader.open_from[TOPIC] = 6
    waiting = index(tmp_path)
    catching = CatchUp(cast(LogReader, reader), TOPIC, 0, waiting)
    assert not any(catching.step() for _ in range(5))
    assert catching.is_held
    assert waiting.numbers() == Numbers()
    del reader.open_from[TOPIC]
    assert any(catching.step() for _ in range(10))
    assert not catching.is_held
    assert waiting.numbers() == WHOLE.numbers()


def test_what_else_was_read_between_two_steps_does_no_harm(tmp_path: Path) -> None:
    reader = reader_with(*range(8))
    for seq in range(8):
        reader.put("t.inbox.x", [("ce_ipxentry", entries(8, "t.clues/1").admitted[seq].entry)])
    for held, of in enumerate((index(tmp_path / "new"), indexed(tmp_path / "old"))):
        catching = CatchUp(cast(LogReader, reader), TOPIC, 0, of)
        steps = 0
        while not catching.step():
            reader.go_to("t.inbox.x", 0, 0)
            reader.read()
            steps += 1
        assert steps > 1, held
        assert of.numbers() == WHOLE.numbers()
        assert catching.step(), "an end that was come to is not left again"


@pytest.mark.parametrize(
    "seqs", [(0, 1, 3), (0, 1, 1), (1,), (0, 2, 1)], ids=["gap", "repeat", "no beginning", "out of order"]
)
def test_a_log_that_is_not_contiguous_is_corrupt(tmp_path: Path, seqs: tuple[int, ...]) -> None:
    with pytest.raises(Corrupt):
        catch_up(reader_with(*seqs), index(tmp_path))


def test_a_record_without_an_entry_or_of_another_log_is_corrupt(tmp_path: Path) -> None:
    bare = FakeReader()
    bare.put(TOPIC, [("ce_id", b"x")])
    foreign = reader_with(0, log=entries(1, "t.clues/1"))
    for number, reader in enumerate((bare, foreign)):
        with pytest.raises(Corrupt):
            catch_up(reader, index(tmp_path / str(number)))


def test_delivery_numbers_that_are_not_contiguous_are_corrupt(tmp_path: Path) -> None:
    later = Sequencing(LOG, Numbers(deliveries={XIHU: 5}), {})
    later.take(Judged(checked(sealed()), (Recipient(XIHU),)), format_instant(NOW_MS), NOW_MS, 1)
    with pytest.raises(Corrupt, match="delivery 5"):
        catch_up(reader_with(0, log=later), index(tmp_path))


def indexed(tmp_path: Path) -> LogIndex:
    known = index(tmp_path)
    assert catch_up(reader_with(*range(5)), known)
    return known


def other_log() -> FakeReader:
    changed = entries(8)
    swapped: Any = changed.admitted[4].entry.replace(b"members: 3", b"members: 4")
    reader = reader_with(*range(4))
    reader.put(TOPIC, [("ce_ipxentry", swapped)])
    return reader


def test_a_log_that_was_cut_or_exchanged_is_found_out(tmp_path: Path) -> None:
    known = indexed(tmp_path)
    with pytest.raises(Corrupt, match="was there before"):
        catch_up(reader_with(*range(3)), known)
    with pytest.raises(Corrupt, match="not the entry that was indexed"):
        catch_up(other_log(), known)
    gone = reader_with(*range(8))
    gone.cut[TOPIC] = 12
    with pytest.raises(Corrupt, match="gone"):
        catch_up(gone, known)
