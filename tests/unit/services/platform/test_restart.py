"""The pace of restarts."""

from __future__ import annotations

from services.platform.restart import LONGEST_DELAY_S, STABLE_AFTER_S, Restarts


def delays(*lives: float) -> list[float]:
    restarts, waited = Restarts(), []
    for lived_s in lives:
        restarts, delay_s = restarts.after(lived_s)
        waited.append(delay_s)
    return waited


def test_waits_double_from_a_fifth_of_a_second_to_five_seconds():
    assert delays(*[0.0] * 8) == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_a_part_that_was_stable_begins_anew():
    assert delays(0, 0, 0, STABLE_AFTER_S, 0) == [0.2, 0.4, 0.8, 0.2, 0.4]
    assert delays(0, 0, STABLE_AFTER_S - 0.1) == [0.2, 0.4, 0.8]


def test_there_is_no_last_try_and_every_one_is_counted():
    restarts = Restarts()
    for _ in range(1000):
        restarts, delay_s = restarts.after(0)
        assert 0 < delay_s <= LONGEST_DELAY_S
    assert restarts.count == 1000
