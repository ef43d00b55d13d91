"""Metrics of the statutory clocks of cases, which the transfers room tells: a part of the closed list in ``metrics.py``.

By kind of transfer, city of the organ that must act, and clock rule.
"""

from __future__ import annotations

from services.runtime.metric_kinds import CITY, CLOCK, DAYS_S, KIND, Gauge, Histogram, Metric

_CLOCKS = (KIND, CITY, CLOCK)
ROOM_OPEN_CLOCKS = Gauge(
    "room",
    "open_clocks",
    "statutory clocks that have not ended, by the city of the organ that must act",
    "未终结的法定期限（按应办理机关所在城市）",
    _CLOCKS,
)
ROOM_WARNED_CLOCKS = Gauge(
    "room", "warned_clocks", "clocks that run and whose end was warned of", "已预警、仍在计算的期限", _CLOCKS
)
ROOM_OVERDUE_CLOCKS = Gauge(
    "room",
    "overdue_clocks",
    "clocks by whose end somebody should have acted; advisory ones and rights that lapsed are none",
    "逾期未办的期限（不含仅供参考的期限和已失权的期限）",
    _CLOCKS,
)
ROOM_PROVISIONAL_CLOCKS = Gauge(
    "room",
    "provisional_clocks",
    "clocks whose end rests on days that no notice of the calendar has settled",
    "届满时间暂定的期限（所依日历尚未发布）",
    _CLOCKS,
)
ROOM_UNAPPLIED_CLOCKS = Gauge(
    "room",
    "unapplied_clocks",
    "clocks that are provisional though the calendar of their end is published",
    "日历已发布而届满时间仍为暂定的期限",
    _CLOCKS,
)
ROOM_ACT_SECONDS = Histogram(
    "room",
    "act_seconds",
    "time from the start of a clock to the act that stopped it",
    "从期限起算到办结的时间",
    _CLOCKS,
    buckets=DAYS_S,
)

CLOCK_METRICS: tuple[Metric, ...] = (
    ROOM_OPEN_CLOCKS,
    ROOM_WARNED_CLOCKS,
    ROOM_OVERDUE_CLOCKS,
    ROOM_PROVISIONAL_CLOCKS,
    ROOM_UNAPPLIED_CLOCKS,
    ROOM_ACT_SECONDS,
)
