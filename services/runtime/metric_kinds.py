"""What a metric may be: a counter, a gauge or a histogram of one process, with labels whose values are bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Process = Literal["admission", "gateway", "ledger", "node", "room", "relay", "platform"]
Scope = Process | Literal["health"]
"""Whose a metric is; ``health`` is every process's."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label and how many values of it are told apart."""

    name: str
    limit: int


CHECK = Label("check", 512)
"""Names of checks come from the configuration alone. A node has four for each participant and one of its own: 512 is for 127,
more than the 41 cities have with three organs each."""

CODE = Label("code", 64)
CITY = Label("city", 128)
CLOCK = Label("clock", 128)
FAMILY = Label("family", 16)
KIND = Label("kind", 16)
OUTCOME = Label("outcome", 16)
PARTICIPANT = Label("participant", 1024)
PARTITION = Label("partition", 128)
PART = Label("part", 16)
ROOM = Label("room", 16)
ROUTE = Label("route", 64)
STATUS = Label("status", 64)
STEP = Label("step", 32)
TARGET = Label("target", 256)

FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SLOW_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
DAYS_S = tuple(float(hours * 3600) for hours in (1, 4, 12, 24, 48, 72, 120, 168, 240, 360, 720, 1440, 2160, 4320, 8760))
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric: whose it is, what it counts with the unit as the last word, its sentence in both languages."""

    process: Scope
    what: str
    en: str
    zh: str
    labels: tuple[Label, ...] = ()

    @property
    def name(self) -> str:
        """Name in the exposition."""
        return f"ipx_{self.process}_{self.what}"

    @property
    def unit(self) -> str:
        """The unit, as it stands in the name."""
        return self.what.rpartition("_")[2]


@dataclass(frozen=True, slots=True)
class Counter(Spec):
    """Only goes up; the name ends in ``_<unit>_total``."""

    @property
    def name(self) -> str:
        """Name in the exposition."""
        return f"ipx_{self.process}_{self.what}_total"


@dataclass(frozen=True, slots=True)
class Gauge(Spec):
    """Goes up and down; the name ends in ``_<unit>``."""


@dataclass(frozen=True, slots=True)
class Histogram(Spec):
    """Counts by size; the name ends in ``_<unit>``."""

    buckets: tuple[float, ...] = FAST_S


Metric = Counter | Gauge | Histogram
