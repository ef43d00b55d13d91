"""Clock rules as a document: what is read, and what is refused by name."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.kernel.clock_documents import load_clock_rules, parse_clock_rules
from services.kernel.errors import BadSettings
from services.kernel.instants import parse_day

TEXT = """
document = [{ id = "law", zh = "法", en = "Law", source = "[L1]" }, { id = "hearsay", zh = "传", en = "Hearsay", source = "MU" }]
role = [{ id = "organ", zh = "机关", en = "the organ", organ_types = ["police"] }]
ground = [{ id = "testing", zh = "检测", en = "testing" }]
moment = [
  { id = "begun", zh = "开始", en = "begun", event_types = ["cn.ipx.clue.ClueReported"] },
  { id = "done", zh = "完成", en = "done" },
]
no_clock = [{ id = "Z2", zh = "无期限", en = "no term" }]

[[rule]]
id = "Z1"
row = "Z1"
zh = "办理"
en = "handling"
trigger = ["begun"]
actor = "organ"
length = 7
unit = "working_day"
start = "next_day"
last_day = "by_nature"
counting = "law 1"
stops = ["done"]
exclusions = ["testing"]
effect = "overdue"
consequence_zh = "逾期"
consequence_en = "overdue"
citations = [{ document = "law", article = "1" }]
confidence = "certain"
warn = 2

[[rule.extension]]
id = "complex"
zh = "案情复杂"
en = "complex"
grantor = "organ"
to = 30
granted = "before_expiry"
document = "hearsay"
article = "not seen"
confidence = "advisory"
"""


def document() -> dict[str, Any]:
    return tomllib.loads(TEXT)


def rule_of(stated: dict[str, Any]) -> dict[str, Any]:
    rule: dict[str, Any] = stated["rule"][0]
    return rule


def change_rule(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda stated: rule_of(stated).update(changes)


def change_extension(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda stated: rule_of(stated)["extension"][0].update(changes)


def second_version(**changes: object) -> Callable[[dict[str, Any]], None]:
    def change(stated: dict[str, Any]) -> None:
        first = rule_of(stated)
        stated["rule"].append({**copy.deepcopy(first), **changes})

    return change


def day(text: str) -> object:
    return tomllib.loads(f"day = {text}")["day"]


def test_a_rule_is_read_as_it_stands() -> None:
    rules = parse_clock_rules(document())
    rule = rules.rules[0]
    assert (rule.id, rule.length, rule.unit, rule.actor.kinds) == ("Z1", 7, "working_day", ("police",))
    assert [word.id for word in (*rule.trigger, *rule.stops, *rule.exclusions)] == ["begun", "done", "testing"]
    assert (rule.extensions[0].to, rule.extensions[0].times) == (30, None)
    assert (rule.citations[0].document_en, rule.citations[0].article) == ("Law", "1")
    assert [word.id for word in rules.no_clocks] == ["Z2"]
    assert rules.moments["begun"].kinds == ("cn.ipx.clue.ClueReported",)


def test_versions_that_follow_one_another_stand_side_by_side() -> None:
    stated = document()
    change_rule(valid_until=day("2026-04-14"))(stated)
    second_version(valid_from=day("2026-04-15"), valid_until=day("2026-12-31"), length=5)(stated)
    versions = parse_clock_rules(stated).versions("Z1")
    assert [version.length for version in versions] == [7, 5]
    assert versions[1].valid_from == parse_day("2026-04-15")


@pytest.mark.parametrize(
    "change",
    [
        lambda stated: stated.update(extra=1),
        change_rule(extra=1),
        lambda stated: rule_of(stated).pop("citations"),
        change_rule(citations=[]),
        change_rule(citations=[{"document": "law"}]),
        change_rule(citations=[{"document": "law", "article": " "}]),
        change_rule(citations=[{"document": "no law", "article": "1"}]),
        change_rule(citations=[{"document": "hearsay", "article": "1"}]),  # unverified, yet certain
        change_rule(trigger=[]),
        change_rule(trigger=["unheard"]),
        change_rule(stops=[]),
        change_rule(exclusions=[]),  # leaves the ground idle
        change_rule(actor="nobody"),
        change_rule(length=0),
        change_rule(unit="week"),
        change_rule(start="exact_moment"),
        change_rule(last_day="as_is"),
        change_rule(unit="hour"),
        change_rule(effect="death"),
        change_rule(confidence="sure"),
        change_rule(hint_unit="working_day"),
        change_rule(valid_from=day("2026-04-15"), valid_until=day("2026-04-14")),
        change_extension(extra=1),
        change_extension(by=3),
        change_extension(to=7),
        change_extension(granted="whenever"),
        change_extension(article=""),
        change_extension(confidence="certain"),  # unverified, yet certain
        lambda stated: rule_of(stated)["extension"][0].pop("to"),
        lambda stated: rule_of(stated)["extension"].append(rule_of(stated)["extension"][0]),
        lambda stated: stated["moment"].append({"id": "idle", "zh": "无", "en": "idle"}),
        lambda stated: stated["moment"].append({"id": "done", "zh": "完成", "en": "done"}),
        lambda stated: stated["ground"][0].update(extra=1),
        lambda stated: stated["document"][0].pop("source"),
        second_version(),
        second_version(valid_from=day("2026-04-15")),
    ],
)
def test_a_document_that_is_not_of_the_form_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    stated = document()
    change(stated)
    with pytest.raises(BadSettings):
        parse_clock_rules(stated)


def test_versions_that_share_a_day_overlap() -> None:
    stated = document()
    change_rule(valid_until=day("2026-04-15"))(stated)
    second_version(valid_from=day("2026-04-15"))(stated)
    rule_of({"rule": stated["rule"][1:]}).pop("valid_until")
    with pytest.raises(BadSettings, match="overlap"):
        parse_clock_rules(stated)


def test_a_file_of_rules_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "clocks.toml").write_text(TEXT, encoding="utf-8")
    assert load_clock_rules(tmp_path / "clocks.toml").versions("Z1")
