"""Checks of identifiers: known good numbers pass, each kind of slip is named, and no other digit passes for the check digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.identifiers import (
    check_court_case_number,
    check_customs_code,
    check_division,
    check_document_number,
    check_identity_number,
    check_patent_number,
    check_software_copyright_number,
    check_trademark_number,
    check_uscc,
    identity_check_character,
    organisation_check_character,
    patent_check_digit,
    uscc_check_character,
)

USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def uscc(first8: str, body: str) -> str:
    without_check = f"{first8}{body}{organisation_check_character(body)}"
    return without_check + uscc_check_character(without_check)


@pytest.mark.parametrize("code", ["91320100MA1QXT001U", "91110000600037341L", "9144030071526726XG"])
def test_a_credit_code_with_both_checks_right_passes(code: str) -> None:
    assert check_uscc(code) is None


def test_the_worked_example_of_the_standard_gives_its_check_characters() -> None:
    assert organisation_check_character("MA1QXT00") == "1"
    assert uscc_check_character("91320100MA1QXT001") == "U"


@pytest.mark.parametrize("first8", ["N2320100", "Y1110000", "A1310000"])
def test_a_credit_code_that_begins_with_a_letter_passes(first8: str) -> None:
    assert check_uscc(uscc(first8, "MA1QXT00")) is None


@pytest.mark.parametrize(
    "code",
    [
        "91320100MA1QXT001",  # 17
        "91320100MA1QXT001UU",  # 19
        "91320100MA1QXT00IU",  # I is not in the alphabet
        "91320100ma1qxt001u",
        "91320100MA1QXT001U\n",
        "９1320100MA1QXT001U",
        "",
    ],
)
def test_a_credit_code_of_another_form_is_named_by_its_alphabet(code: str) -> None:
    problem = check_uscc(code)
    assert problem is not None
    assert "18" in problem.expected
    assert not problem.advisory


def test_a_wrong_organisation_check_is_told_apart_from_a_wrong_final_check() -> None:
    wrong17 = "91320100MA1QXT002" + uscc_check_character("91320100MA1QXT002")
    assert "17" in (check_uscc(wrong17) or pytest.fail("passed")).expected
    assert "18" in (check_uscc("91320100MA1QXT001W") or pytest.fail("passed")).expected


@given(st.text(USCC_ALPHABET, min_size=8, max_size=8), st.text(USCC_ALPHABET, min_size=8, max_size=8), st.data())
def test_no_single_changed_character_of_a_credit_code_passes(first8: str, body: str, data: st.DataObject) -> None:
    code = uscc(first8, body)
    assert check_uscc(code) is None
    at = data.draw(st.integers(0, 17))
    other = data.draw(st.sampled_from(USCC_ALPHABET.replace(code[at], "")))
    assert check_uscc(code[:at] + other + code[at + 1 :]) is not None


@pytest.mark.parametrize("number", ["ZL201721264785.9", "201721264785.9", "95115608.X", "ZL95115608.X"])
def test_a_patent_number_of_either_form_passes_with_or_without_zl(number: str) -> None:
    assert check_patent_number(number) is None


@pytest.mark.parametrize(
    "number",
    [
        "ZL201721264785.8",  # check digit
        "ZL201741264785.9",  # kind 4
        "ZL2017212647859",  # no point
        "ZL199921264785.9",  # twelve digits began in 2003
        "ZL 201721264785.9",
        "CN201721264785.9",
        "95115608.x",
        "04115608.1",  # eight digits ended in 2003
    ],
)
def test_a_patent_number_with_a_slip_is_refused(number: str) -> None:
    problem = check_patent_number(number)
    assert problem is not None
    assert not problem.advisory


@given(
    st.integers(2003, 2099),
    st.sampled_from("12389"),
    st.integers(0, 9_999_999),
    st.sampled_from("0123456789X"),
)
def test_exactly_one_check_digit_of_a_patent_number_passes(year: int, kind: str, serial: int, digit: str) -> None:
    digits = f"{year}{kind}{serial:07d}"
    assert (check_patent_number(f"ZL{digits}.{digit}") is None) == (digit == patent_check_digit(digits))


@pytest.mark.parametrize("number", ["1", "3210010", "12345678", "G1234567", "G832145", "G1234567A"])
def test_a_trademark_number_passes(number: str) -> None:
    assert check_trademark_number(number) is None


@pytest.mark.parametrize("number", ["", "0123", "123456789", "第3210010号", "G", "g123", "3210010 ", "３２１００１０"])
def test_a_trademark_number_with_more_than_the_number_is_refused(number: str) -> None:
    assert check_trademark_number(number) is not None


@pytest.mark.parametrize(
    "number",
    [
        "（2023）苏01民初123号",
        "(2023)苏01民初123号",
        "（2019）最高法知民终1号",
        "（2021）京73民初1234号",
        "（2022）沪0115知民初5号",
    ],
)
def test_a_court_case_number_passes_with_full_and_half_width_brackets(number: str) -> None:
    assert check_court_case_number(number) is None


@pytest.mark.parametrize("number", ["2023苏01民初123号", "（2023）苏01民初号", "案号待定", "（23）苏01民初1号"])
def test_another_court_case_number_is_a_warning_never_a_refusal(number: str) -> None:
    problem = check_court_case_number(number)
    assert problem is not None
    assert problem.advisory


def test_a_document_number_and_a_software_number_of_another_form_are_warnings() -> None:
    assert check_document_number("苏市监移〔2026〕12号") is None
    assert check_document_number("苏市监移（2026）12号") is None
    assert check_software_copyright_number("2023SR0123456") is None
    problems = [check_document_number("12"), check_software_copyright_number("软著登字第1号")]
    assert [problem is not None and problem.advisory for problem in problems] == [True, True]


def test_a_division_and_a_customs_code_are_digits_only() -> None:
    assert check_division("320100") is None
    assert check_customs_code("2300") is None
    assert [check_division(text) is None for text in ("32010", "3201000", "南京市", "032010", "32010１")] == [False] * 5
    assert check_customs_code("23000") is not None


def test_an_identity_number_passes_with_its_check_character_and_a_day_of_the_calendar() -> None:
    assert check_identity_number("320106199003071234") is None
    assert check_identity_number("32010619900307123" + "5") is not None
    assert check_identity_number("32010619900230123" + identity_check_character("32010619900230123")) is not None


@given(st.text(min_size=0, max_size=20))
def test_a_problem_with_an_identity_number_warns_and_never_repeats_it(text: str) -> None:
    problem = check_identity_number(text)
    assert problem is None or (problem.advisory and problem.got == "")


@given(st.text(max_size=40))
def test_no_check_raises_on_any_text(text: str) -> None:
    for check in (
        check_uscc,
        check_patent_number,
        check_trademark_number,
        check_software_copyright_number,
        check_court_case_number,
        check_document_number,
        check_division,
        check_customs_code,
        check_identity_number,
    ):
        check(text)
