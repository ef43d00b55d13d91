"""Named errors as RFC 9457 problem details: the one table from refusal code to status and sentences.

The table is ``schemas/codes/refusal_codes.csv``; a code that it has not is a bug here, answered as ``unavailable``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.gateway.exchange import Reply
from services.kernel.codes import CodeTables
from services.kernel.errors import BadSettings, IpxError, Refused

PROBLEM_TYPE = b"application/problem+json"
RETRY_AFTER_S = 2
_FALLBACK = "unavailable"


@dataclass(frozen=True, slots=True)
class RefusalCode:
    """One row: what a code means in both languages, and the HTTP status it is answered with."""

    code: str
    zh: str
    en: str
    status: int


@dataclass(frozen=True, slots=True)
class Problem:
    """What goes out for one named error, before it is bytes."""

    code: str
    detail: str
    field: str | None = None
    items: tuple[Mapping[str, Any], ...] = ()
    retry_after_s: float | None = None


class RefusalTable:
    """The closed list of refusal codes."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[RefusalCode]) -> None:
        self._rows = {row.code: row for row in rows}
        if _FALLBACK not in self._rows:
            raise BadSettings(f"code table refusal_codes has no row {_FALLBACK}")

    def __getitem__(self, code: str) -> RefusalCode:
        """The row of a code; that of ``unavailable`` for a code that is not in the table."""
        return self._rows.get(code) or self._rows[_FALLBACK]

    def __contains__(self, code: str) -> bool:
        return code in self._rows

    def document(self, problem: Problem, trace_id: str) -> dict[str, Any]:
        """The members of the problem document (RFC 9457 section 3.1 and our extensions)."""
        row = self[problem.code]
        document: dict[str, Any] = {
            "type": f"/v1/codes/refusal_codes#{row.code}",
            "title": row.en,
            "title_zh": row.zh,
            "status": row.status,
            "code": row.code,
            "detail": problem.detail,
            "instance": f"urn:ipx:trace:{trace_id}",
        }
        if problem.field is not None:
            document["field"] = problem.field
        if problem.items:
            document["items"] = list(problem.items)
        return document

    def reply(self, problem: Problem, trace_id: str) -> Reply:
        """The problem as an HTTP reply, with ``Retry-After`` where trying again may help."""
        document = self.document(problem, trace_id)
        headers: tuple[tuple[bytes, bytes], ...] = ()
        retry_s = problem.retry_after_s
        if retry_s is None and document["status"] in (429, 503):
            retry_s = RETRY_AFTER_S
        if retry_s is not None:
            headers = ((b"retry-after", str(max(1, round(retry_s + 0.5))).encode()),)
        if document["status"] == 401:
            headers += ((b"www-authenticate", b'Bearer realm="ipx"'),)
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return Reply(document["status"], body, PROBLEM_TYPE, headers)


def problem_of(error: IpxError) -> Problem:
    """The problem of an error of our tree; anything but ``Refused`` is ours, and says no more than that."""
    if isinstance(error, RateLimited):
        return Problem(error.code, error.message, error.field, retry_after_s=error.retry_after_s)
    if isinstance(error, BatchRefused):
        return Problem(error.code, error.message, error.field, items=error.items)
    if isinstance(error, Refused):
        return Problem(error.code, error.message, error.field)
    return Problem(_FALLBACK, "a part of the exchange is away; nothing that was answered with 200 or 202 is lost")


class RateLimited(Refused):
    """Too many requests; says when to come again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__("rate-limited", message)
        self.retry_after_s = retry_after_s


class BatchRefused(Refused):
    """A batch of which at least one event cannot be taken: nothing of it was, and each such event is named."""

    def __init__(self, first: Refused, items: tuple[Mapping[str, Any], ...]) -> None:
        super().__init__(first.code, f"nothing of the batch was taken: {first.message}", field=first.field)
        self.items = items


def load_refusals(tables: CodeTables) -> RefusalTable:
    """The closed list from the code tables; ``BadSettings`` when a row has no status."""
    rows = tables["refusal_codes"].rows
    try:
        return RefusalTable([RefusalCode(row.code, row.zh, row.en, int(row.more["http_status"])) for row in rows])
    except (KeyError, ValueError) as error:
        raise BadSettings(f"code table refusal_codes: a row without an http_status: {error}") from error
