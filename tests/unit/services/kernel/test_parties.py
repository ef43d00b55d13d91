"""Ids of participants and what is read out of them."""

from __future__ import annotations

import pytest

from services.kernel.parties import (
    agreement_ref,
    check_agreement_ref,
    check_key_id,
    check_member,
    check_participant,
    division_of,
    is_exchange_part,
    organ_type_of,
)


@pytest.mark.parametrize("text", ["320100.market_regulator", "customs.2300", "exchange.clues"])
def test_the_three_forms_of_a_participant_pass(text: str) -> None:
    assert check_participant(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "suzhou.market_regulator",
        "320100",
        "320100.",
        "32010.police",
        "customs.23",
        "exchange",
        "320100.Police",
        "320100.police\n",
        "",
    ],
)
def test_a_participant_is_never_named_by_pinyin_or_in_another_form(text: str) -> None:
    assert check_participant(text) is not None


def test_a_member_is_a_division_or_a_participant() -> None:
    assert [check_member(text) is None for text in ("320100", "customs.2300", "上海", "3201")] == [
        True,
        True,
        False,
        False,
    ]


def test_a_key_id_is_a_participant_and_sixteen_hex_digits() -> None:
    assert check_key_id("320100.police#0123456789abcdef") is None
    assert check_key_id("320100.police#0123456789ABCDEF") is not None
    assert check_key_id("320100.police") is not None


def test_an_agreement_ref_is_made_as_it_is_read() -> None:
    assert check_agreement_ref(agreement_ref("yrd-enforcement", 3)) is None
    assert check_agreement_ref("yrd-enforcement@0") is not None
    assert check_agreement_ref("yrd-enforcement") is not None


@pytest.mark.parametrize(
    ("text", "organ", "division", "part"),
    [
        ("320100.market_regulator", "market_regulator", "320100", False),
        ("customs.2300", "customs", None, False),
        ("exchange.clues", "exchange", None, True),
    ],
)
def test_organ_type_and_division_are_read_out_of_the_id(
    text: str, organ: str, division: str | None, part: bool
) -> None:
    assert (organ_type_of(text), division_of(text), is_exchange_part(text)) == (organ, division, part)
