"""The part of the OpenAPI document about evidence files (``services/ledger/FORMAT.md`` section 6.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.gateway.api_schemas import list_of, record, ref, text
from services.gateway.openapi_parts import operation_of, path, problems, reply

_JSON = "application/json"
_LINE = {"type": "string"}
_BODY = text("canonical Avro body · 规范Avro编码的内容", contentEncoding="base64")
_DISCLOSURE = text("salt or digest of each restricted field, or - · 限制字段的盐值或者摘要，或者-")

EVIDENCE_SCHEMAS: dict[str, Any] = {
    "Evidence": record(
        "One event with everything that proves it; another spelling of the same JSON is no evidence · 证据文件，只有一种写法",
        {
            "format": {"type": "string", "enum": ["ipx-evidence/v1"]},
            "event": record(
                "the event · 事件",
                {
                    "entry": list_of("lines of the log entry · 日志条目", _LINE),
                    "body": _BODY,
                    "disclosure": _DISCLOSURE,
                    "proof": list_of("lines of a tlog-proof: inclusion and checkpoint · 收录证明及检查点", _LINE),
                },
            ),
            "members": record(
                "who might say it, by the members log · 成员日志节选",
                {
                    "checkpoint": list_of("lines of a checkpoint of the members log · 成员日志检查点", _LINE),
                    "records": list_of(
                        "in the order of the log · 按日志顺序",
                        record(
                            "one record · 一条记录",
                            {
                                "entry": list_of("", _LINE),
                                "body": _BODY,
                                "disclosure": _DISCLOSURE,
                                "path": list_of("hashes up to the root · 至根的哈希", _LINE),
                            },
                        ),
                    ),
                },
            ),
            "schemas": list_of("every schema that a statement names · 所引用的模式", ref("AvroSchema")),
        },
        {"stamp": {"description": "null, or a token of RFC 3161 in base64 · 无，或者RFC 3161时间戳"}},
    ),
}


def evidence_paths(examples: Mapping[str, Any]) -> dict[str, Any]:
    """The path of evidence."""
    return {
        "/v1/events/{id}/evidence": {
            "get": operation_of(
                "events",
                "事件证据 · evidence of an event",
                "来源机关得到全部字段，接收方得到其副本的字段；用ipx-verify离线核验。 · The source gets every field, a recipient those of its copy; "
                "check it offline with ipx-verify. `IPX-Witnessed: not-yet` says that the witnesses' quorum is not met yet.",
                [path("id", "事件标识 · event id", examples["ids"]["ids"][0])],
                {
                    "200": reply("证据文件 · the file", _JSON, "Evidence", {"evidence": examples["evidence"]}),
                    **problems(400, 401, 403, 404, 429, 503),
                },
            )
        }
    }
