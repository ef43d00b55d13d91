"""A case, or a clock that has not ended, in one line of a list: from what was last told of it, no verdict is computed. Pure."""

from typing import Any

from services.cases.possibilities import rule_of
from services.cases.state import Case, Clock
from services.cases.steps import Around
from services.cases.wording import CLOCK_STATES, OPEN_STATES, is_owed, who
from services.kernel.instants import format_instant


def case_line(case: Case, around: Around, now_ms: int) -> dict[str, Any]:
    """A case, how far it has come, and how its clocks stand."""
    kind = around.tables.kinds[case.kind]
    state = kind.state(case.state)
    still = [clock for clock in case.clocks if clock.told_state in OPEN_STATES]
    due = [clock.due_at for clock in still if clock.due_at is not None and clock.told_state == "running"]
    return {
        "case": case.subject,
        "kind": kind.id,
        "kind_zh": kind.zh,
        "kind_en": kind.en,
        "title": case.title,
        "state": state.id,
        "state_zh": state.zh,
        "state_en": state.en,
        "closed": state.terminal,
        "opened_at": format_instant(case.opened_ms),
        "opened_by": case.opener,
        "participants": sorted({part.participant for part in case.parts}),
        "running": sum(clock.told_state == "running" for clock in still),
        "suspended": sum(clock.told_state == "suspended" for clock in still),
        "overdue": sum(is_overdue(clock, around, now_ms) for clock in still),
        "provisional": any(clock.provisional for clock in still),
        **({"due_at": format_instant(min(due))} if due else {}),
    }


def clock_line(case: Case, clock: Clock, around: Around, now_ms: int) -> dict[str, Any]:
    """A clock of a case, and who must act."""
    kind, rule = around.tables.kinds[case.kind], rule_of(clock, around)
    state_zh, state_en = CLOCK_STATES[clock.told_state]
    return {
        "case": case.subject,
        "title": case.title,
        "kind": kind.id,
        "kind_zh": kind.zh,
        "kind_en": kind.en,
        "clock": clock.key,
        "rule": clock.rule,
        "zh": clock.rule if rule is None else rule.zh,
        "en": clock.rule if rule is None else rule.en,
        "state": clock.told_state,
        "state_zh": state_zh,
        "state_en": state_en,
        "overdue": is_overdue(clock, around, now_ms),
        "provisional": clock.provisional,
        "advisory": clock.advisory,
        "must_act": [who(actor, around.registry) for actor in clock.actors],
        **({} if clock.due_at is None else {"due_at": format_instant(clock.due_at)}),
    }


def is_overdue(clock: Clock, around: Around, now_ms: int) -> bool:
    """Whether somebody should have acted by now. Never by an advisory clock, nor when what passed was a right."""
    passed = clock.told_state == "expired" or (
        clock.told_state == "running" and clock.due_at is not None and clock.due_at < now_ms
    )
    rule = rule_of(clock, around)
    return passed and not clock.advisory and rule is not None and is_owed(rule)
