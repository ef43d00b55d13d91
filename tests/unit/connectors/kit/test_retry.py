"""Waits grow, are cut, and differ; limits end trying."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.retry import Backoff, Limits, chance
from services.kernel.ports import CountedEntropy


def test_waits_double_up_to_the_most() -> None:
    backoff = Backoff(first_s=1, factor=2, most_s=10, jitter=0)
    assert [backoff.delay_s(n, 0.5) for n in (1, 2, 3, 4, 5, 6)] == [1, 2, 4, 8, 10, 10]


@given(st.integers(0, 10**9), st.floats(0, 0.999))
def test_a_wait_is_never_negative_nor_past_the_most(attempts: int, luck: float) -> None:
    assert 0 < Backoff().delay_s(attempts, luck) <= Backoff().most_s


def test_jitter_takes_away_up_to_its_share() -> None:
    backoff = Backoff(first_s=10, jitter=0.5)
    assert backoff.delay_s(1, 0.0) == 10
    assert backoff.delay_s(1, 0.9999) > 5


def test_trying_ends_at_either_limit() -> None:
    limits = Limits(attempts=3, age_s=60)
    assert not limits.passed(2, 59)
    assert limits.passed(3, 0)
    assert limits.passed(1, 60)


def test_chance_is_from_zero_up_to_one() -> None:
    entropy = CountedEntropy()
    assert all(0 <= chance(entropy) < 1 for _ in range(100))
