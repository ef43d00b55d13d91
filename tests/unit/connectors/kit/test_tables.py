"""Code tables translate both ways and let nothing through untranslated."""

import pytest

from connectors.kit.tables import compile_table
from services.kernel.errors import BadSettings, Refused

TABLE = compile_table("t", {"1": "trademark", "2": "patent", "2b": "patent"})


def test_a_code_is_translated_both_ways() -> None:
    assert TABLE.read("1") == "trademark"
    assert TABLE.write("trademark") == "1"


def test_of_several_codes_for_one_of_ours_the_first_is_written() -> None:
    assert TABLE.read("2b") == "patent"
    assert TABLE.write("patent") == "2"


def test_an_unlisted_code_is_refused_in_both_directions() -> None:
    for translate in (TABLE.read, TABLE.write):
        with pytest.raises(Refused) as refused:
            translate("other")
        assert refused.value.code == "cannot-map"


def test_a_table_may_name_what_stands_for_unlisted_codes() -> None:
    table = compile_table("t", {"1": "trademark", "read:*": "other", "write:*": "99"})
    assert table.read("7") == "other"
    assert table.write("design") == "99"
    assert table.read("read:*") == "other"
    assert "read:*" not in table.ours


def test_a_table_that_is_not_text_to_text_is_a_bad_setting() -> None:
    with pytest.raises(BadSettings):
        compile_table("t", {"1": 2})
