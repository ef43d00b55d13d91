"""Plays a case that is handed over, step by step: each step when its time has come, its expectations before the next one.

``advance`` never waits: it makes what can be made now and returns. A step whose time lies ahead is told in ``waits_until``; whoever conducts
the run moves the clock there once everything has come to rest. What is not as the file says within ``PATIENCE_S`` of a step is kept, with
what was found instead, and the play goes on: one difference hides no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.cases.wording import CLOCK_STATES
from services.demo.cases import Cases, Look
from services.demo.desk import Desk
from services.demo.ends import Trail
from services.demo.forms import Forms
from services.demo.hand_over import CALENDAR, CLOCK, OPEN, Expected, HandOver, Turn, format_time
from services.demo.scenario import Expectation
from services.demo.tally import Tally
from services.kernel.errors import Transient
from services.kernel.ports import Clock

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Around:
    """What a play needs of the run: desks and forms by organ, the fold of the cases, the time, and how a calendar is loaded."""

    run: str
    desks: Mapping[str, Desk]
    forms: Mapping[str, Forms]
    cases: Cases
    clock: Clock
    load_calendar: Callable[[Path], None] | None = None
    """How a calendar is published; None where no story publishes one."""


@dataclass(slots=True)
class HandOverPlay:
    """One story in one run. ``run`` makes the officers' numbers new, so that a second run is of new cases."""

    story: HandOver
    around: Around
    at: int = 0
    waits_until: int | None = None
    """The time of the step at hand, when it has not come."""
    failed: list[Expectation] = field(default_factory=list)
    _typed: bool = False
    _tried: bool = False
    """Whether the step at hand was begun and broke off: then its system is asked what it has, before it is made again."""
    _own: str = ""
    _since_s: float = 0.0
    _heard: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Name of the story."""
        return self.story.name

    @property
    def titles(self) -> tuple[str, str]:
        """Its title in Chinese and English."""
        return self.story.title_zh, self.story.title_en

    @property
    def alone(self) -> bool:
        """Cases that are handed over disturb no other."""
        return False

    @property
    def size(self) -> int:
        """How many steps it has."""
        return len(self.story.turns)

    @property
    def things(self) -> int:
        """How many cases it opens."""
        return len({turn.case for turn in self.story.turns if turn.do == OPEN})

    @property
    def is_done(self) -> bool:
        """Whether every step was made and compared."""
        return self.at >= len(self.story.turns)

    @property
    def waits_for(self) -> str:
        """The step that is not finished yet, in words."""
        return "" if self.is_done else self.story.turns[self.at].en

    def subjects(self, tally: Tally) -> dict[str, str]:
        """The exchange's number of each case that has one, by the story's name for it."""
        named = {turn.case: tally.subjects.get(self._number(turn.case)) for turn in self.story.turns if turn.case}
        return {case: subject for case, subject in named.items() if subject is not None}

    def advance(self, trail: Trail) -> bool:
        """Makes and compares what can be now; whether anything was. A system that is away is asked again the next time."""
        before = (self.at, self._typed, self._own)
        try:
            while not self.is_done and self._passed(self.story.turns[self.at], trail.tally):
                self.at, self._typed, self._tried, self._own = self.at + 1, False, False, ""
        except Transient:
            return False
        return (self.at, self._typed, self._own) != before

    def missing(self, trail: Trail, screens: Mapping[str, str]) -> tuple[Expectation, ...]:
        """What was not as the file says, with what was found."""
        return tuple(self.failed)

    def ends(self, trail: Trail) -> tuple[Expectation, ...]:
        """What the story tells of itself: each step in words, then how the clocks of its cases stand."""
        steps = [_line(turn.case, turn.do, turn.zh, turn.en) for turn in self.story.turns[: self.at]]
        now_ms = self.around.clock.now_ms()
        for case, subject in self.subjects(trail.tally).items():
            for clock, verdict, actors in self.around.cases.judged(subject, now_ms):
                zh, en = CLOCK_STATES[verdict.state]
                due = "" if verdict.due_at is None else format_time(verdict.due_at)
                due_zh, due_en = (f"，{due} 届满", f", due {due}") if due else ("", "")
                if verdict.provisional:
                    due_zh, due_en = f"{due_zh}（暂定）", f"{due_en} (provisional)"
                who = f", {', '.join(actors)}" if verdict.state == "running" else ""
                steps.append(_line(case, "clock", f"期限 {clock.key}：{zh}{due_zh}", f"{clock.key}: {en}{due_en}{who}"))
        return tuple(steps)

    def awaited(self, trail: Trail) -> tuple[Expectation, ...]:
        """Nothing: what has not come in its time is told as missing."""
        return ()

    def screens(self, trail: Trail) -> dict[str, str]:
        """No screen is looked at."""
        return {}

    def _passed(self, turn: Turn, tally: Tally) -> bool:
        """Whether the step is made and what it must lead to has come, or has not come for too long."""
        now_ms = self.around.clock.now_ms()
        if turn.at_ms is not None and turn.at_ms > now_ms:
            self.waits_until = turn.at_ms
            return False
        self.waits_until = None
        if not self._made(turn, tally):
            return False
        self.around.cases.follow(tally)
        look = Look(tally, self.around.cases, self._subject(turn, tally), self._own, now_ms)
        found = [(expected, self._differs(look, turn, expected)) for expected in turn.expected]
        wrong = [(expected, said) for expected, said in found if said is not None]
        if (wrong or not self._settled(turn, tally)) and time.monotonic() - self._since_s < PATIENCE_S:
            return False
        self.failed += [_line(turn.case, e.fact, f"{turn.zh}：{said}", f"{turn.en}: {said}") for e, said in wrong]
        return True

    def _differs(self, look: Look, turn: Turn, expected: Expected) -> str | None:
        if expected.case == turn.case:
            return look.differs(expected)
        other = look.tally.subjects.get(self._number(expected.case), "")
        return Look(look.tally, look.cases, other, look.own, look.now_ms).differs(expected)

    def _settled(self, turn: Turn, tally: Tally) -> bool:
        """Whether the step's own event is in the log or refused, and folded."""
        if turn.do in (CLOCK, CALENDAR):
            return True
        decided = self._own in tally.entries or self._own in tally.refusals
        return bool(self._own) and decided and self.around.cases.has_folded(tally)

    def _made(self, turn: Turn, tally: Tally) -> bool:
        """Makes the step, once; whether its event is known."""
        if not self._typed:
            if not self._can_be_made(turn, tally):
                return False
            self._type_in(turn, tally)
            self._typed, self._since_s = True, time.monotonic()
        if turn.do in (CLOCK, CALENDAR) or self._own:
            return True
        subject = self._subject(turn, tally)
        mine = [
            statement.id
            for statement in tally.published.values()
            if statement.subject == subject and statement.source == turn.by and statement.id not in self._heard
        ]
        if mine:
            self._own = mine[0]
            self._heard.add(mine[0])
        return bool(mine) or time.monotonic() - self._since_s >= PATIENCE_S

    def _can_be_made(self, turn: Turn, tally: Tally) -> bool:
        """Whether everything about the case that goes to this organ has reached its system."""
        subject = self._subject(turn, tally)
        due = [
            entry.statement.id
            for entry in tally.entries.values()
            if entry.statement.subject == subject and turn.by in [d.recipient for d in entry.deliveries]
        ]
        return all((event, turn.by) in tally.committed or (event, turn.by) in tally.declined for event in due)

    def _type_in(self, turn: Turn, tally: Tally) -> None:
        if turn.do == CLOCK:
            return
        if turn.do == CALENDAR:
            if turn.file is not None and self.around.load_calendar is not None:
                self.around.load_calendar(turn.file)
            return
        form = self.around.forms[turn.by].typed(
            turn, number=self._number(turn.case), subject=self._subject(turn, tally)
        )
        desk = self.around.desks[turn.by]
        if self._tried and any(form.items() <= row["nr"].items() for row in desk.holdings()["happenings"]):
            return
        self._tried = True
        if turn.ahead_ms:
            desk.set_ahead(turn.ahead_ms)
        desk.type_in("transfer" if turn.do == OPEN else "move", [form])
        if turn.ahead_ms:
            desk.set_ahead(0)

    def _subject(self, turn: Turn, tally: Tally) -> str:
        return tally.subjects.get(self._number(turn.case), "")

    def _number(self, case: str) -> str:
        return f"{self.around.run}-{self.story.name}-{case}"


def _line(case: str, end: str, zh: str, en: str) -> Expectation:
    return Expectation(clue=case, end=end, by=None, code=None, count=None, text=None, zh=zh, en=en)
