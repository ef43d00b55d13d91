"""Scenario files are read and checked before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.demo.scenario import load_scenarios, read_scenario
from services.kernel.errors import BadSettings

GOOD = """
title_zh = "标题"
title_en = "title"
source = "domain 6"
story_zh = "经过"
story_en = "story"

[[step]]
at = "320100.market_regulator"
do = "report"
clue = "a"
zh = "登记"
en = "enter"
[step.form]
xsbh = "{number}"

[[expect]]
clue = "a"
end = "filed"
by = "330200.market_regulator"
"""


def write(folder: Path, text: str, name: str = "01-case.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_scenarios_that_ship_are_well_formed_and_speak_of_published_cases() -> None:
    shipped = {scenario.name: scenario for scenario in load_scenarios()}
    assert {"battery", "overseas-holder", "nine-provinces", "customs", "handover"} <= set(shipped)
    assert shipped["handover"].clues() == {"list": 254}
    assert all("domain" in s.source or "design" in s.source for s in shipped.values())


def test_the_scenarios_take_place_in_six_cities_of_three_provinces() -> None:
    organs = {organ for scenario in load_scenarios() for organ in scenario.participants}
    places = {organ.partition(".")[0] for organ in organs if not organ.startswith("customs.")}
    assert len(organs) >= 8
    assert {place[:4] for place in places} >= {"3201", "3205", "3302", "3310", "3401", "3100"}
    assert {place[:2] for place in places} >= {"32", "33", "34"}


def test_a_scenario_says_who_takes_part_and_which_clues_it_has(tmp_path: Path) -> None:
    scenario = read_scenario("case", write(tmp_path, GOOD))
    assert scenario.participants == ("320100.market_regulator",)
    assert scenario.clues() == {"a": 1}
    assert not scenario.alone


def test_a_table_becomes_one_form_a_line_laid_into_the_common_form(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("标题 xs.bt,权利 xs.ql.0.mc,空 xs.kong\n甲,某商标,\n乙,,x\n", encoding="utf-8")
    text = GOOD.replace('en = "enter"', 'en = "enter"\nrows = "list.csv"')
    scenario = read_scenario("case", write(tmp_path, text))
    first, second = scenario.steps[0].forms
    assert first == {"xsbh": "{number}", "xs": {"bt": "甲", "ql": [{"mc": "某商标"}]}}
    assert second == {"xsbh": "{number}", "xs": {"bt": "乙", "kong": "x"}}
    assert scenario.clues() == {"a": 2}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('do = "report"', 'do = "fly"'),
        ('end = "filed"', 'end = "forgotten"'),
        ('at = "320100.market_regulator"', 'at = "Nanjing"'),
        ('by = "330200.market_regulator"', 'by = "ningbo"'),
        ('clue = "a"\nend', 'clue = "b"\nend'),
        ('title_en = "title"\n', ""),
        ('title_en = "title"\n', 'title_en = "title"\ncolour = "red"\n'),
        ('end = "filed"', 'end = "hidden"'),
        ('en = "enter"', 'en = "enter"\nrows = "nowhere.csv"'),
        ("[[expect]]", "[[expect"),
    ],
)
def test_a_file_that_is_not_of_the_form_is_refused_with_its_name(tmp_path: Path, old: str, new: str) -> None:
    assert old in GOOD
    with pytest.raises(BadSettings, match=r"01-case\.toml"):
        read_scenario("case", write(tmp_path, GOOD.replace(old, new)))


def test_a_scenario_without_an_end_proves_nothing_and_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="no end"):
        read_scenario("case", write(tmp_path, GOOD.partition("[[expect]]")[0]))


def test_a_name_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert [s.name for s in load_scenarios(tmp_path, ["case"])] == ["case"]
    with pytest.raises(BadSettings, match="there are case"):
        load_scenarios(tmp_path, ["other"])
