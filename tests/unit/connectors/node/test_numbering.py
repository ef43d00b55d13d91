"""Numbers: the next one is taken, a smaller one was had, a larger one is a gap; in any order, nothing is lost or taken twice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.node.numbering import Gap, Numbers, Place


def test_the_first_number_of_a_partition_is_zero() -> None:
    numbers = Numbers.standing({})
    assert numbers.place("ipx.clues/0", 0) is Place.NEXT
    assert numbers.place("ipx.clues/0", 1) is Place.GAP
    assert numbers.gap("ipx.clues/0", 1) == Gap("ipx.clues/0", 0, 1)


def test_a_smaller_number_was_had() -> None:
    numbers = Numbers.standing({"ipx.clues/0": 5})
    assert numbers.place("ipx.clues/0", 4) is Place.HAD
    assert numbers.place("ipx.clues/0", 5) is Place.NEXT


def test_partitions_are_counted_apart() -> None:
    numbers = Numbers.standing({"a/0": 2})
    numbers.take("a/0", 2)
    numbers.take("b/0", 0)
    assert numbers.next == {"a/0": 3, "b/0": 1}


def test_what_is_stored_is_not_changed_by_what_is_tried() -> None:
    stored = {"a/0": 2}
    Numbers.standing(stored).take("a/0", 2)
    assert stored == {"a/0": 2}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 8), max_size=60))
def test_whatever_comes_each_number_is_taken_once_and_in_order(arriving: list[int]) -> None:
    numbers, taken = Numbers.standing({}), []
    for number in arriving:
        if numbers.place("a/0", number) is Place.NEXT:
            numbers.take("a/0", number)
            taken.append(number)
    assert taken == list(range(len(taken)))
