"""The plain formats; those of identifiers are tested with the identifiers."""

from __future__ import annotations

import pytest

from services.kernel.formats import FORMATS

GOOD_AND_BAD = [
    (
        "event_type",
        ["cn.ipx.clue.ClueReported"],
        ["ClueReported", "cn.ipx.clue.clueReported", "cn.ipx.clue.ClueReported\n"],
    ),
    ("log_partition", ["ipx.clues/3", "t-7.members.in/0"], ["ipx.clues", "ipx.clues/03", "/3"]),
    ("name", ["ipx", "yrd-enforcement"], ["", "Ipx", "1st", "a_b"]),
    ("nice_class", [1, 45], [0, 46]),
    ("non_negative", [0, 1], [-1]),
    ("positive", [1], [0, -1]),
    ("public_key", [bytes(32), bytes(64)], [b"", bytes(31), bytes(33), bytes(63), bytes(65)]),
    ("sha256", ["sha256:" + "0a" * 32], ["0a" * 32, "sha256:" + "0A" * 32]),
    ("text", ["x", "汉" * 20_000], ["", " \n\t", "x" * 20_001]),
    ("text_short", ["x" * 300], ["x" * 301, "　"]),
    ("token", ["http-503", "ReadTimeout"], ["", "no route to 10.0.0.8", "可"]),
    (
        "url",
        ["https://shop.example/item?id=1", "http://某店.example/a"],
        ["ftp://a", "javascript:alert(1)", "https://", "https://a b"],
    ),
    ("uuid", ["0192f3c1-7b7e-7c58-a7ad-3a5a3c8e1f52"], ["0192F3C1-7B7E-7C58-A7AD-3A5A3C8E1F52", "CL-1"]),
]


@pytest.mark.parametrize(("form", "good", "bad"), GOOD_AND_BAD, ids=[row[0] for row in GOOD_AND_BAD])
def test_a_format_takes_what_is_of_it_and_says_what_it_expected_of_the_rest(
    form: str, good: list[object], bad: list[object]
) -> None:
    assert [FORMATS[form](value) for value in good] == [None] * len(good)
    for value in bad:
        problem = FORMATS[form](value)
        assert problem is not None, value
        assert problem.expected
        assert problem.expected_zh
        assert not problem.advisory


def test_a_long_text_is_not_repeated_in_the_problem() -> None:
    problem = FORMATS["text"]("x" * 30_000)
    assert problem is not None
    assert len(problem.got) <= 40
