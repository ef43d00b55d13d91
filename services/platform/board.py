"""Where the supervisor says how its parts are: the state file, its metrics, its own ``/readyz`` and its log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.kernel.ports import Clock
from services.platform.program import Part, Site
from services.platform.state import Condition, PlatformState, write_state
from services.runtime.health import Checks
from services.runtime.logging import get_logger
from services.runtime.metrics import PLATFORM_RESTARTS, PLATFORM_RUNNING, Metrics

_GOOD = (Condition.READY, Condition.EXTERNAL)


class Board:
    """The state as it is now; every change is written at once. For one thread."""

    def __init__(self, site: Site, state: PlatformState, clock: Clock, metrics: Metrics, checks: Checks) -> None:
        self._site = site
        self._state = state
        self._clock = clock
        self._metrics = metrics
        self._checks = checks
        self._log = get_logger("platform")

    @property
    def state(self) -> PlatformState:
        """As last written."""
        return self._state

    def open(self, part: Part) -> None:
        """A part that is to run, or that is somebody else's."""
        self.note(
            part,
            port=None if part.name in self._site.external else self._site.ports[part.port],
            condition=Condition.EXTERNAL if part.name in self._site.external else Condition.WAITING,
            details=part.details(self._site),
            log=str(self._site.layout.log(part.name)),
        )

    def note(self, part: Part, **changes: Any) -> None:
        """One part changed; a new condition gets the time it began."""
        before = self._state.parts.get(part.name)
        is_new = before is None or changes.get("condition", before.condition) != before.condition
        if is_new:
            changes["since_ms"] = self._clock.now_ms()
        self.tell_state(self._state.with_part(part.name, **changes))
        self._metrics.set(PLATFORM_RUNNING, self._state.parts[part.name].pid is not None, part=part.name)
        if is_new:
            self._announce(part.name)

    def tell(self, **changes: Any) -> None:
        """The platform as a whole changed."""
        self.tell_state(replace(self._state, **changes))

    def tell_state(self, state: PlatformState) -> None:
        """Replaces the state and writes it."""
        self._state = state
        write_state(self._site.layout.state_file, state)

    def _announce(self, name: str) -> None:
        part = self._state.parts[name]
        if part.condition is Condition.RESTARTING:
            self._metrics.add(PLATFORM_RESTARTS, part=name)
        if part.condition in _GOOD:
            self._checks.passed(name)
        else:
            self._checks.failed(name, part.condition.value)
        self._log.info("part changed", part=name, status=part.condition.value, pid=part.pid, reason=part.error)
