"""Strict JSON: hostile text to plain values, or a refusal with a stable code; RFC 8259 without its liberties.

``services/ledger/FORMAT.md`` section 5.3: UTF-8 without byte order mark, no duplicate keys, no NaN or infinity, bounded in size, depth
and in the digits of a number. Sizes are looked at before anything is parsed.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from services.kernel.errors import Refused

MAX_DEPTH: Final = 32
MAX_DIGITS: Final = 40
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


def parse_json(data: bytes, *, most_bytes: int, most_depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON text.

    Refuses ``too-large``, ``bad-json`` (not UTF-8, not JSON, nested too deeply), ``duplicate-key`` (naming it), ``bad-number``.
    Not promised: that strings are free of lone surrogates, which ``\\ud800`` can write; who encodes them must look.
    """
    if len(data) > most_bytes:
        raise Refused("too-large", f"the JSON has {len(data)} bytes, {most_bytes} are allowed")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Refused("bad-json", f"the JSON is not UTF-8 at byte {error.start}") from error
    _check_depth(text, most_depth)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Refused("bad-json", f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise Refused("bad-json", "the JSON is nested too deeply") from error


def _check_depth(text: str, most: int) -> None:
    """Looks at the brackets outside strings, before the parser would follow them down."""
    if text.count("[") + text.count("{") <= most:
        return
    depth = 0
    for match in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if match[0] in "[{" else -1
        if depth > most:
            raise Refused("bad-json", f"the JSON is nested deeper than {most}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Refused("duplicate-key", f"the key {key[:80]!r} stands twice in one object", field=key[:80])
            seen.add(key)
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Refused("bad-number", f"a number has {len(digits)} digits, {MAX_DIGITS} are allowed")
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits) if len(digits) <= MAX_DIGITS else math.inf
    if math.isinf(number):
        raise Refused("bad-number", "a number is too large or has too many digits")
    return number


def _constant(name: str) -> NoReturn:
    raise Refused("bad-number", f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_decimal, parse_constant=_constant, strict=True
)
