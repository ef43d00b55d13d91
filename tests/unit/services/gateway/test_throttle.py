import pytest

from services.gateway.throttle import Throttle


def test_a_name_may_go_on_until_its_bucket_is_empty_and_is_told_when_to_come_again() -> None:
    throttle = Throttle(rate_per_s=2.0, burst=3.0)

    assert [throttle.take("nanjing", 1, 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert throttle.take("nanjing", 1, 0.0) > 0.0
    assert throttle.take("nanjing", 1, 0.5) == 0.0


def test_one_name_does_not_empty_the_bucket_of_another() -> None:
    throttle = Throttle(rate_per_s=1.0, burst=1.0)
    throttle.take("nanjing", 1, 0.0)

    assert throttle.take("nanjing", 1, 0.0) > 0.0
    assert throttle.take("hangzhou", 1, 0.0) == 0.0


def test_a_cost_above_the_burst_is_taken_once_and_paid_for_afterwards() -> None:
    throttle = Throttle(rate_per_s=100.0, burst=10.0)

    assert throttle.take("bulk", 1_000, 0.0) == 0.0
    wait_s = throttle.take("bulk", 1, 0.0)
    assert wait_s == pytest.approx(9.91)
    assert throttle.take("bulk", 1, 10.0) == 0.0


def test_a_charge_counts_even_when_there_is_nothing_left() -> None:
    throttle = Throttle(rate_per_s=1.0, burst=1.0)
    for _ in range(5):
        throttle.charge("stranger", 1.0, 0.0)

    assert throttle.wait_s("stranger", 0.0) == pytest.approx(5.0)


def test_time_that_steps_back_fills_nothing() -> None:
    throttle = Throttle(rate_per_s=1.0, burst=1.0)
    throttle.take("nanjing", 1, 100.0)

    assert throttle.wait_s("nanjing", 50.0) > 0.0


def test_the_number_of_names_is_bounded() -> None:
    throttle = Throttle(rate_per_s=1.0, burst=1.0, limit=3)
    for name in "abcdef":
        throttle.take(name, 1, 0.0)

    assert len(throttle._buckets) == 3
