"""The part of the OpenAPI document about the logs: checkpoints, tiles, cosignatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.gateway.api_schemas import list_of, number, record, text
from services.gateway.openapi_parts import operation_of, path, problems, reply

_JSON, _NOTE, _TILE = "application/json", "text/plain", "application/octet-stream"
_LOG = "/v1/log/{exchange}/{family}/{partition}"

LOG_SCHEMAS: dict[str, Any] = {
    "Logs": record(
        "Every log that has entries · 有条目的全部日志",
        {
            "exchange": text("name of the exchange · 交换名称"),
            "logs": list_of(
                "",
                record(
                    "one log · 一个日志",
                    {
                        "origin": text("origin of its checkpoints · 检查点来源"),
                        "log": text("topic and partition, as entries name it · 条目所称的日志"),
                        "size": number("entries under the last checkpoint · 最近检查点的条目数"),
                        "witnessed_size": number("entries under the last witnessed one · 最近获见证检查点的条目数"),
                        "cosigners": list_of("who cosigned it · 见证方", {"type": "string"}),
                        "state": {"type": "string", "enum": ["witnessed", "not yet", "stale"]},
                    },
                    {
                        "root": text("root of the last checkpoint · 根哈希", r"^sha256:[0-9a-f]{64}$"),
                        "waiting_since": text(
                            "when the oldest entry without witnesses was admitted · 最早未获见证条目的准入时间"
                        ),
                    },
                ),
            ),
        },
    ),
    "Note": text("C2SP signed note · 签名文本"),
    "Tile": text("C2SP tlog-tiles · 日志分块", format="binary"),
    "Taken": record("Cosignatures kept · 已接收的见证签名", {"taken": number("", 1)}),
}


def log_paths(examples: Mapping[str, Any]) -> dict[str, Any]:
    """The paths below ``/v1/log``."""
    where = [
        path("exchange", "交换名称 · exchange", "ipx"),
        path("family", "事件族 · family", "clues"),
        path("partition", "分区 · partition", "3"),
    ]
    index = path("index", "分块编号，例如x001/067或者000.p/17 · index of the tile, partial ones with .p/<width>", "000")
    level = path("level", "层级 · level", "0")
    return {
        "/v1/log": _open("各日志状况 · how each log stands", "", [], _JSON, "Logs", {"logs": examples["logs"]}),
        "/v1/log/policy": _open(
            "见证策略 · policy of the witnesses",
            "C2SP tlog-policy；是否采信由验证者决定。 · Whoever verifies decides which policy it believes.",
            [],
            _NOTE,
            "Note",
        ),
        f"{_LOG}/checkpoint": _open(
            "最近的检查点 · the last checkpoint", "", where, _NOTE, "Note", {"checkpoint": examples["checkpoint"]}
        ),
        f"{_LOG}/witnessed": _open("最近获见证的检查点 · the last witnessed checkpoint", "", where, _NOTE, "Note"),
        f"{_LOG}/candidate": _open(
            "待见证的检查点 · the checkpoint to be cosigned now",
            "在获得见证或者逾时之前保持不变。 · Stays the same until it is witnessed, or for a while.",
            where,
            _NOTE,
            "Note",
        ),
        f"{_LOG}/tile/{{level}}/{{index}}": _open(
            "哈希分块 · a hash tile",
            "C2SP tlog-tiles；永不改变。 · Never changes.",
            [*where, level, index],
            _TILE,
            "Tile",
        ),
        f"{_LOG}/tile/entries/{{index}}": {
            "get": operation_of(
                "log",
                "条目分块 · an entry bundle",
                "仅参与机关可读。 · For participants.",
                [*where, index],
                {"200": reply("分块 · bundle", _TILE, "Tile"), **problems(400, 401, 403, 404, 429, 503)},
            )
        },
        f"{_LOG}/cosignatures": {"post": _cosignatures(where, examples)},
    }


def _open(
    title: str,
    description: str,
    parameters: list[Any],
    kind: str,
    schema: str,
    examples: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    answers = {"200": reply(title, kind, schema, examples), **problems(400, 404, 429, 503)}
    return {"get": operation_of("log", title, description, parameters, answers, secured=False)}


def _cosignatures(where: list[Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"cosigned": {"value": examples["cosigned"]}}
    body = {"required": True, "content": {_NOTE: {"schema": {"$ref": "#/components/schemas/Note"}, "examples": shown}}}
    return operation_of(
        "log",
        "提交见证签名 · post a cosignature",
        "正文为检查点及签名行；只有调用方自己的签名有效。 · The checkpoint with signature lines; only those of the caller's own keys count.",
        where,
        {"202": reply("已接收 · kept", _JSON, "Taken"), **problems(400, 401, 403, 404, 413, 422, 429, 503)},
        body=body,
    )
