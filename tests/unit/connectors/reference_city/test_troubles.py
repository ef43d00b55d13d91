"""Troubles last as long as they are told to, at the door they are told."""

import pytest

from connectors.reference_city.troubles import MODES, NONSENSE, BadTrouble, read_trouble


def test_a_trouble_lasts_so_many_requests_and_then_ends() -> None:
    trouble = read_trouble({"mode": "fail", "times": 2})
    assert [trouble.for_request("push").mode for _ in range(3)] == ["fail", "fail", "normal"]


def test_a_trouble_at_one_door_leaves_the_other_alone() -> None:
    trouble = read_trouble({"mode": "down", "where": "pull"})
    assert trouble.for_request("push").mode == "normal"
    assert trouble.for_request("pull").mode == "down"


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_can_be_told(mode: str) -> None:
    assert read_trouble({"mode": mode}).mode == mode


@pytest.mark.parametrize("document", [{"mode": "x"}, {"where": "x"}, {"kind": "x"}, {"more": 1}])
def test_what_is_not_understood_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(BadTrouble):
        read_trouble(document)


def test_no_nonsense_is_a_success_by_accident() -> None:
    assert all(b"NJXS" not in body for _, _, body in NONSENSE.values())
