"""How much one case may hold, whoever fills it: the exchange's own bounds, so that no case grows past what can be folded, signed and told.

Nothing that the statutes ask for comes near them; what is beyond has no effect and is answered (`rules.py`), never refused at the door. Pure.
"""

from typing import Final

from services.cases import rules
from services.cases.instances import most_of_a_rule, overflows
from services.cases.rules import Refusal
from services.cases.state import Case, Fact
from services.cases.table import Kind, Move
from services.kernel.clock_moments import Moment
from services.kernel.clock_rules import ClockRule, ClockRules, Unit

MOST_FACTS: Final = 1_000
"""Events with effect in one case; from then on only the moves that end it are made."""
_FACTS_TO_END: Final = 24
"""So many moves that end a case are made beyond ``MOST_FACTS``: a kind may go from one end to another and back."""
MOST_GRANTS: Final = 32
MOST_STANDSTILLS: Final = 64
"""Grants, and suspensions with resumptions, of one clock rule in one case."""
LONGEST_GRANTED: Final[dict[Unit, int]] = {
    "hour": 20 * 366 * 24,
    "calendar_day": 20 * 366,
    "working_day": 20 * 250,
    "month": 20 * 12,
    "year": 20,
}
"""What may be granted to one clock rule in one case, all told: twenty years."""
MOST_ADDRESSEES: Final = 32
"""Addressees of an opening: every later move goes to all parties in one event (``MAX_ADDRESSEES``), those that join later too."""


def is_full(case: Case, kind: Kind, move: Move | None) -> bool:
    """Whether a case holds so much that a move (None: one of every kind) has no effect in it any more."""
    if len(case.facts) < MOST_FACTS:
        return False
    ends = move is not None and move.to is not None and kind.state(move.to).terminal
    return not ends or len(case.facts) >= MOST_FACTS + _FACTS_TO_END


def no_slot(before: Case, after: Case, kind: Kind, clock_rules: ClockRules) -> Refusal | None:
    """The refusal of a move that would start another clock of a rule that has as many in the case as one may have."""
    if len(after.facts) < most_of_a_rule(kind):
        return None
    full = [
        rule
        for rule in kind.clocks
        if overflows(after, kind, rule, clock_rules) and not overflows(before, kind, rule, clock_rules)
    ]
    return Refusal(rules.CLOCKS_FULL, full[0], full[0]) if full else None


def no_grant(case: Case, rule: ClockRule, extension: str, stated: int | None) -> Refusal | None:
    """The refusal of a grant beyond the most, or of one that makes what is granted longer than the longest."""
    granted = [one for one in _told(case, rule.id) if one.kind == "extended"]
    if len(granted) >= MOST_GRANTS:
        return Refusal(rules.TERM_FULL, f"{MOST_GRANTS} 次延长", f"{MOST_GRANTS} extensions")
    lengths = [_length(rule, one.word, one.length) for one in granted]
    if sum(lengths) + _length(rule, extension, stated) > LONGEST_GRANTED[rule.unit]:
        return Refusal(rules.TERM_FULL, "累计延长二十年", "extensions of twenty years in all")
    return None


def no_standstill(case: Case, rule: ClockRule) -> Refusal | None:
    """The refusal of a suspension or a resumption beyond the most."""
    known = rule.ids["exclusions"]
    told = sum(one.kind in ("suspended", "resumed") and one.word in known for one in _told(case, rule.id))
    if told < MOST_STANDSTILLS:
        return None
    return Refusal(
        rules.TERM_FULL, f"{MOST_STANDSTILLS} 次中止、恢复", f"{MOST_STANDSTILLS} suspensions and resumptions"
    )


def _told(case: Case, rule: str) -> list[Moment]:
    return [moment for fact in case.facts if _is_of(fact, rule) for moment in fact.moments]


def _is_of(fact: Fact, rule: str) -> bool:
    return fact.scope is None or fact.scope == rule


def _length(rule: ClockRule, extension: str, stated: int | None) -> int:
    found = next((one for one in rule.extensions if one.id == extension), None)
    if found is None:
        return 0
    return found.by or found.to or stated or 0
