import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.case_cursor import format_case_cursor, parse_case_cursor
from services.kernel.errors import Refused

NANJING = "320100.market_regulator"


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/#@-]{0,127}", fullmatch=True))
def test_a_cursor_is_read_back_as_the_case_it_was_made_for(case: str) -> None:
    assert parse_case_cursor(format_case_cursor(NANJING, case), NANJING) == case


def test_a_cursor_of_another_participant_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        parse_case_cursor(format_case_cursor("330100.police", "TR-1"), NANJING)
    assert (refused.value.code, refused.value.field) == ("bad-request", "after")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "TR-1",
        "%%%",
        "é",
        "x" * 500,
        base64.urlsafe_b64encode(b"ipxcases1 320100.market_regulator ").decode().rstrip("="),
        base64.urlsafe_b64encode(b"ipx1 320100.market_regulator 1").decode().rstrip("="),
        format_case_cursor(NANJING, "TR-1") + "=",
        format_case_cursor(NANJING, "TR-1") + "\n",
    ],
)
def test_any_word_that_this_list_would_not_give_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_case_cursor(text, NANJING)
    assert refused.value.code == "bad-request"
