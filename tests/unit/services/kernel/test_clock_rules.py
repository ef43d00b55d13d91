"""Rules of different dates stand side by side; the one of the trigger's day is found."""

from __future__ import annotations

from dataclasses import replace

from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_rules import ClockRules
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import parse_day

RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
OLD = RULES.versions("B1")[0]
CHANGE = parse_day("2026-04-15")
NEW = replace(OLD, length=5, valid_from=CHANGE, valid_until=None)


def test_a_case_keeps_the_rule_of_the_day_of_its_trigger() -> None:
    rules = ClockRules((OLD, NEW), RULES.moments, RULES.grounds, ())
    assert rules.versions("B1") == (OLD, NEW)
    assert rules.in_force("B1", CHANGE - 1) is OLD
    assert rules.in_force("B1", CHANGE) is NEW


def test_there_is_no_rule_before_the_first_nor_after_the_last() -> None:
    assert RULES.in_force("B1", CHANGE) is None
    assert RULES.in_force("F1", parse_day("2025-01-31")) is None
    assert RULES.in_force("no such clock", CHANGE) is None
    assert RULES.versions("no such clock") == ()


def test_what_starts_a_clock_and_what_it_hears_is_that_of_every_version_of_its_rule() -> None:
    [a3] = RULES.versions("A3")
    newer = replace(a3, trigger=(RULES.moments["clue_received"],), stops=(), valid_from=CHANGE)
    both = replace(RULES, rules=(replace(a3, valid_until=CHANGE - 1), newer))
    assert both.triggers_of("A3") == {"dispute_arisen", "clue_received"}
    assert both.heard_by("A3") == a3.hears | {"clue_received"}
    assert (both.triggers_of("B6"), both.heard_by("B6")) == (frozenset(), frozenset())


def test_a_rule_names_its_source_and_whether_it_is_only_shown() -> None:
    rule = RULES.versions("C6")[0]
    assert rule.source == "行政执法机关移送涉嫌犯罪案件的规定 8 [L7]"
    assert not rule.advisory
    assert RULES.versions("D4")[0].advisory


def test_the_ids_of_a_rule_follow_its_words() -> None:
    assert replace(OLD, stops=()).ids["stops"] == frozenset()
    assert OLD.ids["trigger"] == {"complaint_received"}
