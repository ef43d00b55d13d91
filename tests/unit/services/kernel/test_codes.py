"""Code tables: days of validity, names over time, and what is not a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.kernel.codes import CodeTables, day_of, load_code_tables, parse_code_table
from services.kernel.errors import BadSettings
from services.kernel.instants import parse_day, parse_instant

HEAD = "code,zh,en,parent,valid_from,valid_until,source\n"
TABLE = parse_code_table(
    "divisions",
    HEAD
    + "100000,全国,China,,,,made up\n"
    + "320600,南通市,Nantong,100000,,,made up\n"
    + "320684,海门市,Haimen City,320600,,2020-06-30,made up\n"
    + "320614,海门区,Haimen District,320600,2020-07-01,,made up\n"
    + "900001,旧名,Old name,,2020-01-01,2020-12-31,made up\n"
    + "900001,新名,New name,,2021-01-01,,made up\n",
)


def day(text: str) -> int:
    return parse_day(text)


def test_a_code_is_valid_from_its_first_day_to_its_last_both_included() -> None:
    assert TABLE.valid("320684", day("2020-06-30"))
    assert not TABLE.valid("320684", day("2020-07-01"))
    assert not TABLE.valid("320614", day("2020-06-30"))
    assert TABLE.valid("320614", day("2020-07-01"))
    assert not TABLE.valid("320699", day("2020-07-01"))


def test_a_code_without_days_is_always_valid() -> None:
    assert TABLE.valid("320600", day("1970-01-01"))
    assert TABLE.valid("320600", day("2999-01-01"))


def test_the_row_of_a_day_has_the_name_of_that_day_and_the_latest_the_last() -> None:
    rows = [TABLE.row("900001", day(text)) for text in ("2020-05-01", "2021-05-01", "2019-05-01")]
    assert [row and row.en for row in rows] == ["Old name", "New name", None]
    latest = TABLE.latest("900001")
    assert latest is not None
    assert latest.en == "New name"
    assert TABLE.latest("nothing") is None


def test_asking_for_many_days_gives_the_same_answers() -> None:
    answers = [TABLE.valid("900001", day("2020-01-01") + shift) for shift in range(800)]
    assert answers == [True] * 800
    assert TABLE.valid("320614", day("2020-07-01"))


def test_an_instant_falls_on_the_day_in_china() -> None:
    assert day_of(parse_instant("2026-11-23T15:59:59.999Z")) == day("2026-11-23")
    assert day_of(parse_instant("2026-11-23T16:00:00.000Z")) == day("2026-11-24")


def test_the_lineage_of_a_division_goes_up_to_the_nation() -> None:
    tables = CodeTables({"divisions": TABLE})
    assert tables.lineage("320614") == ("320614", "320600", "100000")
    assert tables.lineage("000000") == ()


def test_a_table_that_is_not_there_is_a_bad_setting() -> None:
    with pytest.raises(BadSettings):
        CodeTables({})["divisions"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "code,en,zh,valid_from,valid_until,source\n",
        HEAD + "1,一,one,,,\n",
        HEAD + "1,一,one,,,,\n",
        HEAD + "1,,one,,,,x\n",
        HEAD + "1,一,one,,2020-1-1,,x\n",
        HEAD + "1,一,one,,2020-02-30,,x\n",
        HEAD + "1,一,one,,,,x,more\n",
        HEAD + "1,一,one,,,,x\n1,一,uno,,2021-01-01,,x\n",  # the first never ends
        HEAD + "1,一,one,,,2020-12-31,x\n1,一,uno,,2020-12-31,,x\n",  # they share a day
        HEAD + "1,一,one,,,2020-12-31,x\n1,一,uno,,,,x\n",
    ],
)
def test_a_text_that_is_not_a_code_table_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadSettings, match="broken"):
        parse_code_table("broken", text)


def test_a_directory_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        load_code_tables(tmp_path)


def test_tables_are_known_by_their_file_name(tmp_path: Path) -> None:
    (tmp_path / "levels.csv").write_text("code,zh,en,valid_from,valid_until,source\na,甲,A,,,x\n", encoding="utf-8")
    tables = load_code_tables(tmp_path)
    assert "levels" in tables
    assert "divisions" not in tables
    assert tables["levels"].valid("a", 0)
