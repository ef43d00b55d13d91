"""The part of the OpenAPI document about cases and their clocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.gateway.api_schemas import EVENT_ID, PARTICIPANT, list_of, number, record, ref, text
from services.gateway.openapi_parts import operation_of, path, problems, query, reply

_JSON = "application/json"
_BOOLEAN = {"type": "string", "enum": ["true", "false"], "default": "false"}
_INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"


def _at(description: str) -> dict[str, Any]:
    return text(description, _INSTANT)


def _is(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


_ZH, _EN = text("中文"), text("in English")
_WHO = {"participant": text("participant id, or the name of an organ outside · 参与机关标识，或者外部机关名称")}
_NAMED = {**_WHO, "name_zh": text("机关名称"), "name_en": text("its name in English")}
_ORGAN = record("an organ · 机关", _NAMED)
_LINE = {
    "case": text("number of the case · 案件编号"),
    "kind": text("kind of transfer · 移送种类"),
    "kind_zh": _ZH,
    "kind_en": _EN,
    "title": text("title · 标题"),
    "state": text("state of the kind's table · 状态"),
    "state_zh": _ZH,
    "state_en": _EN,
    "closed": _is("no move leads on · 已结"),
    "opened_at": _at("when it was opened · 提出时间"),
    "opened_by": PARTICIPANT,
    "participants": list_of("who plays a part · 各方", text("")),
    "running": number("clocks that run or have expired · 计算中及已届满的期限数"),
    "suspended": number("clocks that stand still · 停止计算的期限数"),
    "overdue": number("clocks by which somebody should have acted · 逾期的期限数"),
    "provisional": _is("an end rests on days that no notice has settled · 有暂定的届满时间"),
}
_DUE = {"due_at": _at("the first end of a clock that runs · 最早届满时间")}
_CLOCK = record(
    "a clock with its verdict · 期限及结论",
    {
        "clock": text("rule and number · 规则及序号"),
        "rule": text("/v1/codes/clock_rules · 期限规则"),
        "state": text("/v1/codes/clock_states · 期限状态"),
        "state_zh": _ZH,
        "state_en": _EN,
        "overdue": _is("somebody should have acted · 逾期"),
        "must_act": list_of("who must act · 应当办理的机关", _ORGAN),
        "provisional": _is("its end is not settled · 届满时间暂定"),
        "advisory": _is("shown, never a breach · 仅供参考"),
        "breach": _is("a duty that was missed for certain · 确定逾期"),
        "explanation": record("why it ends when it does · 计算说明", {"zh": _ZH, "en": _EN}),
        "source": text("document and article · 依据"),
    },
    {
        "zh": _ZH,
        "en": _EN,
        "rule_valid_from": text("the version of the rule · 规则版本"),
        "started_at": _at("start · 起算"),
        "due_at": _at("last instant in time · 届满"),
        "warn_at": _at("when it is warned · 预警"),
        "alarm_at": _at("the end by the stricter reading · 从严计算的届满"),
        "hint_at": _at("the end by the second reading · 另一种计算的届满"),
        "ended_at": _at("when it ended · 终结"),
        "late_by_ms": number("how late · 逾期毫秒数"),
        "awaits_zh": text("办理何事可终结期限"),
        "awaits_en": text("what would stop it"),
        "consequence_zh": text("逾期后果"),
        "consequence_en": text("what follows from missing it"),
    },
)
_MOMENT = record(
    "what a step told the clocks · 与期限有关的事由",
    {"moment": text("code · 代码"), "zh": _ZH, "en": _EN, "at": _at("when · 时间")},
)
_STEP = record(
    "one step of the story · 一步",
    {
        "event": EVENT_ID,
        "move": text("move of the kind's table, or open · 动作"),
        "zh": _ZH,
        "en": _EN,
        "by": _ORGAN,
        "happened_at": _at("when it happened · 发生时间"),
        "admitted_at": _at("when it was admitted · 准入时间"),
        "moments": list_of("", _MOMENT),
    },
)
_PART = record(
    "who plays which part · 各方角色",
    {"role": text("role · 角色"), "role_zh": _ZH, "role_en": _EN, **_NAMED, "outside": _is("no member · 非参与机关")},
    {"division": text("GB/T 2260 · 行政区划代码")},
)
_NEXT = record(
    "who must act next, what is overdue first · 下一步由谁办理",
    {**_NAMED, "clock": text("rule and number · 规则及序号"), "zh": _ZH, "en": _EN, "overdue": _is("逾期 · overdue")},
    {"due_at": _at("until when · 办理期限")},
)
_NO_CLOCK = record(
    "why no term runs · 不产生期限的原因",
    {"rule": text("rule · 规则"), "moment": text("code · 代码"), "zh": _ZH, "en": _EN},
)
_MOVES = record(
    "what a party may do now · 各方现在可以做什么",
    {**_NAMED, "moves": list_of("", record("", {"move": text("move · 动作"), "zh": _ZH, "en": _EN}))},
)

CASE_SCHEMAS: dict[str, Any] = {
    "CaseLine": record("A case in one line · 案件一览", _LINE, _DUE),
    "CasePage": record(
        "Cases by number · 案件列表",
        {"items": list_of("", ref("CaseLine"))},
        {"cursor": text("ask with it for what comes next; none: this was the last page · 用于读取后续；无则已到末页")},
    ),
    "Case": record(
        "A case with its story and its clocks · 案件经过及期限",
        {
            **_LINE,
            "row": text("row of the collected facts · 依据表行号"),
            "source": text("document and article · 依据"),
            "at": _at("the instant that the clocks are judged at · 期限结论的时点"),
            "parts": list_of("", _PART),
            "story": list_of("in the order in which it happened · 按发生时间", _STEP),
            "next": list_of("", _NEXT),
            "open_clocks": list_of("the most urgent first · 最急的在前", _CLOCK),
            "ended_clocks": list_of("", _CLOCK),
            "no_clocks": list_of(
                "moments on a day of which no rule was in force · 当日未施行期限规则的时点", _NO_CLOCK
            ),
            "possible": list_of("", _MOVES),
            "relates_to": list_of("linked numbers · 关联编号", text("")),
        },
        _DUE,
    ),
}


def case_paths(examples: Mapping[str, Any]) -> dict[str, Any]:
    """The paths below ``/v1/cases``."""
    at = query("at", "按此时点判断期限；省略则为现在 · judge the clocks at this instant; now unless given", _at(""))
    listed = [
        query("kind", "移送种类 · kind of transfer"),
        query("state", "状态 · state"),
        query("overdue", "仅逾期 · only with an overdue clock", _BOOLEAN),
        query("provisional", "仅暂定 · only with a provisional end", _BOOLEAN),
        query("due_before", "在此之前届满 · a clock that runs ends before then", _at("")),
        query("after", "上一页的cursor · cursor of the page before"),
        query("limit", "最多条数 · at most so many", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
        at,
    ]
    return {
        "/v1/cases": {
            "get": operation_of(
                "cases",
                "本机关的案件 · the caller's own cases",
                "仅列出已告知本机关的案件，按编号排序。 · The cases that the caller was told of, by number.",
                listed,
                {
                    "200": reply("一页 · a page", _JSON, "CasePage", {"page": examples["cases"]}),
                    **problems(400, 401, 403, 429, 503),
                },
            )
        },
        "/v1/cases/{case}": {
            "get": operation_of(
                "cases",
                "案件经过及期限 · a case with its clocks",
                "未告知本机关的案件与不存在的案件答复相同。 · A case that the caller was not told of is answered as one that does not exist.",
                [path("case", "案件编号 · number of the case", examples["case"]["case"]), at],
                {
                    "200": reply("案件 · the case", _JSON, "Case", {"case": examples["case"]}),
                    **problems(400, 401, 403, 404, 429, 503),
                },
            )
        },
    }
