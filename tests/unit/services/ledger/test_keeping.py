from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.note import parse_note
from services.kernel.errors import Corrupt
from services.ledger.files import LogFiles, origins, write_files
from services.ledger.index import EventIndex
from services.ledger.standing import standing_of
from tests.unit.services.ledger.entries import KEY, NOW_MS, ORIGIN, grow, kept, logged


def signed(directory: Path, *sizes: int, salt: str = "") -> Checkpoint:
    """A log that was signed at each of these sizes."""
    log = kept(directory)
    for size in sizes:
        grow(log, log.size, size, salt=salt)
        log.sign()
    log.close()
    assert log.signed is not None
    return log.signed


def tiles(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in (directory / "tile").rglob("*") if p.is_file()}


def test_a_start_goes_on_where_the_files_are_and_comes_to_the_same_bytes(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    signed(whole, 100, 300, 900)
    for size in (100, 300, 900):
        log = kept(parts)
        start = log.start_offset()
        assert start == (2 * (log.size - 1) + 1 if log.size else 0)
        grow(log, max(log.size - 1, 0), size)
        log.at_end()
        log.sign()
        log.close()
    assert tiles(whole) == tiles(parts)
    assert LogFiles(whole).checkpoint() == LogFiles(parts).checkpoint()


def test_open_tiles_go_when_their_full_one_is_there_and_stay_for_signed_sizes(tmp_path: Path) -> None:
    signed(tmp_path, 10, 200, 300, 310)
    assert {path for path in tiles(tmp_path) if ".p/" in path} == {
        *("tile/0/001.p/44", "tile/0/001.p/54", "tile/1/000.p/1"),
        *("tile/entries/001.p/44", "tile/entries/001.p/54"),
    }


def test_what_a_dead_process_left_is_cleared_away(tmp_path: Path) -> None:
    signed(tmp_path, 300)
    before = tiles(tmp_path)
    write_files(tmp_path, [("tile/0/001.p/99", b"x"), ("tile/entries/001.p/99", b"x"), ("tile/0/000.p/7", b"x")])
    (tmp_path / "tile" / "0" / "001.new").write_bytes(b"half")
    kept(tmp_path).close()
    assert tiles(tmp_path) == before


def test_an_event_is_found_by_its_id_and_others_are_not(tmp_path: Path) -> None:
    signed(tmp_path, 300)
    assert LogFiles(tmp_path).find(logged(299).event_id) == (299, 599)
    assert LogFiles(tmp_path).find(logged(300).event_id) is None
    assert LogFiles(tmp_path / "none").find(logged(0).event_id) is None


def test_a_lost_index_is_made_again_by_reading_the_log_from_its_beginning(tmp_path: Path) -> None:
    signed(tmp_path, 300)
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    log = kept(tmp_path)
    assert log.start_offset() == 0
    grow(log, 0, 301)
    log.sign()
    log.close()
    assert all(LogFiles(tmp_path).find(logged(seq).event_id) == (seq, 2 * seq + 1) for seq in (0, 150, 299, 300))


def test_an_index_that_says_otherwise_is_begun_anew(tmp_path: Path) -> None:
    signed(tmp_path, 300)
    (tmp_path / "index.sqlite").unlink()
    index = EventIndex(tmp_path)
    index.add([(logged(seq).event_id, seq + 1, 9) for seq in range(300)])
    index.close()
    log = kept(tmp_path)
    assert log.start_offset() == 0
    grow(log, 0, 300)
    log.write()
    assert LogFiles(tmp_path).find(logged(150).event_id) == (150, 301)


@pytest.mark.parametrize("seq", [299, 301])
def test_a_number_left_out_or_repeated_is_corrupt(tmp_path: Path, seq: int) -> None:
    log = grow(kept(tmp_path), 0, 300)
    with pytest.raises(Corrupt, match="was expected"):
        log.take(logged(seq))


def test_a_last_entry_other_than_the_one_signed_is_corrupt_and_nothing_is_signed(tmp_path: Path) -> None:
    signed(tmp_path, 300)
    before = LogFiles(tmp_path).checkpoint()
    log = kept(tmp_path)
    log.start_offset()
    with pytest.raises(Corrupt, match="not the entry that was signed"):
        log.take(logged(299, salt="x"))
    assert LogFiles(tmp_path).checkpoint() == before


def test_a_log_that_ends_before_what_was_signed_is_corrupt(tmp_path: Path) -> None:
    signed(tmp_path, 300)
    log = kept(tmp_path)
    log.start_offset()
    with pytest.raises(Corrupt, match="ends after 299"):
        log.at_end()


def test_nothing_is_signed_before_the_tree_has_come_to_what_the_topic_holds(tmp_path: Path) -> None:
    earlier = signed(tmp_path / "before", 300)
    log = kept(tmp_path / "lost")
    log.heed(earlier)
    grow(log, 0, 299)
    assert not log.has_news
    with pytest.raises(Corrupt, match="ends after 299"):
        log.at_end()
    grow(log, 299, 300)
    log.at_end()
    assert log.has_news
    log.sign()
    assert log.signed == earlier


def test_a_log_that_comes_to_another_root_than_the_topic_holds_is_corrupt(tmp_path: Path) -> None:
    earlier = signed(tmp_path / "before", 300)
    log = kept(tmp_path / "lost")
    log.heed(earlier)
    with pytest.raises(Corrupt, match="signed before"):
        grow(log, 0, 300, salt="x")
    assert LogFiles(tmp_path / "lost").checkpoint() is None


def test_a_checkpoint_of_the_topic_that_the_files_contradict_is_corrupt(tmp_path: Path) -> None:
    signed(tmp_path, 300)
    log = kept(tmp_path)
    log.heed(signed(tmp_path / "same", 200))
    with pytest.raises(Corrupt, match="does not contain"):
        log.heed(signed(tmp_path / "other", 200, salt="x"))


def test_a_tile_that_holds_other_bytes_than_the_log_gives_is_never_written_over(tmp_path: Path) -> None:
    write_files(tmp_path, [("tile/0/000", b"other")])
    log = grow(kept(tmp_path), 0, 300)
    with pytest.raises(Corrupt, match="holds other bytes"):
        log.sign()
    assert (LogFiles(tmp_path).checkpoint(), LogFiles(tmp_path).read("tile/0/000")) == (None, b"other")


def test_files_that_do_not_fit_the_checkpoint_are_corrupt_at_the_start(tmp_path: Path) -> None:
    signed(tmp_path / "a", 300)
    signed(tmp_path / "b", 300, salt="x")
    shutil.copy(tmp_path / "a" / "checkpoint", tmp_path / "b" / "checkpoint")
    with pytest.raises(Corrupt, match="signed before"):
        kept(tmp_path / "b")


def test_a_checkpoint_is_restored_over_a_tree_that_gives_it_alone(tmp_path: Path) -> None:
    note = KEY.sign(signed(tmp_path / "a", 300))
    fresh = grow(kept(tmp_path / "fresh"), 0, 300)
    fresh.write_open()
    fresh.restore(note)
    assert LogFiles(tmp_path / "fresh").checkpoint() == LogFiles(tmp_path / "a").checkpoint()
    other = grow(kept(tmp_path / "other"), 0, 300, salt="x")
    other.write_open()
    with pytest.raises(Corrupt):
        other.restore(note)
    assert LogFiles(tmp_path / "other").checkpoint() is None


def test_the_origins_are_those_of_the_logs_that_have_files(tmp_path: Path) -> None:
    assert origins(tmp_path) == []
    for name in ("ipx/clues/10", "ipx/clues/2", "ipx/members/0"):
        signed(tmp_path / name, 3)
    kept(tmp_path / "ipx/credit/0").close()
    (tmp_path / "rebuild" / "fresh" / "ipx").mkdir(parents=True)
    write_files(tmp_path / "ipx", [("checkpoints.offset", b"1\n")])
    assert origins(tmp_path) == ["ipx/clues/2", "ipx/clues/10", "ipx/members/0"]


def test_a_log_is_stale_when_an_entry_has_waited_too_long_for_witnesses(tmp_path: Path) -> None:
    def state(now_ms: int) -> tuple[str, int | None, int]:
        standing = standing_of(LogFiles(tmp_path), ORIGIN, now_ms, 60.0)
        return standing.state, standing.waiting_since_ms, standing.witnessed_size

    assert state(NOW_MS) == ("not yet", None, 0)
    signed(tmp_path, 300)
    assert state(NOW_MS + 60_000) == ("not yet", NOW_MS, 0)
    assert state(NOW_MS + 60_001) == ("stale", NOW_MS, 0)
    data = LogFiles(tmp_path).checkpoint() or b""
    write_files(tmp_path, [("witnessed", data)])
    assert state(NOW_MS + 10**9) == ("witnessed", None, 300)
    assert parse_checkpoint(parse_note(data).text).size == 300
    log = kept(tmp_path)
    log.start_offset()
    grow(log, 299, 301)
    log.sign()
    assert state(NOW_MS + 300 + 60_000) == ("not yet", NOW_MS + 300, 300)
    assert state(NOW_MS + 300 + 60_001)[0] == "stale"
