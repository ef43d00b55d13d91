from __future__ import annotations

from dataclasses import replace

import pytest

from services.codec.checkpoint import Checkpoint, open_checkpoint
from services.codec.keys import signer_from_seed
from services.codec.log_keys import LEDGER
from services.codec.note import format_note
from services.kernel.errors import Corrupt
from services.ledger.growing import GrowingTree
from services.ledger.signing import LogKey, require_continuation, require_same
from tests.unit.services.ledger.entries import KEY, ORIGIN


def tree_of(size: int, word: bytes = b"entry", fork_at: int = 0) -> tuple[Checkpoint, dict[str, bytes]]:
    tree, files = GrowingTree(), {}
    for number in range(size):
        files.update(tree.append(b"%s %d" % (word if number >= fork_at else b"entry", number)))
    files.update(tree.partials())
    return Checkpoint(ORIGIN, size, tree.root()), files


OLD, _ = tree_of(300)
NEW, FILES = tree_of(700)


def test_a_tree_that_contains_the_one_before_may_be_signed() -> None:
    require_continuation(None, NEW, FILES.get)
    require_continuation(OLD, NEW, FILES.get)
    require_continuation(NEW, NEW, FILES.get)


def test_a_smaller_tree_is_never_signed() -> None:
    with pytest.raises(Corrupt, match="below"):
        require_continuation(NEW, OLD, tree_of(300)[1].get)


def test_another_root_at_the_same_size_is_never_signed() -> None:
    with pytest.raises(Corrupt, match="does not contain"):
        require_continuation(replace(NEW, root=bytes(32)), NEW, FILES.get)


@pytest.mark.parametrize("fork_at", [0, 150, 299])
def test_a_tree_with_another_beginning_is_never_signed(fork_at: int) -> None:
    other, files = tree_of(700, b"other", fork_at)
    with pytest.raises(Corrupt, match="does not contain"):
        require_continuation(OLD, other, files.get)


def test_a_tree_that_parts_only_after_what_was_signed_may_be_signed() -> None:
    require_continuation(OLD, *_with_read(tree_of(700, b"other", 300)))


def _with_read(made: tuple[Checkpoint, dict[str, bytes]]) -> tuple[Checkpoint, object]:
    return made[0], made[1].get


def test_what_the_tiles_do_not_give_is_never_signed() -> None:
    with pytest.raises(Corrupt, match="do not give"):
        require_continuation(OLD, replace(NEW, root=bytes(32)), FILES.get)
    with pytest.raises(Corrupt, match="missing"):
        require_continuation(OLD, NEW, {**FILES, "tile/0/002.p/188": None}.get)


def test_the_note_is_the_same_each_time_and_opens_with_the_key_of_this_log_alone() -> None:
    data = format_note(KEY.sign(NEW))
    assert data == format_note(KEY.sign(NEW))
    assert open_checkpoint(data, KEY.note_key)[0] == NEW
    other = LogKey.of(signer_from_seed(LEDGER, bytes(32)), ORIGIN)
    with pytest.raises(Corrupt, match="not a checkpoint of this log's key"):
        other.reopen(data, "a file")


def test_a_floor_is_met_by_its_own_root_alone() -> None:
    require_same(NEW, NEW.size, NEW.root)
    with pytest.raises(Corrupt):
        require_same(NEW, NEW.size, bytes(32))
