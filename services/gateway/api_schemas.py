"""The shapes of what goes in and out of the API, as JSON Schema: the ``components`` of the OpenAPI document.

Kept to what OpenAPI 3.0 and 3.1 both have (no ``null`` type; what has no value is left out), so that one document serves
every viewer and generator. A test holds real replies of the running gateway against these.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_PARTICIPANT = r"^([0-9]{6}\.[a-z][a-z0-9_]{0,39}|customs\.[0-9]{4}|exchange\.[a-z][a-z0-9_]{0,39})$"
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_SHA256 = r"^sha256:[0-9a-f]{64}$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"


def text(description: str, pattern: str | None = None, **more: Any) -> Schema:
    """A string."""
    return {"type": "string", "description": description, **({"pattern": pattern} if pattern else {}), **more}


def number(description: str, least: int = 0) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "description": description}


def record(description: str, required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "description": description,
        "required": sorted(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def list_of(description: str, items: Schema) -> Schema:
    """An array."""
    return {"type": "array", "description": description, "items": items}


def ref(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


EVENT_ID = text("UUIDv7, or UUIDv8 of a derived event · 事件标识", _UUID)
PARTICIPANT = text("participant id · 参与机关标识", _PARTICIPANT)

_ATTRIBUTES: dict[str, Schema] = {
    "specversion": {"type": "string", "enum": ["1.0"]},
    "id": EVENT_ID,
    "source": PARTICIPANT,
    "type": text(
        "event type, e.g. cn.ipx.clue.ClueReported · 事件类型", r"^cn\.ipx\.[a-z]{1,20}\.[A-Z][A-Za-z0-9]{0,63}$"
    ),
    "subject": text("case, clue or credit subject; the partition key · 案件、线索或者信用主体编号"),
    "time": text("when it happened at the source, UTC · 在来源机关发生的时间", _INSTANT),
    "datacontenttype": {"type": "string", "enum": ["application/json", "application/avro"]},
    "dataschema": text("digest of the schema · 模式摘要", _SHA256),
    "ipxagreement": text("agreement and version, or - · 协议及版本，或者-"),
    "ipxaddressee": text("addressees joined by commas in ascending order, or - · 接收方，或者-"),
    "ipxcause": text("event that it answers, or - · 所答复的事件，或者-"),
    "ipxcontent": text("content commitment · 内容承诺", _SHA256),
    "ipxsignature": text("signature line over the statement · 对声明的签名"),
    "ipxsalts": text("salt or digest of each restricted field, or - · 限制字段的盐值或者摘要，或者-"),
}
_CONTENT: dict[str, Schema] = {
    "data": {"type": "object", "description": "content as JSON by the schema · 按模式的JSON内容"},
    "data_base64": text("canonical Avro body · 规范Avro编码的内容", contentEncoding="base64"),
    "traceparent": text("W3C trace context · 跟踪标识"),
}
_OF_THE_EXCHANGE: dict[str, Schema] = {
    "ipxentry": text("the log entry · 日志条目"),
    "ipxdelivery": text("recipient, log partition, number of the copy · 接收方、日志分区、副本序号"),
    "ipxoutcome": text("source, proposal partition, number · 来源、提案分区、序号"),
}
_FAULT = {
    "code": text("refusal code, /v1/codes/refusal_codes · 拒绝代码"),
    "detail": text("what was expected and what came · 说明"),
}
_RECEIPT: dict[str, Schema] = {
    "at": text("when the recipient says · 接收方所述时间", _INSTANT),
    "admitted": text("when the receipt was admitted · 回执准入时间", _INSTANT),
    "receipt": EVENT_ID,
}
_SAID: dict[str, Schema] = {
    "reference": text("reference in the recipient's own system · 接收方业务系统编号"),
    "code": text("/v1/codes/business_codes · 业务代码"),
    "city_code": text("the recipient system's own code · 接收方系统代码"),
    "field": text("field concerned · 涉及的字段"),
    "reason": text("why · 原因"),
    "connector": text("connector · 连接器"),
    "attempts": number("attempts · 尝试次数"),
}
_STEP_NAME = text("/v1/codes/receipt_steps · 步骤")
_STEP = record(
    "one step of a delivery, its first receipt · 送达的一步及其首个回执",
    {"step": _STEP_NAME, **_RECEIPT},
    {
        **_SAID,
        "late_by_ms": number("how late · 迟延毫秒数"),
        "last": record("the last receipt of several · 最后一个回执", _RECEIPT, _SAID),
    },
)

SCHEMAS: dict[str, Schema] = {
    "Event": record("One event, structured mode · 一个事件", _ATTRIBUTES, _CONTENT),
    "InboxEvent": record(
        "One record of an inbox: a copy of an event, or an outcome · 收件箱记录",
        {**_ATTRIBUTES, "data_base64": _CONTENT["data_base64"]},
        {"traceparent": _CONTENT["traceparent"], **_OF_THE_EXCHANGE},
    ),
    "Ids": record(
        "What was handed to admission · 已转交准入", {"ids": list_of("in the order sent · 按发送顺序", EVENT_ID)}
    ),
    "Outcome": record(
        "What admission decided · 准入结论",
        {
            "id": EVENT_ID,
            "outcome": {
                "type": "string",
                "enum": ["admitted", "duplicate", "refused", "conflict", "pending"],
                "description": "pending: not known yet · pending表示尚未得出",
            },
        },
        {
            "log": text("log partition it is in · 所在日志分区"),
            "seq": number("place in that partition · 在分区中的序号"),
            "code": _FAULT["code"],
            "field": text("field concerned · 涉及的字段"),
            "message_zh": text("中文说明"),
            "message_en": text("the sentence in English"),
        },
    ),
    "Outcomes": record("Outcomes in the order sent · 结论", {"outcomes": list_of("", ref("Outcome"))}),
    "Status": record(
        "What became of an event: the source sees every recipient, a recipient itself alone · 事件状态",
        {"id": EVENT_ID, "source": PARTICIPANT, "recipients": list_of("", ref("Recipient"))},
        {
            "outcome": ref("Outcome"),
            "type": _ATTRIBUTES["type"],
            "subject": _ATTRIBUTES["subject"],
            "agreement": _ATTRIBUTES["ipxagreement"],
            "cause": EVENT_ID,
            "log": text("log partition · 日志分区"),
            "seq": number("place in that partition · 在分区中的序号"),
            "admitted": text("when it was admitted · 准入时间", _INSTANT),
        },
    ),
    "Recipient": record(
        "The steps of one delivery · 一个接收方的各步骤",
        {
            "recipient": PARTICIPANT,
            "number": number("number of the copy · 副本序号"),
            "status": text("committed or rejected as its system said last, else delivered, else admitted · 状态"),
            "steps": list_of("as far as there are receipts · 已有回执的步骤", _STEP),
            "missing": list_of(
                "steps without receipt when they were due · 到期未有回执的步骤",
                record("", {"step": _STEP_NAME, "due": text("", _INSTANT)}),
            ),
        },
        {
            "withheld": list_of("fields that it does not see · 未披露的字段", {"type": "string"}),
            "due": record(
                "when steps are due · 各步骤期限",
                {},
                {"delivered": text("", _INSTANT), "committed": text("", _INSTANT)},
            ),
        },
    ),
    "InboxPage": record(
        "Records of an inbox · 收件箱",
        {
            "items": list_of("", ref("InboxEvent")),
            "cursor": text("ask with it for what comes next; that acknowledges these · 用于读取后续，同时确认以上"),
        },
    ),
    "MembersPage": record(
        "Entries of the members log · 成员日志",
        {"items": list_of("", ref("InboxEvent")), "next": number("number of the next entry · 下一条目序号")},
    ),
    "SchemaList": record(
        "Every release of every event type · 已发布的模式",
        {
            "items": list_of(
                "",
                record(
                    "one release · 一个版本",
                    {
                        "type": _ATTRIBUTES["type"],
                        "version": number("", 1),
                        "family": text("log family · 事件族"),
                        "digest": text("", _SHA256),
                        "restricted": list_of("restricted fields · 限制字段", {"type": "string"}),
                        "href": text(""),
                    },
                ),
            )
        },
    ),
    "AvroSchema": {
        "type": "object",
        "description": "Avro record schema · Avro模式",
        "required": ["type", "name", "fields"],
    },
    "TableList": record(
        "Code tables · 代码表",
        {"items": list_of("", record("", {"table": text("name · 名称"), "href": text("")}))},
    ),
    "Table": record(
        "One code table · 代码表",
        {
            "table": text("name · 名称"),
            "rows": list_of(
                "", {"type": "object", "required": ["code", "zh", "en", "source"], "description": "one code · 一个代码"}
            ),
        },
    ),
    "Health": record(
        "How the gateway and what it needs are · 运行状况",
        {"status": {"type": "string", "enum": ["live", "ready", "not ready"]}},
        {"checks": {"type": "object", "description": "by part · 各部分"}},
    ),
    "Problem": record(
        "RFC 9457 problem details · 错误说明",
        {
            "type": text("where the code is explained · 代码说明"),
            "title": text("what the code means"),
            "title_zh": text("代码含义"),
            "status": number("", 400),
            **_FAULT,
            "instance": text("trace of this request · 本次请求的跟踪标识", r"^urn:ipx:trace:[0-9a-f]{32}$"),
        },
        {
            "field": text("field or attribute concerned · 涉及的字段"),
            "items": list_of(
                "events of a batch at fault · 批次中有误的事件",
                record(
                    "",
                    {"index": number("place in the batch · 批次中的位置"), **_FAULT},
                    {"id": text(""), "field": text("")},
                ),
            ),
        },
    ),
}
