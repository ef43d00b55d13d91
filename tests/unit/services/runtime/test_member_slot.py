"""The name of a worker in its group: the same after a restart, never two at once."""

from __future__ import annotations

import pytest

from services.kernel.errors import BadSettings
from services.runtime import member_slot
from services.runtime.member_slot import MemberSlot


def test_two_workers_have_two_names_and_a_freed_one_is_taken_again(tmp_path):
    one, other = MemberSlot(tmp_path, "clues"), MemberSlot(tmp_path, "clues")
    assert one.name != other.name
    one.free()
    again = MemberSlot(tmp_path, "clues")
    assert again.name == one.name
    other.free()
    again.free()


def test_another_room_or_another_state_directory_is_another_name(tmp_path):
    (tmp_path / "b").mkdir()
    slots = [MemberSlot(tmp_path, "clues"), MemberSlot(tmp_path, "receipts"), MemberSlot(tmp_path / "b", "clues")]
    assert len({slot.name for slot in slots}) == 3
    for slot in slots:
        slot.free()


def test_too_many_workers_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(member_slot, "SLOTS", 1)
    held = MemberSlot(tmp_path, "clues")
    with pytest.raises(BadSettings):
        MemberSlot(tmp_path, "clues")
    held.free()
