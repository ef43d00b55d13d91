"""The sentences that explain a clock, as an officer reads them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from services.kernel.calendar_documents import load_calendar
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_moments import Moment
from services.kernel.data import SCHEMAS_DIR
from services.kernel.explanation import Account, Explanation, explain
from services.kernel.instants import parse_instant
from services.kernel.verdict import verdict

CALENDAR = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")


def at(text: str) -> int:
    return parse_instant(f"{text}:00.000Z") - 8 * 3_600_000


def told(rule: str, now: str, *moments: tuple[str, str, str]) -> Explanation:
    kinds = {".": "happened", "+": "suspended", "-": "resumed", ">": "extended"}
    held = [Moment(kinds[kind], word, at(text)) for kind, word, text in moments]  # type: ignore[arg-type]
    return verdict(RULES.versions(rule)[0], held, CALENDAR, at(now)).explanation


RECEIVED = (".", "clue_received", "2026-02-09T10:00")


def test_a_term_in_working_days_says_what_it_skips_and_what_it_counts() -> None:
    found = told("A1", "2026-03-01T00:00", RECEIVED)
    assert found.zh == (
        "发现线索或者收到材料：自 2026-02-09 次日起算 15 个工作日，跳过春节（2026-02-15 至 2026-02-23），"
        "调休上班的 2026-02-14、2026-02-28 计入，2026-03-06 届满。期限进行中，由收到线索的机关办理。"
        "依据：市场监督管理行政处罚程序规定（18）。"
    )
    assert found.en == (
        "Clue found or material received: 15 working days counted from the day after 2026-02-09, leaving out Spring Festival "
        "(2026-02-15 to 2026-02-23), counting the worked weekend days 2026-02-14, 2026-02-28, and ends on 2026-03-06. "
        "The term is running; the organ that received the clue must act. "
        "Source: Provisions on the procedure of market regulation penalties, text of 2022 (18)."
    )


@pytest.mark.parametrize(
    ("rule", "now", "moments", "zh", "en"),
    [
        ("A9", "2026-09-03T12:00", [(".", "case_filed", "2026-07-05T10:00")], "最后一日 2026-10-03 为国庆节假期，顺延至 2026-10-08", "National Day and moves to 2026-10-08"),
        ("C6", "2026-03-06T12:00", [(".", "referral_accepted", "2026-03-04T10:00")], "最后一日 2026-03-07 为周末，顺延至 2026-03-09", "a weekend and moves to 2026-03-09"),
        ("C6", "2026-03-06T12:00", [(".", "referral_accepted", "2026-03-04T10:00")], "如按工作日计为 2026-03-09，仅供参考", "Counted in working days it would be 2026-03-09"),
        ("C3", "2026-03-02T12:00", [(".", "referral_approved", "2026-03-02T10:20")], "自 2026-03-02 10:20 的下一小时起算 24 小时，2026-03-03 11:00 届满（从严自起算时刻计为 2026-03-03 10:20）", "from the hour after 2026-03-02 10:20"),
        ("C3", "2026-03-09T12:00", [(".", "referral_approved", "2026-03-02T10:20"), (".", "referral_delivered", "2026-03-04T12:01")], "2026-03-04 12:01 移送公安机关，逾期 25 小时 1 分", "late by 25 h 1 min"),
        ("A1", "2026-03-09T12:00", [RECEIVED, (">", "head", "2026-03-05T10:00")], "2026-03-05 经负责人批准延长，增加 15 个工作日", "extended with the head's approval, 15 working days more"),
        ("A1", "2026-03-09T12:00", [RECEIVED, (">", "head", "2026-03-09T10:00")], "2026-03-09 的延长（经负责人批准延长）在届满之后，不生效", "it came after the end"),
        ("A1", "2026-03-09T12:00", [RECEIVED, ("+", "testing", "2026-03-02T10:00"), ("-", "testing", "2026-03-05T10:00")], "扣除检测（2026-03-02 至 2026-03-05）", "without testing (2026-03-02 to 2026-03-05)"),
        ("A1", "2026-03-09T12:00", [RECEIVED, ("+", "testing", "2026-03-02T10:00")], "2026-03-02 起因检测停止计算。期限停止计算，恢复后确定届满日", "standing still since 2026-03-02 for testing"),
        ("A1", "2026-03-05T12:00", [RECEIVED, ("+", "hearing", "2026-03-02T10:00")], "2026-03-02 的停止计算（hearing）不属于本期限的法定事由，不生效", "the rule does not know it"),
        ("A1", "2026-03-09T12:00", [RECEIVED, (".", "clue_filed", "2026-03-05T10:00")], "2026-03-05 立案，在期限内", "on 2026-03-05, in time"),
        ("A1", "2026-03-19T12:00", [RECEIVED, (".", "clue_filed", "2026-03-09T10:00")], "2026-03-09 立案，逾期 3 日", "late by 3 days"),
        ("A1", "2026-03-19T12:00", [RECEIVED, (".", "clue_filed", "2026-02-08T10:00")], "在起算之前已经办理", "before the term began"),
        ("A1", "2026-03-19T12:00", [RECEIVED, (".", "clue_returned", "2026-03-02T10:00")], "2026-03-02 线索退回，期限不再适用", "fell away on 2026-03-02"),
        ("A15", "2026-06-19T12:00", [(".", "penalty_notice_served", "2026-03-02T10:00")], "期限已届满，未见陈述、申辩或者要求听证：视为放弃权利", "The right is waived"),
        ("C4", "2026-03-19T12:00", [(".", "referral_delivered", "2026-03-02T10:00")], "期限已届满，未见转送有权管辖的机关；该义务仅在特定情形下产生，未见其产生，不构成逾期。依据", "no duty was seen to arise: nothing is overdue. Source"),
        ("A8", "2026-09-22T12:00", [(".", "assistance_requested", "2026-09-21T10:00"), (">", "late_notice", "2026-09-22T10:00")], "未定新的期限。期限进行中，届满日无法计算", "its end cannot be computed"),
        ("E7", "2025-09-22T12:00", [(".", "performance_due", "2024-03-01T10:00"), (".", "limitation_interrupted", "2025-06-03T10:00")], "时效中断：自 2025-06-03 次日重新起算 2 年", "2 years counted again from the day after 2025-06-03"),
        ("A9", "2026-12-01T12:00", [(".", "case_filed", "2026-11-24T10:00")], "2027 年放假安排尚未载入，届满日为暂定，载入后重新计算", "the notice of days off for 2027 is not loaded"),
        ("F1", "2026-12-01T12:00", [(".", "adjudication_filed", "2026-03-24T10:00")], "本期限仅供参考，不作为逾期认定。依据：专利纠纷行政裁决和调解办法（条号未见）", "never counted as a breach"),
        ("A3", "2026-12-01T12:00", [], "尚无起算事由（发生管辖争议），期限未开始", "what starts it: jurisdiction dispute arises"),
    ],
)  # fmt: skip
def test_each_thing_that_counts_is_said_in_both_languages(
    rule: str, now: str, moments: list[tuple[str, str, str]], zh: str, en: str
) -> None:
    found = told(rule, now, *moments)
    assert zh in found.zh
    assert en in found.en


def test_a_standstill_of_a_term_in_hours_is_told_by_the_minute() -> None:
    rule = replace(RULES.versions("C3")[0], exclusions=RULES.versions("A1")[0].exclusions)
    still = (("suspended", "2026-03-02T12:05"), ("resumed", "2026-03-02T13:10"))
    held = [Moment("happened", "referral_approved", at("2026-03-02T10:20"))]
    held += [Moment(kind, "testing", at(text)) for kind, text in still]  # type: ignore[arg-type]
    found = verdict(rule, held, CALENDAR, at("2026-03-02T14:00")).explanation
    assert "扣除检测（2026-03-02 12:05 至 2026-03-02 13:10）" in found.zh
    assert "without testing (2026-03-02 12:05 to 2026-03-02 13:10)" in found.en


def test_no_sentence_has_doubled_marks_or_a_word_of_the_other_language() -> None:
    for rule in RULES.rules:
        for now in ("2026-01-01T00:00", "2029-01-01T00:00"):
            found = told(rule.id, now, (".", rule.trigger[0].id, "2025-12-29T10:00"))
            assert not re.search(r"。。|，，|，。|  ", found.zh + found.en), rule.id
            assert not re.search(r"[一-鿿]", found.en), rule.id
            assert "。" in found.zh


def test_an_account_without_a_course_says_what_would_start_it() -> None:
    rule = RULES.versions("A1")[0]
    found = explain(Account(rule, None, "not_started", None, None, rule.advisory), None)
    assert found.zh.startswith("尚无起算事由（发现线索或者收到材料）")
