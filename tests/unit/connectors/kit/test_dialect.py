"""Every city that is described: it can be read, says every code of ours, and maps its golden samples both ways.

``connectors/cities/<division>/samples/*.json``: ``from_city`` samples have a happening and the event it becomes, ``to_city`` samples an
event and the document it becomes.
"""

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.dialect import CITIES_DIR, load_dialect
from connectors.kit.mapping import draft, message
from connectors.kit.shapes import OutgoingRefused
from connectors.rest.system import compile_system
from services.codec.field_rules import compile_field_rules
from services.codec.released import load_released
from services.events import from_value, to_value
from services.kernel.clock_documents import load_clock_rules
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings

load_dialect = cache(load_dialect)
CITIES = sorted(path.parent.name for path in CITIES_DIR.glob("*/city.toml"))
SAMPLES = sorted(CITIES_DIR.glob("*/samples/*.json"))
RELEASED = load_released()
TABLES = load_code_tables(SCHEMAS_DIR / "codes")
OURS = {
    "clue_subtypes": ("xslx", "xiansuoLeixing"),
    "right_types": ("qqlx", "quanliLeixing"),
    "reporter_kinds": ("jbrlx", "jubaorenLeixing"),
    "evidence_kinds": ("zjxs", "zhengjuXingshi"),
    "agency_conducts": ("dlwf", "dailiWeifa"),
    "customs_directions": ("jcklx", "jinchukou"),
    "return_reasons": ("thyy", "tuihuiYuanyin"),
    "verification_outcomes": ("hcjl", "hechaJielun"),
    "non_filing_grounds": ("bly", "buyuLianLiyou"),
    "clue_results": ("cljg", "chuliJieguo"),
    "transfer_kinds": ("ajlx", "anjianLeixing"),
    "transfer_moves": ("czlx", "caozuoLeixing"),
    "transfer_reasons": ("czyy", "caozuoYuanyin"),
    "transfer_results": ("czjg", "caozuoJieguo"),
    "transfer_states": ("ajzt", "anjianZhuangtai"),
    "document_kinds": ("wjlx", "wenjianLeixing"),
    "agreement_matters": ("xysx", "xieyiShixiang"),
    "clock_grounds": ("kcsy", "kouchuShiyou"),
    "clock_moments": ("sxlx", "shixiangLeixing"),
    "clock_states": ("qxzt", "qixianZhuangtai"),
    "clock_changes": ("bdyy", "biandongYuanyin"),
}
EXTENSIONS = ("yqlx", "yanqiLeixing")


@pytest.mark.parametrize("name", CITIES)
def test_a_city_can_be_read_and_every_door_that_it_names_is_there(name: str) -> None:
    dialect = load_dialect(name)
    system = compile_system(dialect.system, name)
    assert {outward.door for outward in dialect.outward.values()} <= set(system.doors)
    assert system.pull is not None
    assert dialect.kind_path == system.pull.kind
    assert OutgoingRefused.TYPE in dialect.outward


@pytest.mark.parametrize("name", CITIES)
def test_a_city_has_a_word_for_every_code_of_ours(name: str) -> None:
    dialect = load_dialect(name)
    for table, names in OURS.items():
        own = next(dialect.tables[each] for each in names if each in dialect.tables)
        with (SCHEMAS_DIR / "codes" / f"{table}.csv").open(encoding="utf-8") as file:
            codes = {row["code"] for row in csv.DictReader(file)}
        assert codes <= set(own.theirs), f"{name} {own.name}"
        assert set(own.theirs) <= codes, f"{name} {own.name}"


@pytest.mark.parametrize("name", CITIES)
def test_a_city_has_a_word_for_every_extension_of_a_term(name: str) -> None:
    dialect = load_dialect(name)
    own = next(dialect.tables[each] for each in EXTENSIONS if each in dialect.tables)
    rules = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml").rules
    assert set(own.theirs) == {extension.id for rule in rules for extension in rule.extensions}


def sample_id(path: Path) -> str:
    return f"{path.parents[1].name}/{path.stem}"


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@pytest.mark.parametrize("path", SAMPLES, ids=sample_id)
def test_a_golden_sample_is_mapped_as_it_says(path: Path) -> None:
    sample, dialect = read(path), load_dialect(path.parents[1].name)
    if sample["way"] == "to_city":
        outward = dialect.for_type(sample["type"])
        assert outward is not None
        said = message(outward, sample["value"], sample["known"])
        assert {"door": said.door, "document": said.document} == sample["becomes"]
        return
    inward = dialect.for_kind(sample["kind"])
    assert inward is not None
    drafted = draft(inward, sample["item"], sample["known"])
    names = ("type", "subject", "time_ms", "agreement", "addressee", "cause", "value")
    assert {name: getattr(drafted, name) for name in names} == sample["becomes"]


@pytest.mark.parametrize("path", SAMPLES, ids=sample_id)
def test_the_event_of_a_golden_sample_is_one_that_the_exchange_takes(path: Path) -> None:
    sample = read(path)
    if sample.get("type") == OutgoingRefused.TYPE:
        return
    event_type, value, at_ms = (
        (sample["becomes"]["type"], sample["becomes"]["value"], sample["becomes"]["time_ms"])
        if sample["way"] == "from_city"
        else (sample["type"], sample["value"], sample["known"]["time_ms"])
    )
    schema = RELEASED.named(event_type)
    whole = to_value(from_value(event_type, value))
    schema.encode(whole)
    wrong = [p for p in compile_field_rules(schema.json).check(whole, at_ms, TABLES) if not p.warning]
    assert wrong == []


def test_every_mapping_of_the_two_dialects_has_a_golden_sample() -> None:
    for name in ("320100", "330100"):
        dialect = load_dialect(name)
        had = [read(path) for path in SAMPLES if path.parents[1].name == name]
        assert {s["kind"] for s in had if s["way"] == "from_city"} == set(dialect.inward)
        assert {s["type"] for s in had if s["way"] == "to_city"} == set(dialect.outward)


def test_a_city_may_differ_from_the_one_it_is_based_on(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "city.toml").write_text('name = "甲"\n[pull]\nkind = "k"\nkey = "i"\n')
    (tmp_path / "a" / "codes.toml").write_text('[t]\n"1" = "x"\n')
    mapping = 'type = "cn.ipx.receipt.Rejected"\n[to_city]\ndoor = "d"\n[to_city.fields]\na = "code"\n'
    (tmp_path / "a" / "Rejected.toml").write_text(mapping)
    (tmp_path / "b" / "city.toml").write_text('based_on = "a"\nname = "乙"\n[pull]\nkey = "j"\n')
    (tmp_path / "b" / "codes.toml").write_text('[t]\n"2" = "y"\n')
    dialect = load_dialect("b", tmp_path)
    assert (dialect.name, dialect.kind_path, dialect.key_path) == ("乙", "k", "j")
    assert dialect.tables["t"].ours == {"2": "y"}
    assert list(dialect.outward) == ["cn.ipx.receipt.Rejected"]


@pytest.mark.parametrize("text", ['based_on = "a"\n', 'based_on = "nothing"\n', "name = \n"])
def test_a_folder_that_cannot_be_read_is_a_bad_setting(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "city.toml").write_text(text)
    with pytest.raises(BadSettings):
        load_dialect("a", tmp_path)


def test_a_kind_that_two_mappings_take_is_a_bad_setting(tmp_path: Path) -> None:
    for name in ("320100",):
        folder = tmp_path / name
        folder.mkdir()
        for path in (CITIES_DIR / name).glob("*.toml"):
            (folder / path.name).write_text(path.read_text("utf-8").replace('kinds = ["TH"]', 'kinds = ["SL"]'))
    with pytest.raises(BadSettings, match="SL"):
        load_dialect("320100", tmp_path)
