"""How the parts of the node say what they do: metrics, log lines, health, fault points. A port, with the fake that tests use.

Nobody here passes the content of an event: names, ids, codes and numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Teller(Protocol):
    """What a part tells of itself. The names of counters and gauges are those of ``services/runtime/metrics.py``."""

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Adds to the counter ``ipx_node_<name>``."""
        ...

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Sets the gauge ``ipx_node_<name>``."""
        ...

    def seconds(self, name: str, value: float, **labels: str) -> None:
        """Observes a duration in ``ipx_node_<name>``."""
        ...

    def info(self, what: str, **about: str | int | float | None) -> None:
        """A line about something that happened as it should."""
        ...

    def warning(self, what: str, **about: str | int | float | None) -> None:
        """A line about something that is tried again or set aside."""
        ...

    def error(self, what: str, **about: str | int | float | None) -> None:
        """A line that a person should read."""
        ...

    def healthy(self, check: str, reason: str | None) -> None:
        """The check passes, or why it does not."""
        ...

    def reach(self, point: str) -> None:
        """A fault point: where a crash test may end the process."""
        ...


@dataclass(slots=True)
class Notebook:
    """Remembers what it was told."""

    counts: dict[tuple[str, tuple[tuple[str, str], ...]], int] = field(default_factory=dict)
    gauges: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)
    lines: list[tuple[str, str, dict[str, str | int | float | None]]] = field(default_factory=list)
    checks: dict[str, str | None] = field(default_factory=dict)
    reached: list[str] = field(default_factory=list)

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Adds."""
        key = (name, tuple(sorted(labels.items())))
        self.counts[key] = self.counts.get(key, 0) + amount

    def total(self, name: str) -> int:
        """Sum of a counter over its labels."""
        return sum(amount for (counted, _), amount in self.counts.items() if counted == name)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Sets."""
        self.gauges[name, tuple(sorted(labels.items()))] = value

    def seconds(self, name: str, value: float, **labels: str) -> None:
        """Counts one observation."""
        self.count(name, 1, **labels)

    def info(self, what: str, **about: str | int | float | None) -> None:
        """Keeps the line."""
        self.lines.append(("info", what, about))

    def warning(self, what: str, **about: str | int | float | None) -> None:
        """Keeps the line."""
        self.lines.append(("warning", what, about))

    def error(self, what: str, **about: str | int | float | None) -> None:
        """Keeps the line."""
        self.lines.append(("error", what, about))

    def healthy(self, check: str, reason: str | None) -> None:
        """Keeps the last reason."""
        self.checks[check] = reason

    def reach(self, point: str) -> None:
        """Keeps the point."""
        self.reached.append(point)
