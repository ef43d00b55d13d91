"""The rules as data: every code is in the code table, every sentence is whole in both languages."""

from __future__ import annotations

from dataclasses import fields

import pytest

from services.cases import rules
from services.cases.rules import FIELDS_ZH, RULES, Rule, Words, fields_missing
from services.events.transfer import TransferMoved, TransferOpened
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_stands_in_the_code_table_and_fills_its_sentences(rule: Rule) -> None:
    assert load_code_tables(SCHEMAS_DIR / "codes")["rules"].latest(rule.code) is not None
    words = {"mover": "A", "move": "B", "state": "C", "what": "D"}
    for template in (rule.zh, rule.en):
        said = template.format(**words)
        assert "{" not in said
        assert "B" in said or rule.code == "unknown_case"
        assert said.endswith(("。", "."))
    assert "不产生效力" in rule.zh or "不重复生效" in rule.zh
    assert "no effect" in rule.en or "no second effect" in rule.en


def test_every_field_that_a_table_may_need_has_a_name() -> None:
    assert {field.name for event in (TransferOpened, TransferMoved) for field in fields(event)} == set(FIELDS_ZH)


def test_a_refusal_lists_its_things_in_both_languages() -> None:
    refusal = Words(("甲", "乙"), ("a", "b")).of(rules.NOT_YOURS)
    assert (refusal.rule, refusal.zh, refusal.en) == (rules.NOT_YOURS, "甲、乙", "a, b")
    assert fields_missing(rules.INCOMPLETE_MOVE, ("text", "reason")).zh == "说明（text）、理由（reason）"
