import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.cursor import format_cursor, parse_cursor
from services.kernel.errors import Refused

NANJING = "320100.market_regulator"


@given(st.integers(0, 10**17))
def test_a_cursor_is_read_back_as_the_place_it_was_made_for(offset: int) -> None:
    assert parse_cursor(format_cursor(NANJING, offset), NANJING) == offset


def test_a_cursor_of_another_participant_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        parse_cursor(format_cursor("330100.police", 5), NANJING)
    assert (refused.value.code, refused.value.field) == ("bad-request", "after")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "%%%",
        "é",
        "x" * 500,
        base64.urlsafe_b64encode(b"ipx1 320100.market_regulator 05").decode(),
        base64.urlsafe_b64encode(b"ipx1 320100.market_regulator -1").decode().rstrip("="),
        base64.urlsafe_b64encode(b"ipx2 320100.market_regulator 1").decode().rstrip("="),
        format_cursor(NANJING, 5) + "=",
        format_cursor(NANJING, 5) + "\n",
    ],
)
def test_any_word_that_this_exchange_would_not_give_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_cursor(text, NANJING)
    assert refused.value.code == "bad-request"


@given(st.text(max_size=60))
def test_no_text_makes_the_parser_raise_anything_else(text: str) -> None:
    try:
        offset = parse_cursor(text, NANJING)
    except Refused:
        return
    assert format_cursor(NANJING, offset) == text
