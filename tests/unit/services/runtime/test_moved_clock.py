"""A clock that a test moves: all who read its file move together, forward only, and a broken file is never the machine's time."""

from __future__ import annotations

import pytest

from services.kernel.errors import BadSettings, Corrupt
from services.runtime.moved_clock import MovedClock, format_offset, parse_offset, write_offset

MACHINE_MS = 1_790_000_000_000
DAY_MS = 86_400_000


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "clock"
    write_offset(file, 0)
    return file


def clock(path, told=lambda _offset: None):
    return MovedClock(path, told, machine_ms=lambda: MACHINE_MS)


@pytest.mark.parametrize("offset", [0, 1, -DAY_MS, 99_999_999_999_999])
def test_what_is_written_is_what_is_read(offset):
    assert parse_offset(format_offset(offset)) == offset


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "offset_ms: 1",
        "offset_ms: 01\n",
        "offset_ms: -0\n",
        "offset_ms: 1\n\n",
        "offset_ms: 1.5\n",
        "x" * 70,
        "offset_ms: 999999999999999\n",
        "offset_ms: ١\n",
    ],
)
def test_another_text_is_not_understood(text):
    with pytest.raises(ValueError, match="expected one line"):
        parse_offset(text)


def test_two_clocks_of_one_file_move_together_and_hear_of_it_once(path):
    heard: list[int] = []
    first, second = clock(path, heard.append), clock(path)
    write_offset(path, 15 * DAY_MS)
    assert first.now_ms() == second.now_ms() == MACHINE_MS + 15 * DAY_MS
    assert first.now_ms() == MACHINE_MS + 15 * DAY_MS
    assert heard == [0, 15 * DAY_MS]


def test_a_clock_may_begin_before_the_time_of_the_machine(path):
    write_offset(path, -365 * DAY_MS)
    assert clock(path).now_ms() == MACHINE_MS - 365 * DAY_MS


def test_a_file_that_is_written_again_with_the_same_offset_is_no_news(path):
    heard: list[int] = []
    moved = clock(path, heard.append)
    write_offset(path, 0)
    assert moved.now_ms() == MACHINE_MS
    assert heard == [0]


def test_a_clock_that_is_set_back_stops_the_process(path):
    moved = clock(path)
    write_offset(path, DAY_MS)
    moved.now_ms()
    write_offset(path, DAY_MS - 1)
    with pytest.raises(Corrupt, match="set back"):
        moved.now_ms()
    with pytest.raises(Corrupt, match="set back"):
        moved.now_ms()


@pytest.mark.parametrize("text", [b"", b"offset_ms: tomorrow\n", b"\xff\xfe"])
def test_a_file_that_breaks_while_the_exchange_runs_stops_the_process(path, text):
    moved = clock(path)
    path.write_bytes(text)
    with pytest.raises(Corrupt, match="cannot be used any more"):
        moved.now_ms()


def test_a_file_that_is_gone_stops_the_process(path):
    moved = clock(path)
    path.unlink()
    with pytest.raises(Corrupt, match="cannot be used any more"):
        moved.now_ms()


@pytest.mark.parametrize("text", [None, b"", b"offset_ms: 1", b"\xff"])
def test_a_file_that_is_not_good_at_the_start_is_a_bad_setting(tmp_path, text):
    file = tmp_path / "clock"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(BadSettings, match="IPX_CLOCK_FILE"):
        clock(file)
