"""Processes by id and start time."""

from __future__ import annotations

import os

from services.platform.processes import created_at, end_leftovers, is_alive, wait_gone
from services.platform.state import PartState, PlatformState

ME = os.getpid()
NOBODY = 2**22 + 1  # above the largest process id that Linux gives out


def test_this_process_is_alive_and_another_with_its_id_is_not():
    assert is_alive(ME, created_at(ME))
    assert not is_alive(ME, created_at(ME) - 5)


def test_what_was_not_recorded_is_not_alive():
    assert not is_alive(None, None)
    assert not is_alive(ME, None)
    assert not is_alive(NOBODY, 1.0)
    assert created_at(NOBODY) is None


def test_a_process_that_is_gone_is_not_waited_for_and_one_that_lives_is_told():
    assert wait_gone(NOBODY, 1.0, timeout_s=60)
    assert not wait_gone(ME, created_at(ME), timeout_s=0)


def test_a_process_that_only_has_the_id_of_a_part_is_not_ended():
    state = PlatformState(parts={"kafka": PartState(pid=ME, created=created_at(ME) - 100)})
    assert end_leftovers(state) == ()
