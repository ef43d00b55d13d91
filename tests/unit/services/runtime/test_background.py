from __future__ import annotations

import threading

import pytest

from services.kernel.errors import Corrupt, Transient
from services.runtime.background import begin, wait


def test_the_result_of_the_call_comes_back() -> None:
    assert wait(begin(lambda a, b: a + b, 2, 3), 10) == 5


def test_what_the_call_raised_is_raised_by_whoever_waits() -> None:
    def broken() -> None:
        raise Corrupt("broken")

    with pytest.raises(Corrupt, match="broken"):
        wait(begin(broken), 10)


def test_a_call_that_does_not_come_back_is_given_up_and_keeps_nobody() -> None:
    gate = threading.Event()
    future = begin(gate.wait)
    with pytest.raises(Transient, match="given up"):
        wait(future, 0.01)
    gate.set()
    assert wait(future, 10)
