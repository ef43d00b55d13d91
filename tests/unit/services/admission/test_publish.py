"""A call to Kafka that does not come back ends the process; one that does leaves nothing behind."""

from __future__ import annotations

import threading

import pytest

from services.admission.publish import ended_when_hung


def test_a_call_that_does_not_come_back_ends_the_process() -> None:
    ended = threading.Event()
    with ended_when_hung(0.01, ended.set):
        assert ended.wait(10)


def test_a_call_that_comes_back_leaves_no_watchdog_behind() -> None:
    ended = threading.Event()
    before = threading.active_count()
    with ended_when_hung(1000, ended.set):
        pass
    with pytest.raises(ValueError, match="broken"), ended_when_hung(1000, ended.set):
        raise ValueError("broken")
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(10)
    assert threading.active_count() == before
    assert not ended.is_set()
