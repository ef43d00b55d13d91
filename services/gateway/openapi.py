"""The OpenAPI 3.1 document: every route, in Chinese and English, with examples that a test sends to the running gateway."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.gateway.api_schemas import SCHEMAS, ref, text
from services.gateway.openapi_cases import CASE_SCHEMAS, case_paths
from services.gateway.openapi_evidence import EVIDENCE_SCHEMAS, evidence_paths
from services.gateway.openapi_log import LOG_SCHEMAS, log_paths
from services.gateway.openapi_parts import operation_of, path, problems, query, reply

VERSION = "3.1.0"
EXAMPLES = Path(__file__).with_name("examples.json")

_AVRO, _JSON = "application/avro", "application/json"
_STRUCTURED, _BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_ABOUT = """\
区域知识产权保护协作交换：参与机关在此发布事件、读取收件箱、查询事件状态。
Participants publish events here, read their inbox and ask what became of an event.

- 身份 Identity: `Authorization: Bearer <JWT>`, EdDSA, signed with a key of the participant; `kid` = key id, `iss` = participant,
  `aud` = name of the exchange, `exp` at most 300 s after `iat`.
- 错误 Errors: RFC 9457, with a `code` of `/v1/codes/refusal_codes`.
- 签名格式 What is signed: `services/ledger/FORMAT.md`.
"""


def build_document(base_url: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    """The document for a gateway that participants reach at ``base_url``."""
    return {
        "openapi": VERSION,
        "info": {
            "title": "IPX 交换网关 · gateway",
            "version": "1",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": base_url}],
        "tags": [
            {"name": "events", "description": "发布与状态 · publish, status"},
            {"name": "inbox", "description": "收件箱 · inbox"},
            {"name": "cases", "description": "案件与期限 · cases and their clocks"},
            {"name": "catalogue", "description": "成员、模式、代码表 · members, schemas, code tables"},
            {"name": "log", "description": "检查点与证明 · checkpoints and proofs"},
            {"name": "operation", "description": "运行 · operation"},
        ],
        "paths": {
            **_events(examples),
            **evidence_paths(examples),
            **_inbox(examples),
            **case_paths(examples),
            **_catalogue(examples),
            **log_paths(examples),
            **_operation(),
        },
        "components": {
            "schemas": {**SCHEMAS, **LOG_SCHEMAS, **EVIDENCE_SCHEMAS, **CASE_SCHEMAS},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def load_examples(file: Path = EXAMPLES) -> dict[str, Any]:
    """The examples, made by ``tests/contracts/test_openapi_examples.py`` with keys that are of no real participant."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _events(examples: Mapping[str, Any]) -> dict[str, Any]:
    wait = query(
        "wait", "等待结论的秒数 · seconds to wait for the outcome", {"type": "integer", "minimum": 0, "maximum": 30}
    )
    published = {
        "202": reply("已交准入；未等到的结论为pending · handed to admission", _JSON, "Ids", {"ids": examples["ids"]}),
        "200": reply("全部结论 · every outcome", _JSON, "Outcomes", {"outcomes": examples["outcomes"]}),
        **problems(400, 401, 403, 413, 415, 429, 503),
    }
    body = {
        "required": True,
        "content": {
            _STRUCTURED: {"schema": ref("Event"), "examples": {"structured": {"value": examples["structured"]}}},
            _BATCH: {
                "schema": {"type": "array", "items": ref("Event"), "minItems": 1},
                "examples": {"batch": {"value": examples["batch"]}},
            },
            _JSON: {
                "schema": {
                    "type": "object",
                    "description": "binary mode: attributes in `ce-` headers · 属性在ce-请求头",
                },
                "examples": {"binary": {"value": examples["binary_json"]["body"]}},
            },
            _AVRO: {"schema": text("binary mode, canonical Avro body · 规范Avro", format="binary")},
        },
    }
    return {
        "/v1/events": {
            "post": operation_of(
                "events",
                "发布事件 · publish",
                "单个或者批次；批次整体接受或者整体拒绝。重复发送是安全的。 · One or a batch; a batch is taken whole or not at all. "
                "Sending again is safe: the first outcome is answered.",
                [wait, *_binary_headers(examples["binary_json"]["headers"])],
                published,
                body=body,
            )
        },
        "/v1/events/{id}": {
            "get": operation_of(
                "events",
                "事件状态 · what became of an event",
                "来源机关看到各接收方的步骤，接收方只看到自己的。 · The source sees every recipient, a recipient itself alone.",
                [path("id", "事件标识 · event id", examples["ids"]["ids"][0])],
                {
                    "200": reply("状态 · status", _JSON, "Status", {"status": examples["status"]}),
                    **problems(400, 401, 403, 404, 429, 503),
                },
            )
        },
    }


def _binary_headers(headers: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": "二进制模式的属性 · attribute in binary mode",
            "schema": {"type": "string"},
            "example": value,
        }
        for name, value in headers.items()
    ]


def _inbox(examples: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [
        query(
            "after",
            "上次的cursor；`start`从头开始；省略则从上次确认处开始 · last cursor, `start`, or none: where it was acknowledged",
        ),
        query(
            "limit", "最多条数 · at most so many", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
        ),
        query(
            "wait", "无新记录时等待的秒数 · seconds to wait for news", {"type": "integer", "minimum": 0, "maximum": 30}
        ),
    ]
    return {
        "/v1/inbox": {
            "get": operation_of(
                "inbox",
                "读取收件箱 · read the inbox",
                "用cursor请求即确认其之前的全部记录。 · Asking with a cursor acknowledges everything before it.",
                parameters,
                {
                    "200": reply("一页 · a page", _JSON, "InboxPage", {"page": examples["inbox"]}),
                    **problems(400, 401, 403, 429, 503),
                },
            )
        }
    }


def _catalogue(examples: Mapping[str, Any]) -> dict[str, Any]:
    after = query("after", "已有条目数 · how many entries the caller has", {"type": "integer", "minimum": 0})
    limit = query("limit", "最多条数 · at most so many", {"type": "integer", "minimum": 1, "maximum": 500})
    digest = examples["structured"]["dataschema"].removeprefix("sha256:")
    shown: dict[str, tuple[str, str, str, list[Any], dict[str, Any]]] = {
        "/v1/schemas": ("已发布的模式 · released schemas", _JSON, "SchemaList", [], {}),
        "/v1/schemas/{type}": (
            "最新模式 · newest schema of a type",
            "application/schema+json",
            "AvroSchema",
            [path("type", "事件类型 · event type", examples["structured"]["type"])],
            problems(404),
        ),
        "/v1/schemas/by-digest/{hex}": (
            "按摘要取模式 · schema by digest",
            "application/schema+json",
            "AvroSchema",
            [path("hex", "SHA-256", digest)],
            problems(404),
        ),
        "/v1/codes": ("代码表清单 · code tables", _JSON, "TableList", [], {}),
        "/v1/codes/{table}": (
            "代码表 · one code table",
            _JSON,
            "Table",
            [path("table", "名称 · name", "refusal_codes")],
            problems(404),
        ),
    }
    members = operation_of(
        "catalogue",
        "成员日志 · the members log",
        "供节点自行验证。 · For nodes, which verify it themselves.",
        [after, limit],
        {"200": reply("一页 · a page", _JSON, "MembersPage"), **problems(400, 401, 403, 429, 503)},
    )
    open_routes = {
        route: {
            "get": operation_of(
                "catalogue", title, "", parameters, {"200": reply(title, kind, name), **faults}, secured=False
            )
        }
        for route, (title, kind, name, parameters, faults) in shown.items()
    }
    return {"/v1/members": {"get": members}, **open_routes}


def _operation() -> dict[str, Any]:
    shown = {
        "/livez": "进程存活 · the process answers",
        "/readyz": "可以工作；否则503 · can work, else 503",
        "/healthz": "各部分状况，始终200 · every part, always 200",
    }
    routes: dict[str, Any] = {
        route: {"get": operation_of("operation", title, "", [], {"200": reply(title, _JSON, "Health")}, secured=False)}
        for route, title in shown.items()
    }
    routes["/readyz"]["get"]["responses"]["503"] = reply("未就绪 · not ready", _JSON, "Health")
    figures = {"description": "Prometheus", "content": {"text/plain": {"schema": {"type": "string"}}}}
    routes["/metrics"] = {
        "get": operation_of(
            "operation",
            "指标（仅限本机） · figures, on the machine itself",
            "",
            [],
            {"200": figures, **problems(403)},
            secured=False,
        )
    }
    return routes
