"""Split views: what shows that two signed checkpoints contradict one another, and that nothing else passes for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.note import parse_note
from services.codec.split_view import Fork, contradict, find_fork, join_path, signed_checkpoint, split_path
from services.codec.tiles import Tree
from services.kernel.errors import Corrupt, Refused
from tests.unit.connectors.small_log import ORIGIN, SmallLog, key_of


def head(log: SmallLog, size: int | None = None) -> Checkpoint:
    return parse_checkpoint(parse_note(log.checkpoint(size)).text)


def tree(log: SmallLog) -> Tree:
    return Tree(log.tiles().get, log.size)


@given(st.integers(0, 40), st.integers(0, 30), st.integers(0, 30), st.booleans())
def test_a_fork_is_found_exactly_when_neither_is_a_beginning_of_the_other(
    common: int, ours: int, theirs: int, parts: bool
) -> None:
    trunk = SmallLog().grow(common)
    one = trunk.fork(common).grow(ours, "a")
    other = trunk.fork(common).grow(theirs, "b" if parts else "a")
    larger = one if one.size >= other.size else other
    fork = find_fork(head(one), head(other), tree(larger))
    short = min(one.size, other.size)
    assert (fork is not None) == (one.entries[:short] != other.entries[:short])
    if fork is not None:
        assert contradict(head(one), head(other), fork)
        assert contradict(head(other), head(one), fork)
    else:
        assert not contradict(head(one), head(other), Fork())


@given(st.data())
def test_no_fork_accuses_an_honest_log(data: st.DataObject) -> None:
    log = SmallLog().grow(data.draw(st.integers(1, 40)))
    small = data.draw(st.integers(0, log.size))
    forger = SmallLog().grow(log.size, "forged")
    true, false = tree(log), tree(forger)
    path = data.draw(st.sampled_from([true.consistency(small), false.consistency(small), ()]))
    root = data.draw(st.sampled_from([log.root(small), forger.root(small), None]))
    assert not contradict(head(log, small), head(log), Fork(root, path))


def test_a_tree_that_is_not_the_one_that_was_signed_shows_nothing() -> None:
    log = SmallLog().grow(20)
    other = log.fork(10).grow(10, "other")
    for wrong in (tree(other), tree(log.fork(19)), None):
        with pytest.raises(Corrupt):
            find_fork(head(log, 12), head(log), wrong)


def test_checkpoints_of_two_logs_do_not_contradict_one_another() -> None:
    one, other = SmallLog().grow(5), SmallLog("small/clues/1").grow(5, "other")
    assert not contradict(head(one), head(other), Fork())


def test_equal_sizes_need_no_path_and_take_none() -> None:
    one, other = SmallLog().grow(5), SmallLog().grow(5, "other")
    assert contradict(head(one), head(other), Fork())
    assert not contradict(head(one), head(other), Fork(one.root(), ()))
    assert not contradict(head(one), head(one), Fork())


def test_a_checkpoint_counts_when_a_key_of_its_log_signed_it() -> None:
    log = SmallLog().grow(5)
    assert signed_checkpoint(log.checkpoint(), [key_of("small/clues/1"), key_of()]) == head(log)
    for keys in ([], [key_of("small/clues/1")]):
        with pytest.raises(Refused) as refused:
            signed_checkpoint(log.checkpoint(), keys)
        assert refused.value.code == "bad-signature"
    assert head(log).origin == ORIGIN


def test_a_path_is_joined_and_split() -> None:
    path = (b"\1" * 32, b"\2" * 32)
    assert split_path(join_path(path)) == path
    assert split_path(b"") == ()
    for bad in (b"\1" * 31, b"\1" * 33, b"\1" * 32 * 64):
        with pytest.raises(Refused):
            split_path(bad)
