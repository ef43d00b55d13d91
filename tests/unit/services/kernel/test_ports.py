"""The fakes of the ports behave as their names say."""

from __future__ import annotations

from services.kernel.ports import Clock, CountedEntropy, Entropy, SettableClock


def test_the_settable_clock_stands_still_until_it_is_moved() -> None:
    settable = SettableClock(at_ms=1_000)
    clock: Clock = settable
    assert [clock.now_ms(), clock.now_ms()] == [1_000, 1_000]
    settable.advance(5)
    assert clock.now_ms() == 1_005
    settable.at_ms = 3
    assert clock.now_ms() == 3


def test_counted_entropy_never_repeats_and_is_the_same_in_every_run() -> None:
    first: Entropy = CountedEntropy()
    second: Entropy = CountedEntropy()
    drawn = [first.draw(16) for _ in range(1000)]
    assert drawn == [second.draw(16) for _ in range(1000)]
    assert len(set(drawn)) == 1000


def test_entropy_has_the_size_that_was_asked_for() -> None:
    assert [len(CountedEntropy().draw(size)) for size in (1, 4, 8, 10, 16, 32)] == [1, 4, 8, 10, 16, 32]
