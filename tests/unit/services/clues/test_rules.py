"""The rules' codes and words agree with the code tables that other readers use."""

from __future__ import annotations

import string

from services.clues import rules
from services.clues.state import Stage
from services.events.clue import ClueAccepted, ClueFiled, ClueNotFiled, ClueReported, ClueReturned, ClueVerified
from tests.unit.services.clues.stage import tables

TODAY = 20781


def test_every_rule_is_in_the_table_of_rules_with_an_article() -> None:
    codes = {rule.code for rule in rules.RULES} | {rules.REFERRAL_CODE}
    assert codes <= tables()["rules"].codes_on(TODAY)
    assert all(rule.article for rule in rules.RULES)


def test_every_stage_has_the_name_of_its_code_table() -> None:
    table = tables()["clue_states"]
    assert {stage.value for stage in Stage} == table.codes_on(TODAY)
    assert {stage: table.row(stage, TODAY).zh for stage in rules.STAGE_ZH} == dict(rules.STAGE_ZH)


def test_every_move_has_a_chinese_name() -> None:
    moves = (ClueReported, ClueAccepted, ClueReturned, ClueVerified, ClueFiled, ClueNotFiled)
    assert set(rules.MOVE_ZH) == {move.__name__ for move in moves}


def test_both_languages_tell_the_same_things() -> None:
    def holes(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert {rule.code: holes(rule.zh) for rule in rules.RULES} == {rule.code: holes(rule.en) for rule in rules.RULES}
    assert holes(rules.REFERRAL_ZH) == holes(rules.REFERRAL_EN)
