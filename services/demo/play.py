"""Plays a scenario step by step: each step is made when what it needs has come, and only once.

No step waits: ``advance`` makes what can be made now and returns. What a step needs is read from the log (was the clue
admitted, to whom does it go) and from the organ's own system (is it there), so a part that is away only delays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.demo.desk import Desk, number_of, text_about
from services.demo.ends import Trail, has_come
from services.demo.scenario import REPORT, TROUBLE, Expectation, Scenario, Step
from services.kernel.errors import Transient


@dataclass(slots=True)
class Play:
    """One scenario in one run. ``run`` makes the officers' numbers new, so that a second run is of new clues."""

    scenario: Scenario
    run: str
    desks: Mapping[str, Desk]
    at: int = 0
    tried: bool = False
    """Whether the step at hand was begun and broke off: then its system is asked what it has, before it is made again."""
    made_for: set[str] = field(default_factory=set)
    reported: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self.scenario.name

    @property
    def titles(self) -> tuple[str, str]:
        """Its title in Chinese and English."""
        return self.scenario.title_zh, self.scenario.title_en

    @property
    def alone(self) -> bool:
        """Whether no other is played meanwhile."""
        return self.scenario.alone

    @property
    def size(self) -> int:
        """How many steps it has."""
        return len(self.scenario.steps)

    @property
    def things(self) -> int:
        """How many clues it is about."""
        return sum(self.scenario.clues().values())

    @property
    def waits_until(self) -> None:
        """No step of it waits for a time."""
        return

    @property
    def is_done(self) -> bool:
        """Whether every step was made; the ends may still be on their way."""
        return self.at >= len(self.scenario.steps)

    @property
    def waits_for(self) -> str:
        """The step that is not made yet, in words."""
        return "" if self.is_done else self.scenario.steps[self.at].en

    def numbers(self, clue: str) -> tuple[str, ...]:
        """The officers' own numbers for a clue of the scenario."""
        size = self.scenario.clues()[clue]
        stem = f"{self.run}-{self.scenario.name}-{clue}"
        return (stem,) if size == 1 else tuple(f"{stem}-{n:03d}" for n in range(1, size + 1))

    def advance(self, trail: Trail) -> bool:
        """Makes the steps that can be made; whether any was. A system that is away is asked again the next time."""
        before = (self.at, len(self.made_for))
        try:
            while not self.is_done and self._make(self.scenario.steps[self.at], trail):
                self.at, self.tried = self.at + 1, False
                self.made_for.clear()
        except Transient:
            return False
        return (self.at, len(self.made_for)) != before

    def missing(self, trail: Trail, screens: Mapping[str, str]) -> tuple[Expectation, ...]:
        """The ends that have not come."""
        ends = self.scenario.expectations
        return tuple(e for e in ends if not has_come(e, self.numbers(e.clue), trail, screens))

    def ends(self, trail: Trail) -> tuple[Expectation, ...]:
        """Every end that must come."""
        return self.scenario.expectations

    def awaited(self, trail: Trail) -> tuple[Expectation, ...]:
        """Ends that may still come: those that are read from logs and inboxes, and not off a screen."""
        return tuple(e for e in self.missing(trail, {}) if e.end not in ("shown", "hidden"))

    def screens(self, trail: Trail) -> dict[str, str]:
        """What the systems named by ``shown`` and ``hidden`` show of the scenario's clues."""
        events = frozenset(
            s.id for clue in self.scenario.clues() for number in self.numbers(clue) for s in trail.reports(number)
        )
        asked = {e.by for e in self.scenario.expectations if e.end in ("shown", "hidden") and e.by is not None}
        return {who: text_about(self.desks[who].holdings(), events) for who in asked}

    def _make(self, step: Step, trail: Trail) -> bool:
        if step.after is not None and not has_come(step.after, self.numbers(step.clue), trail, {}):
            return False
        match step.do:
            case do if do == TROUBLE:
                self.desks[step.at].trouble(step.forms[0])
                return True
            case do if do == REPORT:
                return self._report(step, trail)
            case _:
                return self._move(step, trail)

    def _report(self, step: Step, trail: Trail) -> bool:
        numbers = self.numbers(step.clue)
        said_before = self.reported.get(step.clue, 0)
        if said_before and any(len(trail.reports(number)) < said_before for number in numbers):
            return False
        desk = self.desks[step.at]
        forms = [
            _filled(form, self._words(step, number, trail)) for form, number in zip(step.forms, numbers, strict=False)
        ]
        if not (self.tried and self._is_entered(desk, forms)):
            self.tried = True
            desk.enter(forms)
        self.reported[step.clue] = said_before + 1
        return True

    def _words(self, step: Step, number: str, trail: Trail) -> dict[str, str]:
        """What the placeholders of a form stand for; ``report`` is the last report that this organ sent or got."""
        known = [s for s in trail.reports(number) if s.source == step.at or step.at in trail.recipients(s.id)]
        last = known[-1] if known else None
        return {
            "number": number,
            "run": self.run,
            "subject": last.subject if last else "",
            "report": last.id if last else "",
        }

    def _is_entered(self, desk: Desk, forms: list[dict[str, Any]]) -> bool:
        happenings = [row["nr"] for row in desk.holdings()["happenings"]]
        return any(forms[0].items() <= entered.items() for entered in happenings)

    def _move(self, step: Step, trail: Trail) -> bool:
        """The step for every clue of the group that has come to this organ; not before the whole group is in the log."""
        wanted = self.reported.get(step.clue, 0)
        latest = {}
        for number in self.numbers(step.clue):
            reports = trail.reports(number)
            if len(reports) < wanted or not all(s.id in trail.tally.entries for s in reports):
                return False
            latest[number] = next((s.id for s in reversed(reports) if step.at in trail.recipients(s.id)), None)
        mine = {number: event for number, event in latest.items() if event is not None and number not in self.made_for}
        if not mine:
            return bool(self.made_for)
        holdings = self.desks[step.at].holdings()
        for number, event in mine.items():
            own = number_of(holdings, event)
            if own is None:
                return False
            self.desks[step.at].act(own, step.do, step.forms[0])
            self.made_for.add(number)
        return True


def _filled(form: Any, words: Mapping[str, str]) -> Any:
    """The form with its placeholders filled in, however deep it goes."""
    match form:
        case dict():
            return {key: _filled(value, words) for key, value in form.items()}
        case list():
            return [_filled(value, words) for value in form]
        case str() if "{" in form:
            return form.format(**words)
        case _:
            return form
