"""The time of a reference city system: the machine's, or that of a trial; never the machine's where a trial was asked for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from connectors.reference_city.clock import BadClock, clock_of
from services.runtime.moved_clock import write_offset

DAY_MS = 86_400_000


def test_without_a_file_it_is_the_machines() -> None:
    assert abs(clock_of(None)() - time.time() * 1000) < DAY_MS


def test_it_reads_what_the_exchange_writes_and_follows_it(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    for days in (-400, 0, 31):
        write_offset(file, days * DAY_MS)
        assert abs(clock_of(file)() - time.time() * 1000 - days * DAY_MS) < DAY_MS / 10


@pytest.mark.parametrize("text", [None, "", "offset_ms: soon\n", "1\n"])
def test_a_file_that_says_no_time_is_an_error(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "clock"
    write_offset(file, 0)
    clock = clock_of(file)
    file.unlink()
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadClock):
        clock()
    with pytest.raises(BadClock):
        clock_of(file)
