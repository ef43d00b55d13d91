"""The verdict on one clock: when it ends, how it stands, and why, in Chinese and English.

Sender, receiver and auditor call the same pure function on their own copies and get the same bytes: it takes the rule, what
happened, the calendar and the time of asking, and nothing else. It is total: whatever happened, in whatever order it was
told, has an answer.

| state | when |
|---|---|
| not_started | no trigger is known |
| running | the end has not come, or cannot be computed because a grant stated none |
| suspended | the term stands still; it has no end until it runs again |
| met | a stop no later than the end; a stop before the trigger too: what was to be done is done |
| late | a stop after the end |
| expired | the end has come without a stop |
| ended | the duty fell away before the end |
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.kernel.calendar import Calendar
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule, Effect
from services.kernel.course import Course, course
from services.kernel.explanation import Account, Explanation, explain
from services.kernel.instants import format_day, format_instant
from services.kernel.term import Counting, counting_of, ending, warned_at

State = Literal["not_started", "running", "suspended", "met", "late", "expired", "ended"]

_MISSED: Final[Mapping[Effect, frozenset[State]]] = {
    "overdue": frozenset({"late", "expired"}),
    "conditional": frozenset({"late"}),
    "lapse": frozenset(),
}
"""The states in which a term was missed by somebody's fault."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a clock stands. Instants are ms; ``due_at`` is the last one in time, None where there is no end (yet).

    ``alarm_at`` is the end by the stricter reading of a term in hours, counted from the moment itself; ``hint_at`` the end by
    the second reading of a rule; neither decides. ``provisional``: the end rests on days no notice has settled, and is
    computed again when one does. ``advisory``: shown, never a breach. ``late_by_ms`` is there when late.
    """

    rule: str
    rule_from: int | None
    state: State
    started_at: int | None
    due_at: int | None
    warn_at: int | None
    alarm_at: int | None
    hint_at: int | None
    ended_at: int | None
    late_by_ms: int | None
    provisional: bool
    advisory: bool
    breach: bool
    explanation: Explanation
    source: str

    def document(self) -> Mapping[str, Any]:
        """The verdict as plain values for JSON: instants as text, days as text, nothing left out."""
        return {
            "rule": self.rule,
            "rule_valid_from": None if self.rule_from is None else format_day(self.rule_from),
            "state": self.state,
            "started_at": _instant(self.started_at),
            "due_at": _instant(self.due_at),
            "warn_at": _instant(self.warn_at),
            "alarm_at": _instant(self.alarm_at),
            "hint_at": _instant(self.hint_at),
            "ended_at": _instant(self.ended_at),
            "late_by_ms": self.late_by_ms,
            "provisional": self.provisional,
            "advisory": self.advisory,
            "breach": self.breach,
            "explanation": {"zh": self.explanation.zh, "en": self.explanation.en},
            "source": self.source,
        }


def verdict(rule: ClockRule, moments: Iterable[Moment], calendar: Calendar, now_ms: int) -> Verdict:
    """The verdict on a clock at a time. Pure and total; see the module for the states.

    Promises: the same for every order and repetition of the moments; a longer term never ends earlier. A breach is a term of
    a certain rule that was missed and is no mere lapse of a right; one whose end is provisional is none yet. A conditional duty
    is missed only by an act that came late: without one nobody has seen it arise.
    """
    run = course(rule, moments, calendar)
    if run is None:
        return _not_started(rule)
    state = _state(run, now_ms)
    due = None if run.end is None else run.end.due_ms
    ended = _ended_at(run, state)
    advisory = rule.advisory or run.advisory
    provisional = run.end is not None and not run.end.settled
    alarm, hint = _stricter(run, rule, calendar), _second_reading(run, rule, calendar)
    account = Account(rule, run, state, alarm, hint, advisory)
    return Verdict(
        rule=rule.id,
        rule_from=rule.valid_from,
        state=state,
        started_at=run.trigger.at_ms,
        due_at=due,
        warn_at=None if run.end is None else warned_at(counting_of(rule), run.end, rule.warn, calendar),
        alarm_at=alarm,
        hint_at=hint,
        ended_at=ended,
        late_by_ms=ended - due if state == "late" and ended is not None and due is not None else None,
        provisional=provisional,
        advisory=advisory,
        breach=state in _MISSED[rule.effect] and not advisory and not provisional,
        explanation=explain(account, calendar),
        source=rule.source,
    )


def _instant(at_ms: int | None) -> str | None:
    return None if at_ms is None else format_instant(max(0, at_ms))


def _not_started(rule: ClockRule) -> Verdict:
    return Verdict(
        rule=rule.id,
        rule_from=rule.valid_from,
        state="not_started",
        started_at=None,
        due_at=None,
        warn_at=None,
        alarm_at=None,
        hint_at=None,
        ended_at=None,
        late_by_ms=None,
        provisional=False,
        advisory=rule.advisory,
        breach=False,
        explanation=explain(Account(rule, None, "not_started", None, None, rule.advisory), None),
        source=rule.source,
    )


def _state(run: Course, now_ms: int) -> State:
    due = None if run.end is None else run.end.due_ms
    fell_in_time = run.fall is not None and (due is None or run.fall.at_ms <= due)
    if run.stop is not None and (run.fall is None or run.stop.at_ms <= run.fall.at_ms or not fell_in_time):
        return "met" if due is None or run.stop.at_ms <= due else "late"
    if fell_in_time:
        return "ended"
    if due is not None:
        return "expired" if now_ms > due else "running"
    return "running" if run.standing_still is None else "suspended"


def _ended_at(run: Course, state: State) -> int | None:
    if state in ("met", "late") and run.stop is not None:
        return run.stop.at_ms
    return run.fall.at_ms if state == "ended" and run.fall is not None else None


def _stricter(run: Course, rule: ClockRule, calendar: Calendar) -> int | None:
    """The end of a term in hours by the other reading: from the moment itself, not from the next hour (domain 4.1)."""
    if rule.start != "next_hour" or run.end is None:
        return None
    return _read_as(run, Counting(rule.unit, "exact_moment", rule.last_day), calendar)


def _second_reading(run: Course, rule: ClockRule, calendar: Calendar) -> int | None:
    if rule.hint_unit is None or run.end is None:
        return None
    if rule.hint_unit == "working_day":
        return _read_as(run, Counting("working_day", "next_day", "by_nature"), calendar)
    return _read_as(run, Counting("calendar_day", "next_day", "next_working_day"), calendar)


def _read_as(run: Course, counting: Counting, calendar: Calendar) -> int:
    return ending(counting, run.running_from.at_ms, run.length, run.still, calendar).due_ms
