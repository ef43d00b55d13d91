"""Instants: milliseconds since 1970-01-01T00:00:00Z as ``int``, and their one text form (RFC 3339, UTC, three digits)."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from services.kernel.errors import Refused

_EPOCH_DAY = date(1970, 1, 1).toordinal()
INSTANT_PATTERN = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
_FORM = re.compile(INSTANT_PATTERN)
_LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_DAY_MS = 86_400_000
_CST_MS = 8 * 3_600_000

_REMEMBERED_DAYS = 4096
_days: dict[int, str] = {}  # the text of a day, asked for thousands of times in a batch
_starts: dict[str, int] = {}  # the first ms of a day, the same


def format_instant(instant_ms: int) -> str:
    """Text of an instant from year 1970 to 9999; refuses (``bad-attribute``) anything outside."""
    if not 0 <= instant_ms <= _LAST_MS:
        raise Refused("bad-attribute", f"instant {instant_ms} ms is outside 1970 to 9999", field="time")
    day, rest = divmod(instant_ms, _DAY_MS)
    text = _days.get(day)
    if text is None:
        if len(_days) >= _REMEMBERED_DAYS:
            _days.clear()
        text = _days[day] = date.fromordinal(_EPOCH_DAY + day).isoformat()
    seconds, ms = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{text}T{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"


@lru_cache(maxsize=4096)  # one entry's times are asked for by everybody that it passes
def parse_instant(text: str) -> int:
    """Inverse of :func:`format_instant`; refuses (``bad-attribute``) every other spelling of the same moment."""
    if _FORM.fullmatch(text) is None:
        raise Refused(
            "bad-attribute", f"expected an instant like 2026-11-24T06:11:37.123Z, got {text[:40]!r}", field="time"
        )
    day = text[:10]
    start = _starts.get(day)
    if start is None:
        start = _first_ms(day)
        if len(_starts) >= _REMEMBERED_DAYS:
            _starts.clear()
        _starts[day] = start
    return start + (int(text[11:13]) * 60 + int(text[14:16])) * 60_000 + int(text[17:19]) * 1000 + int(text[20:23])


def _first_ms(day: str) -> int:
    try:
        days = date.fromisoformat(day).toordinal() - _EPOCH_DAY
    except ValueError as error:
        raise Refused("bad-attribute", f"{day!r} is not a day of the calendar", field="time") from error
    if days < 0:
        raise Refused("bad-attribute", f"{day!r} is before 1970", field="time")
    return days * _DAY_MS


def format_minute(instant_ms: int) -> str:
    """``YYYY-MM-DD HH:MM`` in China, for people to read; refuses (``bad-field``) years before 1 and past 9999."""
    day, rest = divmod(instant_ms + _CST_MS, _DAY_MS)
    hour, minute = divmod(rest // 60_000, 60)
    return f"{format_day(day)} {hour:02d}:{minute:02d}"


def format_day(days: int) -> str:
    """``YYYY-MM-DD`` of a day counted from 1970-01-01 (Avro ``date``); refuses (``bad-field``) years before 1 and past 9999."""
    try:
        return date.fromordinal(_EPOCH_DAY + days).isoformat()
    except (ValueError, OverflowError) as error:
        raise Refused("bad-field", f"day {days} is outside the years 1 to 9999") from error


def parse_day(text: str) -> int:
    """Inverse of :func:`format_day`; refuses (``bad-field``) every other form."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Refused("bad-field", f"expected a date like 2026-11-24, got {text[:40]!r}") from error
    if day.isoformat() != text:
        raise Refused("bad-field", f"expected a date like 2026-11-24, got {text[:40]!r}")
    return day.toordinal() - _EPOCH_DAY
