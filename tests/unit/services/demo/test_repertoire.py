"""What the demo plays: clue cases and transfers at the real time, by name or all of them."""

from __future__ import annotations

import pytest

from services.demo.hand_over import load_hand_overs
from services.demo.repertoire import load_repertoire
from services.demo.roster import load_roster
from services.kernel.errors import BadSettings


def test_all_of_them_are_the_clue_cases_and_the_transfers_without_dates() -> None:
    clues, transfers = load_repertoire()
    assert "battery" in [scenario.name for scenario in clues]
    assert [story.name for story in transfers] == ["referral", "second-transfer"]
    assert all(turn.at_ms is None for story in transfers for turn in story.turns)


def test_names_may_be_of_either_kind() -> None:
    clues, transfers = load_repertoire(["referral", "battery"])
    assert ([one.name for one in clues], [one.name for one in transfers]) == (["battery"], ["referral"])


@pytest.mark.parametrize("name", ["nowhere", "no-reply"])
def test_a_name_of_neither_and_a_case_with_dates_are_refused_with_those_there_are(name: str) -> None:
    assert name == "nowhere" or name in [story.name for story in load_hand_overs()]
    with pytest.raises(BadSettings, match=f"no case {name}; there are .*battery.*referral"):
        load_repertoire([name])


def test_the_demos_own_cities_play_every_part_of_them() -> None:
    organs = {organ.id for city in load_roster() for organ in city.organs}
    for story in load_repertoire()[1]:
        assert set(story.participants) <= organs
