"""A settings file that is wrong is complained of by place and expectation alone."""

from __future__ import annotations

from services.kernel.complaint import complaint


def test_each_place_is_named_with_what_was_expected_and_the_whole_as_the_file() -> None:
    errors = [
        {"loc": ("groups", 0, "needed"), "msg": "Input should be a valid integer", "input": "secret"},
        {"loc": (), "msg": "each name stands once"},
    ]
    assert complaint(errors) == "groups.0.needed: Input should be a valid integer; file: each name stands once"
    assert complaint([]) == ""
