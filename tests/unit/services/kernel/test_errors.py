"""The error tree: stable codes, and each kind under one root."""

from __future__ import annotations

import pytest

from services.kernel.errors import BadSettings, Corrupt, InvalidRecord, IpxError, Refused, Transient


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRecord("ipx.clues", 3, 17, "no frame"), "invalid-record"),
        (Transient("away"), "unavailable"),
        (Corrupt("broken"), "corrupt"),
        (BadSettings("IPX_X"), "bad-settings"),
        (Refused("conflict", "twice", field="id"), "conflict"),
    ],
)
def test_every_error_has_a_stable_code_and_one_root(error: IpxError, code: str) -> None:
    assert error.code == code
    assert isinstance(error, IpxError)


def test_a_refusal_carries_its_sentence_and_its_field() -> None:
    refused = Refused("bad-field", "expected a day", field="seen_on")
    assert (refused.message, refused.field, str(refused)) == ("expected a day", "seen_on", "expected a day")
    assert Refused("bad-field", "x").field is None


def test_an_invalid_record_says_where_it_is() -> None:
    error = InvalidRecord("ipx.clues", 3, 17, "no frame")
    assert str(error) == "ipx.clues/3@17: no frame"
    assert (error.topic, error.partition, error.offset, error.reason) == ("ipx.clues", 3, 17, "no frame")


def test_one_refusal_does_not_change_the_code_of_another() -> None:
    Refused("conflict", "x")
    assert IpxError.code == "error"
    assert Refused("bad-field", "x").code == "bad-field"
