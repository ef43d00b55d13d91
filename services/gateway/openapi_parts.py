"""The pieces that an OpenAPI document is put together from: operations, replies, problems, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.gateway.api_schemas import ref

Operation = dict[str, Any]

_PROBLEM = "application/problem+json"
_PROBLEM_OF = {
    400: "格式错误 · not of the form taken",
    401: "未证明身份 · not proved who it is",
    403: "无权 · may not",
    404: "不存在 · no such thing",
    413: "过大 · too large",
    415: "内容类型不受支持 · content type not taken",
    422: "内容不符 · not what it must be",
    429: "过于频繁 · too often; `Retry-After`",
    503: "暂不可用 · a part is away; `Retry-After`",
}


def operation_of(
    tag: str,
    summary: str,
    description: str,
    parameters: list[dict[str, Any]],
    responses: dict[str, Any],
    *,
    body: dict[str, Any] | None = None,
    secured: bool = True,
) -> Operation:
    """One operation; ``secured`` says whether it needs a token."""
    operation: Operation = {"tags": [tag], "summary": summary, "parameters": parameters, "responses": responses}
    if description:
        operation["description"] = description
    if body is not None:
        operation["requestBody"] = body
    operation["security"] = [{"token": []}] if secured else []
    return operation


def reply(description: str, kind: str, schema: str, examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A reply with a body of that content type and component."""
    content: dict[str, Any] = {"schema": ref(schema)}
    if examples:
        content["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"description": description, "content": {kind: content}}


def problems(*statuses: int) -> dict[str, Any]:
    """Replies with a problem document, by status."""
    return {str(status): reply(_PROBLEM_OF[status], _PROBLEM, "Problem") for status in statuses}


def query(name: str, description: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A query parameter that may be left out."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema or {"type": "string"},
    }


def path(name: str, description: str, example: str) -> dict[str, Any]:
    """A path parameter with an example."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }
