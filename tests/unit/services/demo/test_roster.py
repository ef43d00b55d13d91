"""The cities of the demo fit the mappings, the directory of participants and the scenarios."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from connectors.kit.dialect import load_dialect
from services.demo.roster import load_roster
from services.demo.scenario import load_scenarios
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings


def test_at_least_eight_organs_of_six_cities_take_part() -> None:
    cities = load_roster()
    assert len(cities) == 6
    assert sum(len(city.organs) for city in cities) >= 8


def test_every_organ_is_registered_and_has_a_mapping() -> None:
    directory = tomllib.loads((SCHEMAS_DIR / "agreements" / "participants.toml").read_text("utf-8"))
    known = {row["id"] for row in directory["participants"]}
    organs = [organ for city in load_roster() for organ in city.organs]
    assert {organ.id for organ in organs} <= known
    assert all(load_dialect(organ.dialect).inward for organ in organs)


def test_every_organ_of_every_scenario_has_a_system_in_the_demo() -> None:
    organs = {organ.id for city in load_roster() for organ in city.organs}
    for scenario in load_scenarios():
        assert set(scenario.participants) <= organs, scenario.name
        named = {e.by for e in scenario.expectations if e.by is not None}
        assert named <= organs, scenario.name


@pytest.mark.parametrize("text", ["", "city = 1", "[[city]]\nnode = 'a'\nzh = ''\nen = ''\norgans = [{ id = 'x' }]"])
def test_a_file_that_is_not_of_the_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=r"demo\.toml"):
        load_roster(path)


def test_two_organs_of_one_name_are_refused(tmp_path: Path) -> None:
    organ = (
        "{ id = '320100.police', dialect = 'd', form = 'flat', short = 's', officer = 'o', phone = 'p', section = 's' }"
    )
    path = tmp_path / "demo.toml"
    path.write_text(f"[[city]]\nnode = 'a'\nzh = ''\nen = ''\norgans = [{organ}, {organ}]", encoding="utf-8")
    with pytest.raises(BadSettings, match="stands once"):
        load_roster(path)
