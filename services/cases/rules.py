"""The rules by which a move on a case has no effect, as data: code, document and article, what an officer is told.

Codes stand in the code table ``rules``. A rule without an article of its own is answered with the article of the move that it keeps
from having effect (transfers.toml). What a kind bars besides is in its table (`table.Bar`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

EXCHANGE: Final = "IPX 案件移送规则"
"""What the exchange itself sets, where no article does."""
_COURTS: Final = "民事诉讼法 205 [L14]；法释〔2022〕13号 1–3 [L16]"
_CONFIRMATION: Final = "民诉法解释 355 [L18]"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``zh`` and ``en`` are templates over ``{mover}``, ``{move}``, ``{state}`` and ``{what}``. ``article`` empty: the move's own."""

    code: str
    article: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that forbids a move, and what of this very move it is about, in both languages."""

    rule: Rule
    zh: str = ""
    en: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Names of a thing in both languages, for a refusal: a list of them is joined in each."""

    zh: tuple[str, ...] = field(default=())
    en: tuple[str, ...] = field(default=())

    def of(self, rule: Rule) -> Refusal:
        """The refusal by a rule that is about these things."""
        return Refusal(rule, "、".join(self.zh), ", ".join(self.en))


UNKNOWN_CASE: Final = Rule(
    "unknown_case",
    EXCHANGE,
    "交换中没有{mover}可以办理的该编号案件，{move}不产生效力。请核对案件编号，或者先发起移送。",
    "There is no case of this number that {mover} may act on; {move} has no effect. Check the number, or open the case.",
)
OPENED_ALREADY: Final = Rule(
    "opened_already",
    EXCHANGE,
    "该编号的案件已经发起，{move}不产生效力。另案请使用新的编号；同一案件请由各方在原案件上办理。",
    "A case of this number has been opened; {move} has no effect. Another case takes a number of its own; on the same case "
    "its parties make their moves.",
)
NOT_PARTY: Final = Rule(
    "not_party",
    EXCHANGE,
    "{mover}不是该案件的参与机关，{move}不产生效力。参与机关：{what}。",
    "{mover} is no party to this case; {move} has no effect. Its parties are {what}.",
)
WRONG_KIND: Final = Rule(
    "wrong_kind",
    EXCHANGE,
    "该案件的移送类型是“{what}”，与所述类型不符，{move}不产生效力。",
    "The case is of the kind {what}, not the one stated; {move} has no effect.",
)
UNKNOWN_KIND: Final = Rule(
    "wrong_kind",
    EXCHANGE,
    "没有“{what}”这一移送类型，{move}不产生效力。",
    "There is no kind of transfer {what}; {move} has no effect.",
)
UNKNOWN_EARLIER: Final = Rule(
    "wrong_kind",
    "",
    "该移送类型不接受在发起时陈述“{what}”，{move}不产生效力。",
    "A transfer of this kind is not opened with a statement of when {what}; {move} has no effect.",
)
NO_SUCH_MOVE: Final = Rule(
    "no_such_move",
    EXCHANGE,
    "该移送类型没有{move}这一行为，不产生效力。",
    "A transfer of this kind has no move {move}; it has no effect.",
)
CASE_CLOSED: Final = Rule(
    "case_closed",
    EXCHANGE,
    "该案件已办结（{state}），{move}不产生效力。",
    "The case is closed ({state}); {move} has no effect.",
)
OLDER_THAN_CASE: Final = Rule(
    "older_than_case",
    EXCHANGE,
    "所述时间早于案件发起时间（{what}，北京时间），{move}不产生效力。请核对时间。",
    "It is said to have happened before the case was opened ({what}, Beijing time); {move} has no effect. Check the time and the clock.",
)
NOT_YOURS: Final = Rule(
    "not_yours_to_make",
    "",
    "{move}应当由{what}作出，{mover}作出的不产生效力。",
    "{move} is to be made by {what}; made by {mover} it has no effect.",
)
WRONG_STATE: Final = Rule(
    "wrong_state",
    "",
    "案件当前为“{state}”，{move}应当在“{what}”时作出，不产生效力。",
    "The case stands at {state}; {move} is made when it stands at {what}, and has no effect now.",
)
INCOMPLETE_MOVE: Final = Rule(
    "incomplete_move",
    "",
    "缺少必填内容或者内容超出范围：{what}，{move}不产生效力。请补齐后重新发送。",
    "Missing or out of range: {what}; {move} has no effect. Complete it and send it again.",
)
EVERY_PARTY_IS_TOLD: Final = Rule(
    "every_party_is_told",
    EXCHANGE,
    "{move}应当同时发送给案件的其他各方，缺少：{what}，不产生效力。",
    "The move {move} is addressed to every other party to the case, and was not to {what}; it has no effect.",
)
NOBODY_JOINS: Final = Rule(
    "nobody_joins",
    EXCHANGE,
    "收件机关中应当有{what}，{move}不产生效力。请核对收件机关。",
    "Among the addressees there is to be {what}; {move} has no effect. Check the addressees.",
)
DONE_BEFORE: Final = Rule(
    "done_before",
    EXCHANGE,
    "{move}此前已作出，不重复生效。",
    "{move} was made before and has no second effect.",
)
CLOCK_DOES_NOT_KNOW: Final = Rule(
    "clock_does_not_know",
    EXCHANGE,
    "该案件正在计算的期限中，没有依其规则可以适用“{what}”的，{move}不产生效力。",
    "No term that runs in this case knows {what} by its rule; {move} has no effect.",
)
EXTENDED_TOO_LATE: Final = Rule(
    "clock_does_not_know",
    EXCHANGE,
    "期限已经届满（{what}，北京时间），届满后作出的{move}不产生效力。",
    "The term had ended ({what}, Beijing time); {move} after its end has no effect.",
)
EXTENDED_BEFORE: Final = Rule(
    "clock_does_not_know",
    EXCHANGE,
    "“{what}”的次数已用完，{move}不产生效力。",
    "{what} was granted as often as the rule allows; {move} has no effect.",
)
TERM_FULL: Final = Rule(
    "term_full",
    EXCHANGE,
    "同一案件中同一期限规则至多{what}，{move}不产生效力。",
    "One term of a case takes no more than {what}; {move} has no effect.",
)
CASE_FULL: Final = Rule(
    "case_full",
    EXCHANGE,
    "该案件的记录已达上限（{what} 项），{move}不产生效力；仍可作出办结案件的行为。其余事项请使用新的编号另行发起。",
    "The case holds as many events as a case may ({what}); {move} has no effect. Moves that end it may still be made; what remains "
    "takes a case of its own number.",
)
CLOCKS_FULL: Final = Rule(
    "case_full",
    EXCHANGE,
    "该案件中期限规则 {what} 的期限数已达上限，{move}将使其再次起算，不产生效力。请使用新的编号另行发起。",
    "The case has as many terms by rule {what} as a case may; {move} would start another and has no effect. It takes a case of its "
    "own number.",
)
TOO_MANY_PARTIES: Final = Rule(
    "too_many_parties",
    EXCHANGE,
    "一次{move}的收件机关至多 {what} 个，超出的不产生效力。请分案办理。",
    "A case is opened to at most {what} addressees; to more of them {move} has no effect. Open several cases.",
)
SAME_LEVEL: Final = Rule(
    "same_level",
    "",
    "应当移送同级机关，{what}与{mover}不同级，{move}不产生效力。",
    "It goes to the organ of the same level; {what} is not of the level of {mover}, and {move} has no effect.",
)
NEAREST_COMMON_SUPERIOR: Final = Rule(
    "nearest_common_superior",
    "",
    "应当报请争议各方共同的上一级机关（{what}），{move}不产生效力。",
    "It is for the nearest common superior of the organs in dispute ({what}); {move} has no effect.",
)
SUPERIOR_OF: Final = Rule(
    "superior_of",
    "",
    "{mover}不是{what}的上级机关，{move}不产生效力。上级机关可以将案件交由其下级机关办理。",
    "{mover} is no superior of {what}; {move} has no effect. A superior assigns a case to an organ below it.",
)
NOT_FOR_COMPETENCE: Final = Rule(
    "no_retransfer",
    "市场监督管理行政处罚程序规定 14 [L2]",
    "受移送机关认为案件不属于本机关管辖的，应当报请共同的上一级机关指定管辖，不得以此为由{move}，{mover}的该行为不产生效力。",
    "A receiver that holds that the case is not its own asks the nearest common superior to designate; {move} by {mover} for that reason "
    "has no effect.",
)
COURT_BY_RIGHT_TYPE: Final = Rule(
    "court_by_right_type",
    _COURTS,
    "该类知识产权的调解协议应当向{what}申请司法确认，{move}不产生效力。",
    "An agreement on a right of this type is confirmed by {what}; {move} has no effect.",
)
NO_OWNERSHIP: Final = Rule(
    "no_ownership",
    _CONFIRMATION,
    "调解协议涉及“{what}”的，人民法院不予受理司法确认申请，{move}不产生效力。",
    "An agreement that decides {what} is not confirmed by a court; {move} has no effect.",
)
RULES: Final = (
    UNKNOWN_CASE,
    OPENED_ALREADY,
    NOT_PARTY,
    WRONG_KIND,
    UNKNOWN_KIND,
    UNKNOWN_EARLIER,
    NO_SUCH_MOVE,
    CASE_CLOSED,
    OLDER_THAN_CASE,
    NOT_YOURS,
    WRONG_STATE,
    INCOMPLETE_MOVE,
    EVERY_PARTY_IS_TOLD,
    NOBODY_JOINS,
    DONE_BEFORE,
    CLOCK_DOES_NOT_KNOW,
    EXTENDED_TOO_LATE,
    EXTENDED_BEFORE,
    TERM_FULL,
    CASE_FULL,
    CLOCKS_FULL,
    TOO_MANY_PARTIES,
    SAME_LEVEL,
    NEAREST_COMMON_SUPERIOR,
    SUPERIOR_OF,
    NOT_FOR_COMPETENCE,
    COURT_BY_RIGHT_TYPE,
    NO_OWNERSHIP,
)

FIELDS_ZH: Final[Mapping[str, str]] = {
    "kind": "移送类型",
    "title": "案由",
    "facts": "事实",
    "right_type": "权利类型",
    "rights": "权利",
    "parties": "当事人",
    "goods": "涉案物品",
    "amount_fen": "金额",
    "evidence": "证据",
    "documents": "材料清单",
    "legal_basis": "法律依据",
    "requests": "请求事项",
    "relates_to": "关联编号",
    "earlier": "此前程序时间",
    "outside": "交换外机关",
    "agreement_matters": "协议事项",
    "place_division": "行为地",
    "transfer_letter": "移送书文号",
    "suspect_id_number": "嫌疑人证件号",
    "suspect_phone": "嫌疑人电话",
    "officer": "承办人",
    "officer_phone": "承办人电话",
    "move": "行为",
    "happened_at": "发生时间",
    "document_number": "文书编号",
    "text": "说明",
    "reason": "理由",
    "ground": "中止事由",
    "rule": "期限规则",
    "extension": "延长类型",
    "length": "延长长度",
    "missing": "缺少的材料",
    "designated": "被指定机关",
    "result": "结果",
}
"""What a field of an event is called when it is asked for."""


def fields_missing(rule: Rule, names: tuple[str, ...]) -> Refusal:
    """The refusal of an event in which fields are not there."""
    return Words(tuple(f"{FIELDS_ZH[name]}（{name}）" for name in names), names).of(rule)
