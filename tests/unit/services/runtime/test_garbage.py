"""Garbage is looked for seldom, and is found all the same."""

from __future__ import annotations

import gc
import weakref

import pytest

from services.runtime.garbage import look_seldom


class Ring:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def usual():
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_is_there_is_looked_at_no_more_and_what_comes_is_looked_at_seldom(usual):
    look_seldom()
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert gc.get_threshold()[0] > 10 * usual[0]


def test_a_ring_that_comes_later_is_still_collected(usual):
    look_seldom()
    gone = weakref.ref(Ring())
    held = [[] for _ in range(2 * gc.get_threshold()[0])]
    assert gone() is None, len(held)
