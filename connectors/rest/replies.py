"""What a reply of a city's system means, by data. Pure.

City systems answer in many ways: most say 200 whatever happened and put their own code into the body. So the meaning is a
table in ``city.toml``, and what no line of it explains is ``nonsense``: tried again, never taken for success. Numbered:
1 status that says "not now" · 2 status that says nothing · 3 body is one JSON object · 4 the system's own code ·
5 the reference, without which nothing was taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from connectors.kit.paths import MISSING, lookup
from connectors.kit.port import Accepted, Answer, Declined, Fault, TryLater
from services.codec.http import Reply
from services.kernel.errors import BadSettings

ANY_CODE: Final = "*"
MAX_REASON: Final = 200
_LONG_NUMBER: Final = re.compile(r"\d{7,}[0-9Xx]?")
_MAX_REFERENCE = 128
_RETRY: Final = (408, 425, 429)
_UNAUTHORISED: Final = (401, 403, 407)


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """The table. ``code`` is where the body says whether it succeeded, ``business_code`` where it says why not, if that is
    another place; ``refused_codes`` leads from that code to one of the exchange's business codes.
    """

    success_status: frozenset[int] = frozenset({200, 201, 202})
    refused_status: frozenset[int] = frozenset({400, 404, 409, 410, 422})
    code: str | None = None
    success_codes: frozenset[str] = frozenset()
    retry_codes: frozenset[str] = frozenset()
    refused_codes: Mapping[str, str] | None = None
    business_code: str | None = None
    reference: str = "reference"
    reason: str | None = None
    field: str | None = None


def compile_replies(rows: Mapping[str, Any], business_codes: frozenset[str], where: str) -> ReplyRules:
    """The table from its TOML form; ``BadSettings`` for an unknown line or a code that is not a business code."""
    known = set(ReplyRules.__dataclass_fields__)
    if unknown := set(rows) - known:
        raise BadSettings(f"{where}: {', '.join(sorted(unknown))}; expected of {', '.join(sorted(known))}")
    refused = rows.get("refused_codes", {})
    if strange := {str(code) for code in refused.values()} - business_codes:
        raise BadSettings(
            f"{where}.refused_codes: {', '.join(sorted(strange))}; codes are {', '.join(sorted(business_codes))}"
        )
    given: dict[str, Any] = {**rows, "refused_codes": {str(k): str(v) for k, v in refused.items()}}
    for name in ("success_status", "refused_status"):
        if name in given:
            given[name] = frozenset(int(status) for status in given[name])
    for name in ("success_codes", "retry_codes"):
        given[name] = frozenset(str(code) for code in given.get(name, ()))
    if given.get("code") is not None and not given["success_codes"]:
        raise BadSettings(f"{where}: the body has a code at {given['code']}; success_codes says which one is success")
    return ReplyRules(**given)


def judge(rules: ReplyRules, reply: Reply) -> Answer:
    """What the reply to a push means; never raises, and repeats nothing of the body but the reason it gives."""
    early = judge_status(rules, reply)  # (1) (2)
    if early is not None:
        return early
    document = read_object(reply.body)  # (3)
    if document is None:
        return _nonsense(f"{reply.status} with a body that is not a JSON object")
    code = _text(lookup(document, rules.code)) if rules.code else None
    return _judge_code(rules, reply.status, code, document)


def _judge_code(rules: ReplyRules, status: int, code: str | None, document: dict[str, Any]) -> Answer:
    # (4) the system's own code
    if code is not None and code in rules.retry_codes:
        return TryLater(Fault.SERVER_ERROR, f"the system says code {code[:40]}: not now")
    succeeded = code in rules.success_codes if rules.code else True
    if succeeded and status in rules.success_status:
        return _referred(rules, document)
    if rules.business_code and not succeeded:
        code = _text(lookup(document, rules.business_code))
    business = _business_code(rules, status, code)
    if business is None or (succeeded and rules.code):
        return _nonsense(f"{status} with a code that no line of the reply table explains")
    reason = _text(lookup(document, rules.reason)) if rules.reason else None
    named = _text(lookup(document, rules.field)) if rules.field else None
    city_code = None if code is None else _safe(code)[:64]
    return Declined(business, city_code, _safe(reason or f"HTTP {status}"), None if named is None else named[:64])


def _business_code(rules: ReplyRules, status: int, code: str | None) -> str | None:
    table = rules.refused_codes or {}
    if rules.code is None:
        return table.get(str(status), table.get(ANY_CODE)) if status in rules.refused_status else None
    return None if code is None else table.get(code, table.get(ANY_CODE))


def _referred(rules: ReplyRules, document: dict[str, Any]) -> Answer:
    # (5) the reference
    reference = _text(lookup(document, rules.reference))
    if reference is None or not reference.isprintable() or len(reference) > _MAX_REFERENCE:
        return _nonsense("success without a reference")
    return Accepted(reference)


def judge_status(rules: ReplyRules, reply: Reply) -> TryLater | None:
    """The answer where the status alone decides; None where the body must be read."""
    status = reply.status
    if status == 429:
        return TryLater(Fault.THROTTLED, "429", retry_after_s(reply.headers))
    if status in rules.success_status or status in rules.refused_status:
        return None
    if status in _UNAUTHORISED:
        return TryLater(Fault.UNAUTHORISED, str(status))
    if status >= 500 or status in _RETRY:
        return TryLater(Fault.SERVER_ERROR, str(status), retry_after_s(reply.headers))
    return _nonsense(f"status {status}, which no line of the reply table explains")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a ``Retry-After`` header, at most an hour; None without one or in its date form."""
    text = headers.get("retry-after", "")
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else None


def read_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body; None for anything else, however deep or broken it is."""
    try:
        document = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _text(value: Any) -> str | None:
    if value is MISSING or value is None or isinstance(value, dict | list | bool | float):
        return None
    return str(value).strip() or None


def _safe(reason: str) -> str:
    """The reason cut short, long numbers masked: a system may quote a telephone or an identity number in it."""
    one_line = " ".join(reason.split())
    return _LONG_NUMBER.sub("***", one_line)[:MAX_REASON]


def _nonsense(detail: str) -> TryLater:
    return TryLater(Fault.NONSENSE, detail)
