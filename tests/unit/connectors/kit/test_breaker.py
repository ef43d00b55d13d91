"""The breaker opens after failures in a row, rests, lets one try, and rests longer."""

from connectors.kit.breaker import Breaker, BreakerRule, Circuit
from services.kernel.ports import SettableClock

RULE = BreakerRule(failures=3, rest_s=2, most_rest_s=5)


def breaker() -> tuple[Breaker, SettableClock]:
    clock = SettableClock()
    return Breaker(RULE, clock), clock


def fail(made: Breaker, times: int) -> None:
    for _ in range(times):
        made.admit()
        made.failed()


def test_failures_in_a_row_open_it_and_a_success_in_between_does_not_count() -> None:
    made, _ = breaker()
    fail(made, 2)
    made.succeeded()
    fail(made, 2)
    assert made.state is Circuit.CLOSED
    fail(made, 1)
    assert made.state is Circuit.OPEN
    assert not made.admit()
    assert made.wait_s() == 2


def test_after_its_rest_one_call_tries_and_the_others_wait() -> None:
    made, clock = breaker()
    fail(made, 3)
    clock.advance(2000)
    assert made.state is Circuit.HALF_OPEN
    assert made.admit()
    assert not made.admit()
    made.succeeded()
    assert made.state is Circuit.CLOSED
    assert made.admit()
    assert made.admit()


def test_a_try_that_fails_makes_the_rest_longer_up_to_the_most() -> None:
    made, clock = breaker()
    fail(made, 3)
    waits = []
    for _ in range(4):
        clock.advance(10_000)
        fail(made, 1)
        waits.append(made.wait_s())
    assert waits == [4, 5, 5, 5]


def test_calls_that_fail_late_do_not_lengthen_the_rest() -> None:
    made, _ = breaker()
    for _ in range(8):
        made.admit()
    for _ in range(8):
        made.failed()
    assert made.wait_s() == 2


def test_a_call_that_was_not_made_lets_another_try() -> None:
    made, clock = breaker()
    fail(made, 3)
    clock.advance(2000)
    assert made.admit()
    made.released()
    assert made.state is Circuit.HALF_OPEN
    assert made.admit()
