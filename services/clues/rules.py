"""The rules by which a move on a clue has no effect, as data: code, document and article, what an officer is told.

Codes stand in the code table ``rules``. Articles are those of the market regulators' procedure (市场监督管理行政处罚程序规定,
2022); for an organ of another system the same order of steps is the exchange's own rule, and the text says so. The 12315
rule changed on 2026-04-15 (order 121); its new article numbers were not seen, so none is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.kernel.instants import parse_instant

_PROCEDURE: Final = "市场监督管理行政处罚程序规定（2022）"
_EXCHANGE: Final = "IPX 线索流转规则"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``zh`` and ``en`` are templates over ``{move}``, ``{mover}``, ``{stage}``, ``{holders}``, ``{filed_by}``."""

    code: str
    article: str
    zh: str
    en: str


UNKNOWN_CLUE: Final = Rule(
    "unknown_clue",
    _EXCHANGE,
    "交换中没有{mover}可以处理的该编号线索，{move}不产生效力。请核对线索编号，或者先报送线索。",
    "There is no clue of this number that {mover} may act on; {move} has no effect. Check the number, or report the clue.",
)
NOT_HOLDER: Final = Rule(
    "not_holder",
    f"{_EXCHANGE}；{_PROCEDURE}第十八条",
    "{mover}不是该线索的承办机关，{move}不产生效力。承办机关：{holders}。",
    "{mover} does not hold this clue; {move} has no effect. It is held by {holders}.",
)
WRONG_ORDER: Final = Rule(
    "wrong_order",
    f"{_PROCEDURE}第十八条、第十九条、第二十条",
    "线索当前为“{stage}”，{move}不能在此阶段作出，不产生效力。",
    "The clue stands at {stage}; {move} cannot be made at this stage and has no effect.",
)
DONE_BEFORE: Final = Rule(
    "wrong_order",
    _EXCHANGE,
    "{mover}已作出过该步骤，线索当前为“{stage}”，{move}不重复生效。",
    "{mover} has made this step before; the clue stands at {stage} and {move} has no second effect.",
)
FIRST_TO_FILE: Final = Rule(
    "first_to_file",
    f"{_PROCEDURE}第十二条",
    "{filed_by}已最先立案，由其管辖，{move}不产生效力。",
    "{filed_by} filed first and has the case; {move} has no effect.",
)
CLOSED: Final = Rule(
    "clue_closed",
    f"{_EXCHANGE}；{_PROCEDURE}第十八条",
    "该线索已办结（{stage}），{move}不产生效力。有新事实的，请另行报送线索。",
    "The clue is closed ({stage}); {move} has no effect. New facts are a new clue.",
)
NO_RETRANSFER: Final = Rule(
    "no_retransfer",
    f"{_PROCEDURE}第十四条",
    "受移送机关不得再自行移送，{move}不产生效力。有异议的，请退回来源机关，或者报请共同的上一级机关指定管辖。",
    "A receiver does not transfer again; {move} has no effect. Return the clue to where it came from, or ask the nearest "
    "common superior to designate.",
)
REPORTED_ALREADY: Final = Rule(
    "reported_already",
    _EXCHANGE,
    "该编号的线索已报送并在办理中，{move}不产生效力。被退回后，来源机关可以引用原事件重新报送；其他机关共同报送的，应当引用原事件。",
    "A clue of this number is being handled; {move} has no effect. After it is returned its origin may report it again, "
    "and another organ may join in, each naming an event of the clue as cause.",
)
REFERRED: Final = Rule(
    "public_report_elsewhere",
    _EXCHANGE,
    "该举报应当由举报人向有管辖权的机关提出，交换不移送，{move}不产生效力。",
    "The reporter has been told to go to the competent bureau; the exchange does not forward the report and {move} has no "
    "effect.",
)
RULES: Final = (
    UNKNOWN_CLUE,
    NOT_HOLDER,
    WRONG_ORDER,
    DONE_BEFORE,
    FIRST_TO_FILE,
    CLOSED,
    NO_RETRANSFER,
    REPORTED_ALREADY,
    REFERRED,
)

STAGE_ZH: Final[Mapping[str, str]] = {
    "unknown": "未知",
    "reported": "已移送",
    "accepted": "已受理",
    "returned": "已退回",
    "verified": "已核查",
    "filed": "已立案",
    "not_filed": "不予立案",
    "referred": "已告知举报人另行提出",
}
MOVE_ZH: Final[Mapping[str, str]] = {
    "ClueReported": "线索报送",
    "ClueAccepted": "线索受理",
    "ClueReturned": "线索退回",
    "ClueVerified": "线索核查",
    "ClueFiled": "立案",
    "ClueNotFiled": "不予立案",
}

_ORDER_121_MS: Final = parse_instant("2026-04-14T16:00:00.000Z")  # 2026-04-15, Beijing time
_REPORT_RULES_2022: Final = "市场监督管理投诉举报处理暂行办法（2022，施行至2026-04-14）第二十九条"
_REPORT_RULES_2026: Final = "市场监督管理投诉举报处理办法（第121号令，2026-04-15起施行；条款序号以公布文本为准）"
REFERRAL_CODE: Final = "reporter_goes_to_competent_bureau"
REFERRAL_ZH: Final = "请告知举报人：本机关对该举报事项没有管辖权，应当向{name}（{place}）提出。交换不代为移送举报。"
REFERRAL_EN: Final = (
    "Tell the reporter: this bureau has no power over the matter; it is to be laid before {name} ({place}). The exchange "
    "does not forward a public report."
)


def referral_article(at_ms: int) -> str:
    """Document and article on a public report at a bureau without power, as in force at that moment."""
    return _REPORT_RULES_2022 if at_ms < _ORDER_121_MS else _REPORT_RULES_2026
