"""The period of an archive: a run of calendar days in Asia/Shanghai, and what of a topic falls into it. Pure.

``services/ledger/FORMAT.md`` section 6.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.codec.entry import Entry, parse_entry
from services.kernel.errors import Refused
from services.kernel.instants import format_day, parse_day, parse_instant

ENTRY_HEADER = "ce_ipxentry"
TIME_HEADER = "ce_time"
_DAY_MS = 86_400_000
_CST_MS = 8 * 3_600_000
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day up to the last, both included; days since 1970-01-01, None where it is open."""

    from_day: int | None = None
    until_day: int | None = None

    def __post_init__(self) -> None:
        if self.from_day is not None and self.until_day is not None and self.from_day > self.until_day:
            raise Refused("bad-field", "the last day of the period is before its first")

    @property
    def start_ms(self) -> int:
        """The first instant of it; 0 where it is open."""
        return 0 if self.from_day is None else max(0, self.from_day * _DAY_MS - _CST_MS)

    @property
    def end_ms(self) -> int | None:
        """The first instant after it; None where it is open."""
        return None if self.until_day is None else (self.until_day + 1) * _DAY_MS - _CST_MS

    def has(self, instant_ms: int) -> bool:
        """Whether an instant is within."""
        return instant_ms >= self.start_ms and not self.is_past(instant_ms)

    def is_past(self, instant_ms: int) -> bool:
        """Whether an instant is after the end."""
        return self.end_ms is not None and instant_ms >= self.end_ms

    def texts(self) -> tuple[str | None, str | None]:
        """First and last day as ``YYYY-MM-DD``, None where it is open."""
        first, last = self.from_day, self.until_day
        return None if first is None else format_day(first), None if last is None else format_day(last)


def period_of(from_day: str | None, until_day: str | None) -> Period:
    """From the days' texts; refuses ``bad-field``."""
    return Period(
        None if from_day is None else parse_day(from_day), None if until_day is None else parse_day(until_day)
    )


def entry_of(headers: Headers) -> Entry | None:
    """The entry in the headers of a log or inbox record, None when there is none that can be read."""
    found = _header(headers, ENTRY_HEADER)
    if found is None:
        return None
    try:
        return parse_entry(found)
    except Refused:
        return None


def said_at(headers: Headers, timestamp_ms: int) -> int:
    """The time of a record that has no entry: what its statement says, else what the broker gave it."""
    found = _header(headers, TIME_HEADER)
    try:
        return timestamp_ms if found is None else parse_instant(found.decode("ascii", "replace"))
    except Refused:
        return timestamp_ms


def _header(headers: Headers, wanted: str) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)
