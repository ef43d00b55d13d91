"""Delivery and outcome numbers: one spelling each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.codec.numbering import Numbered, format_numbering, parse_numbering
from services.kernel.errors import Refused
from tests.unit.services.codec.samples import OTHER, mutated, taken

TEXT = f"{OTHER} ipx.clues/3 118"


def test_the_text_gives_owner_partition_and_number() -> None:
    assert parse_numbering(TEXT) == Numbered(OTHER, "ipx.clues/3", 118)


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**6))
def test_parsing_what_was_formatted_gives_it_back(number: int, partition: int) -> None:
    numbered = Numbered("customs.2300", f"ipx.clues.in/{partition}", number)
    assert parse_numbering(format_numbering(numbered)) == numbered


@given(mutated(TEXT.encode()))
def test_other_texts_are_refused_or_are_what_the_formatter_writes(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    read = taken(parse_numbering, text, "bad-attribute")
    assert read is None or format_numbering(read) == text


@pytest.mark.parametrize(
    "numbered", [Numbered("x", "ipx.clues/3", 1), Numbered(OTHER, "ipx.clues", 1), Numbered(OTHER, "ipx.clues/3", -1)]
)
def test_what_cannot_be_read_is_not_written(numbered: Numbered) -> None:
    with pytest.raises(Refused) as caught:
        format_numbering(numbered)
    assert caught.value.code == "bad-attribute"
