"""The formats a schema field may name in `ipx.format`: a closed list, each with its check.

A check returns what is wrong, or None. Those of identifiers are in `identifiers.py` and `parties.py`; here are the plain
ones (texts, numbers, digests, names) and the list.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from services.kernel import identifiers, parties
from services.kernel.identifiers import Problem
from services.kernel.ids import is_event_id

Check = Callable[[Any], Problem | None]

_TEXT_LIMIT: Final = 20_000
_TEXT_SHORT_LIMIT: Final = 300
_KEY_BYTES: Final = (32, 64)


def _pattern(expression: str, expected: str, expected_zh: str) -> Check:
    fullmatch = re.compile(expression, re.ASCII).fullmatch

    def check(text: str) -> Problem | None:
        return None if fullmatch(text) else Problem(expected, expected_zh, text)

    return check


def _text(limit: int) -> Check:
    def check(text: str) -> Problem | None:
        if len(text) <= limit and text.strip():
            return None
        return Problem(f"1 to {limit} characters, not only blanks", f"1至{limit}个字符，不能全为空白", text[:40])

    return check


def _least(least: int) -> Check:
    def check(number: int) -> Problem | None:
        return None if number >= least else Problem(f"a number from {least}", f"不小于{least}的数", str(number))

    return check


def _nice_class(number: int) -> Problem | None:
    return None if 1 <= number <= 45 else Problem("a Nice class from 1 to 45", "1至45的尼斯分类", str(number))


def _event_id(text: str) -> Problem | None:
    return None if is_event_id(text) else Problem("a UUIDv7 or UUIDv8 in lower case", "小写的UUIDv7或者UUIDv8", text)


def _public_key(data: bytes) -> Problem | None:
    if len(data) in _KEY_BYTES:
        return None
    return Problem(
        "a key of 32 bytes (Ed25519) or 64 (SM2)", "32字节（Ed25519）或者64字节（SM2）的公钥", f"{len(data)} bytes"
    )


FORMATS: Final[dict[str, Check]] = {
    "agreement_ref": parties.check_agreement_ref,
    "court_case_number": identifiers.check_court_case_number,
    "customs_code": identifiers.check_customs_code,
    "division": identifiers.check_division,
    "document_number": identifiers.check_document_number,
    "event_type": _pattern(r"cn\.ipx\.[a-z]{1,20}\.[A-Z][A-Za-z0-9]{0,63}", "an event type", "事件类型全名"),
    "id_number": identifiers.check_identity_number,
    "key_id": parties.check_key_id,
    "log_partition": _pattern(
        r"[a-z][a-z0-9._-]{0,127}/(?:0|[1-9]\d{0,4})",
        "a log partition such as ipx.clues/3",
        "日志分区，例如ipx.clues/3",
    ),
    "member": parties.check_member,
    "name": _pattern(
        r"[a-z][a-z0-9-]{0,63}", "a name of lower-case letters, digits and -", "小写字母、数字和-组成的名称"
    ),
    "nice_class": _nice_class,
    "non_negative": _least(0),
    "participant": parties.check_participant,
    "patent_number": identifiers.check_patent_number,
    "positive": _least(1),
    "public_key": _public_key,
    "sha256": _pattern(r"sha256:[0-9a-f]{64}", "sha256: and 64 hex digits", "sha256:加64位十六进制数"),
    "software_copyright_number": identifiers.check_software_copyright_number,
    "text": _text(_TEXT_LIMIT),
    "text_short": _text(_TEXT_SHORT_LIMIT),
    "token": _pattern(r"[A-Za-z][A-Za-z0-9._-]{0,63}", "one word, no sentence", "单个标识词，不含语句"),
    "trademark_number": identifiers.check_trademark_number,
    "url": _pattern(r"https?://[^\s\x00-\x1f\"<>\\]{1,2040}", "an http or https address", "http或者https地址"),
    "uscc": identifiers.check_uscc,
    "uuid": _event_id,
}

CLOCKED: Final = frozenset({"past_instant", "past_day"})
"""Formats that are checked against the time of the event; `codec/field_rules.py` does so."""
