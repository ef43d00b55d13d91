"""Signed checkpoints against the entries: forged, rolled back, of another log or of two histories, each is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.codec.checkpoint import Checkpoint
from services.codec.note import format_note, parse_note
from tests.unit.services.audit.checking import ORIGIN, checked, codes
from tests.unit.services.audit.vault import (
    CLUES,
    MEMBERS,
    checkpoint,
    ledger_key,
    signed_head,
    vault,
)
from tests.unit.services.members import town


def test_a_forged_checkpoint_is_named() -> None:
    made = vault(signed_at=(5,))
    made.notes[ORIGIN].append(checkpoint(CLUES, made.entries(CLUES), town.signer(town.NANJING)))
    assert codes(checked(made)) == ["checkpoint-forged"]


def test_a_checkpoint_by_the_key_of_another_log_is_forged() -> None:
    made = vault(signed_at=())
    made.notes[ORIGIN].append(checkpoint(CLUES, made.entries(CLUES), ledger_key("t.credit/0")))
    assert codes(checked(made)) == ["checkpoint-forged"]


def test_a_checkpoint_whose_text_was_changed_is_forged() -> None:
    made = vault()
    note = parse_note(made.notes[ORIGIN][-1])
    made.notes[ORIGIN][-1] = format_note(replace(note, text=note.text.replace(b"\n12\n", b"\n11\n")))
    assert codes(checked(made)) == ["checkpoint-forged"]


def test_a_rolled_back_checkpoint_is_named() -> None:
    made = vault(signed_at=(5, 12, 7))
    assert codes(checked(made)) == ["checkpoint-rolled-back"]


def test_two_roots_of_one_size_are_a_split_view() -> None:
    made = vault()
    made.notes[ORIGIN].append(signed_head(CLUES, Checkpoint(ORIGIN, 12, b"\x01" * 32)))
    assert codes(checked(made)) == ["split-view"]


def test_a_signed_checkpoint_over_another_tree_is_named() -> None:
    made = vault(signed_at=(5,))
    made.notes[ORIGIN].append(signed_head(CLUES, Checkpoint(ORIGIN, 8, b"\x01" * 32)))
    report = checked(made)
    assert codes(report) == ["root-differs"]
    assert report.signed_size == 5


@pytest.mark.parametrize("junk", [b"", b"x" * 70_000, b"t/clues/0\n1\n", "— x y\n".encode()])
def test_a_note_that_is_none_is_named(junk: bytes) -> None:
    made = vault()
    made.notes[ORIGIN].insert(0, junk)
    assert codes(checked(made)) == ["bad-checkpoint"]


def test_a_checkpoint_of_another_log_is_named() -> None:
    made = vault()
    made.notes[ORIGIN].insert(0, checkpoint(MEMBERS, made.entries(MEMBERS)))
    assert codes(checked(made)) == ["bad-checkpoint"]


def test_repeated_checkpoints_are_none_of_anybodys_business() -> None:
    made = vault(signed_at=(0, 5, 5, 12, 12))
    report = checked(made)
    assert (codes(report), report.checkpoints) == ([], 3)
