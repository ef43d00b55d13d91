"""The closed list of forms in which city systems write a value, each with its way in and its way out. Pure.

``read`` takes what stands in the city's document and gives the value of an event field; ``write`` is its inverse. Both
refuse (``cannot-map``) what they do not know, and never repeat the value: it may be a person's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from services.kernel.errors import Refused
from services.kernel.instants import format_day, parse_day

CANNOT_MAP: Final = "cannot-map"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHINA: Final = timezone(timedelta(hours=8))  # one zone, no summer time since 1991
_YUAN: Final = re.compile(r"(\d{1,13})(?:\.(\d{1,2}))?", re.ASCII)
_INTEGER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_LOCAL: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII)
_OFFSET: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:Z|[+-]\d{2}:\d{2})", re.ASCII)
_COMPACT: Final = re.compile(r"\d{8}", re.ASCII)
_HAN_DAY: Final = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日", re.ASCII)
_FLAGS: Final = {"1": True, "0": False, "是": True, "否": False, "true": True, "false": False, "Y": True, "N": False}


@dataclass(frozen=True, slots=True)
class Converter:
    """Two functions that undo one another on what the city writes."""

    expected: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


def refuse(expected: str, value: Any) -> Refused:
    """The refusal of a value; says its JSON type, never the value."""
    return Refused(CANNOT_MAP, f"expected {expected}, got another {type(value).__name__}")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise refuse("text", value)


def _same(value: Any) -> Any:
    return value


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    raise refuse("a whole number", value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = _FLAGS.get(str(value)) if isinstance(value, str | int) else None
    if known is None:
        raise refuse("是/否 or 1/0", value)
    return known


def _fen(value: Any) -> int:
    match = _YUAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value * 100
    if isinstance(value, float) and 0 <= value < 1e13 and round(value * 100) == value * 100:
        return round(value * 100)
    if match is None:
        raise refuse("an amount in yuan such as 66500.00", value)
    return int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))


def _yuan(fen: Any) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _moment(ms: int) -> datetime:
    return (_EPOCH + timedelta(milliseconds=ms)).astimezone(_CHINA)


def _local_time(value: Any) -> int:
    if isinstance(value, str) and _LOCAL.fullmatch(value):
        try:
            return _ms(datetime.fromisoformat(value).replace(tzinfo=_CHINA))
        except ValueError:
            pass
    raise refuse("a local time such as 2026-11-24 14:11:37", value)


def _offset_time(value: Any) -> int:
    if isinstance(value, str) and _OFFSET.fullmatch(value):
        try:
            return _ms(datetime.fromisoformat(value))
        except ValueError:
            pass
    raise refuse("a time such as 2026-11-24T14:11:37+08:00", value)


def _day(value: Any) -> int:
    if not isinstance(value, str):
        raise refuse("a date", value)
    text = value.strip()
    if _COMPACT.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    elif match := _HAN_DAY.fullmatch(text):
        text = f"{match[1]}-{int(match[2]):02d}-{int(match[3]):02d}"
    elif _LOCAL.fullmatch(text):
        text = text[:10]
    try:
        return parse_day(text)
    except Refused as error:
        raise refuse("a date such as 2026-11-24, 20261124 or 2026年11月24日", value) from error


def _han_day(days: Any) -> str:
    day = date.fromisoformat(format_day(days))
    return f"{day.year}年{day.month}月{day.day}日"


def _list(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise refuse("a list", value)
    return [_text(item) for item in value]


def _joined(value: Any) -> list[str]:
    return [part.strip() for part in re.split("[、,，;；]", _text(value)) if part.strip()]


def _integers(value: Any) -> list[int]:
    return [_integer(item) for item in (value if isinstance(value, list) else _joined(value))]


CONVERTERS: Final[dict[str, Converter]] = {
    "text": Converter("text", _text, _same),
    "integer": Converter("a whole number", _integer, _same),
    "number_text": Converter("a whole number as text", _integer, str),
    "flag": Converter("1 or 0", _flag, lambda value: "1" if value else "0"),
    "shifou": Converter("是 or 否", _flag, lambda value: "是" if value else "否"),
    "truth": Converter("true or false", _flag, bool),
    "yuan": Converter("an amount in yuan", _fen, _yuan),
    "local_time": Converter("a local time", _local_time, lambda ms: f"{_moment(ms):%Y-%m-%d %H:%M:%S}"),
    "offset_time": Converter("a time", _offset_time, lambda ms: _moment(ms).isoformat(timespec="seconds")),
    "epoch_ms": Converter("milliseconds since 1970", _integer, _same),
    "day": Converter("a date", _day, format_day),
    "compact_day": Converter("a date", _day, lambda days: format_day(days).replace("-", "")),
    "han_day": Converter("a date", _day, _han_day),
    "list": Converter("a list of texts", _list, list),
    "joined": Converter("texts joined by 、", _joined, "、".join),
    "integers": Converter("whole numbers", _integers, list),
    "joined_integers": Converter(
        "whole numbers joined by 、", _integers, lambda values: "、".join(str(v) for v in values)
    ),
}
