from __future__ import annotations

import base64
from pathlib import Path

import pytest

from services.codec.checkpoint import Checkpoint
from services.codec.sm3_tree import Sm3Edge, leaf_hash
from services.kernel.errors import Corrupt
from services.ledger.files import write_files
from services.ledger.keeping import KeptLog
from services.ledger.second_tree import EDGE
from tests.unit.services.ledger.entries import KEY, grow, kept, logged

ROOT_300 = Sm3Edge().extend(leaf_hash(logged(seq).entry) for seq in range(300))


def kept_twice(directory: Path) -> KeptLog:
    return KeptLog(directory, KEY, batch_entries=512, sm3=True)


def signed(directory: Path, start: int, end: int) -> Checkpoint:
    log = kept_twice(directory)
    log.start_offset()
    grow(log, start, end)
    log.sign()
    log.close()
    assert log.signed is not None
    return log.signed


def root_of(checkpoint: Checkpoint) -> bytes:
    (line,) = checkpoint.extensions
    return base64.b64decode(line.removeprefix("sm3 "))


def test_both_heads_stand_in_one_checkpoint(tmp_path: Path) -> None:
    checkpoint = signed(tmp_path, 0, 300)
    assert root_of(checkpoint) == ROOT_300.root()
    log = grow(kept(tmp_path / "one"), 0, 300)
    log.sign()
    assert log.signed == Checkpoint(checkpoint.origin, 300, checkpoint.root)


def test_the_second_tree_goes_on_after_a_start(tmp_path: Path) -> None:
    signed(tmp_path / "parts", 0, 200)
    assert signed(tmp_path / "parts", 199, 300) == signed(tmp_path / "whole", 0, 300)


def test_it_is_made_again_from_the_entries_where_its_edge_is_lost_ahead_or_new(tmp_path: Path) -> None:
    signed(tmp_path / "lost", 0, 200)
    (tmp_path / "lost" / EDGE).unlink()
    signed(tmp_path / "ahead", 0, 200)
    write_files(tmp_path / "ahead", [(EDGE, ROOT_300.to_bytes())])
    log = grow(kept(tmp_path / "new"), 0, 200)
    log.sign()
    log.close()
    for name in ("lost", "ahead", "new"):
        assert root_of(signed(tmp_path / name, 199, 300)) == ROOT_300.root()


def test_entries_that_give_another_root_than_was_signed_are_corrupt(tmp_path: Path) -> None:
    signed(tmp_path, 0, 300)
    write_files(tmp_path, [(EDGE, Sm3Edge(300, ROOT_300.peaks[::-1]).to_bytes())])
    with pytest.raises(Corrupt, match="over SM3"):
        kept_twice(tmp_path)


def test_a_checkpoint_of_the_topic_is_held_against_both_trees(tmp_path: Path) -> None:
    checkpoint = signed(tmp_path / "a", 0, 300)
    log = kept_twice(tmp_path / "b")
    log.heed(Checkpoint(checkpoint.origin, 300, checkpoint.root, ("sm3 " + "A" * 43 + "=",)))
    with pytest.raises(Corrupt, match="over SM3"):
        grow(log, 0, 300)
