from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.opaque import opened, sealed


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=120))
def test_a_word_is_opened_to_what_was_sealed(plain: str) -> None:
    assert opened(sealed(plain), 200) == plain


@pytest.mark.parametrize("word", ["", "====", "YQ==", "YR", "a b", "é", sealed("x" * 300)])
def test_any_other_word_opens_to_nothing(word: str) -> None:
    assert opened(word, 200) == ""
