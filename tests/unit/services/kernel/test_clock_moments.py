"""Moments and the standstills they make: overlaps, redelivery, both sides telling the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock_moments import Moment, Standstill, earliest, in_order, standstills
from services.kernel.errors import Refused

GROUNDS = frozenset({"testing", "hearing"})
SIDES = st.sampled_from(["suspended", "resumed"])
TOLD = st.lists(
    st.builds(Moment, SIDES, st.sampled_from(["testing", "hearing", "other"]), st.integers(0, 30)), max_size=12
)


def told(*moments: tuple[str, str, int]) -> list[tuple[int, int | None, tuple[str, ...]]]:
    held = [Moment("suspended" if kind == "+" else "resumed", word, at) for kind, word, at in moments]
    return [(one.from_ms, one.until_ms, one.grounds) for one in standstills(held, GROUNDS)]


def test_a_suspension_stands_until_its_ground_is_gone() -> None:
    assert told(("+", "testing", 1), ("-", "hearing", 3), ("-", "testing", 5)) == [(1, 5, ("testing",))]
    assert told(("+", "testing", 1)) == [(1, None, ("testing",))]


def test_overlapping_suspensions_are_one_stretch() -> None:
    moments = [("+", "testing", 1), ("+", "hearing", 3), ("-", "testing", 5), ("-", "hearing", 9), ("+", "testing", 20)]
    assert told(*moments) == [(1, 9, ("hearing", "testing")), (20, None, ("testing",))]
    assert told(("+", "testing", 1), ("+", "hearing", 2), ("-", "hearing", 3)) == [(1, None, ("hearing", "testing"))]


def test_one_resumption_ends_what_both_sides_told() -> None:
    assert told(("+", "testing", 1), ("+", "testing", 2), ("-", "testing", 5), ("-", "testing", 6)) == [
        (1, 5, ("testing",))
    ]


def test_suspending_again_at_the_moment_of_resuming_goes_on() -> None:
    moments = [("+", "testing", 1), ("-", "testing", 5), ("+", "testing", 5), ("-", "testing", 9)]
    assert told(*moments) == [(1, 9, ("testing",))]


def test_suspending_and_resuming_at_one_moment_is_nothing() -> None:
    assert told(("+", "testing", 5), ("-", "testing", 5)) == []


def test_a_resumption_of_nothing_and_a_foreign_ground_are_nothing() -> None:
    assert told(("-", "testing", 5), ("+", "other", 6)) == []


@given(TOLD, st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_moments_change_nothing(moments: list[Moment], order: object) -> None:
    shuffled = [*moments, *moments]
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert standstills(shuffled, GROUNDS) == standstills(moments, GROUNDS)


@given(TOLD)
def test_stretches_are_apart_and_only_the_last_may_last(moments: list[Moment]) -> None:
    stretches = standstills(moments, GROUNDS)
    for earlier, later in pairwise(stretches):
        assert earlier.until_ms is not None
        assert earlier.until_ms < later.from_ms
    assert all(one.until_ms is None or one.from_ms < one.until_ms for one in stretches)


def test_the_earliest_of_some_words_is_found() -> None:
    held = [
        Moment("happened", "b", 5),
        Moment("happened", "a", 5),
        Moment("suspended", "a", 1),
        Moment("happened", "c", 1),
    ]
    assert earliest(in_order(held), {"a", "b"}) == Moment("happened", "a", 5)
    assert earliest(in_order(held), {"x"}) is None


@pytest.mark.parametrize(("at_ms", "length"), [(-1, None), (10**15, None), (0, 0), (0, 1001)])
def test_a_time_or_length_that_no_term_can_have_is_refused(at_ms: int, length: int | None) -> None:
    with pytest.raises(Refused) as refused:
        Moment("extended", "head", at_ms, length=length)
    assert refused.value.code == "bad-attribute"


def test_a_standstill_that_lasts_has_no_end() -> None:
    assert Standstill(1, None, ("testing",)).until_ms is None
