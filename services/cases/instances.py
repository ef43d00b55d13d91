"""The clocks of one rule in one case: which trigger starts each, and what each of them sees. Pure.

A clock of a rule starts at the first trigger. When a moment has stopped it, or let its duty fall away, the next trigger after
that moment starts the next clock, which sees only what happened from its trigger on. So the clocks are a function of the set of
moments alone: not of the order in which they were told, not of the calendar, not of the time of asking.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from services.cases.state import Case
from services.cases.table import Kind
from services.kernel.clock_moments import Moment, in_order
from services.kernel.clock_rules import ClockRule, ClockRules
from services.kernel.codes import day_of
from services.kernel.instants import format_day

SLOTS: Final = 128
"""How many clocks a case may have over all the rules of its kind: each has its place among the ordinals (``clocks.py``)."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One clock: its rule in the version in force on the day of its trigger, its number from 1, and the moments it sees."""

    rule: ClockRule
    number: int
    trigger: Moment
    moments: tuple[Moment, ...]

    @property
    def key(self) -> str:
        """Its name in its case."""
        return f"{self.rule.id}/{self.number}"


@dataclass(frozen=True, slots=True)
class Unruled:
    """A trigger on a day on which no version of the rule was in force: it starts no clock, and whoever asks is told why."""

    rule: str
    moment: str
    day: int
    zh: str
    en: str


def most_of_a_rule(kind: Kind) -> int:
    """How many clocks one rule may have in a case of that kind; a trigger beyond that starts none."""
    return max(1, SLOTS // max(1, len(kind.clocks)))


def moments_for(case: Case, rule: str, rules: ClockRules) -> tuple[Moment, ...]:
    """What the rule hears of a case, each moment once, in order: its own words, and every suspension and extension, known or not."""
    words = rules.heard_by(rule)
    return tuple(
        in_order(
            moment
            for fact in case.facts
            if fact.scope is None or fact.scope == rule
            for moment in fact.moments
            if moment.kind != "happened" or moment.word in words
        )
    )


def instances_of(case: Case, kind: Kind, rule: str, rules: ClockRules) -> tuple[Instance, ...]:
    """The clocks of a rule in a case, in order of number."""
    return tuple(_instances(moments_for(case, rule, rules), rule, rules, most_of_a_rule(kind)))


def overflows(case: Case, kind: Kind, rule: str, rules: ClockRules) -> bool:
    """Whether what happened asks for more clocks of a rule than a case may have; the last of them would not be started."""
    most = most_of_a_rule(kind)
    found = _instances(moments_for(case, rule, rules), rule, rules, most + 1)
    return any(one.number > most for one in found)


def unruled(case: Case, kind: Kind, rules: ClockRules) -> tuple[Unruled, ...]:
    """The triggers of a case that found no version of their rule in force, by the order of the rules of its kind."""
    return tuple(
        _told_unruled(rule, moment)
        for rule in kind.clocks
        for moment in moments_for(case, rule, rules)
        if moment.kind == "happened"
        and moment.word in rules.triggers_of(rule)
        and rules.in_force(rule, day_of(moment.at_ms)) is None
    )


def _told_unruled(rule: str, moment: Moment) -> Unruled:
    day = day_of(moment.at_ms)
    text = format_day(day)
    return Unruled(
        rule=rule,
        moment=moment.word,
        day=day,
        zh=f"{text} 时期限规则 {rule} 未在施行，不产生期限。",
        en=f"No version of rule {rule} was in force on {text}: no term runs.",
    )


def _instances(moments: tuple[Moment, ...], rule: str, rules: ClockRules, most: int) -> Iterator[Instance]:
    found = _trigger(moments, rule, rules, None)
    for number in range(1, most + 1):
        if found is None:
            return
        version, trigger = found
        seen = [moment for moment in moments if _sees(version, trigger, number, moment)]
        ended_ms = _ended(seen, version)
        found = None if ended_ms is None else _trigger(moments, rule, rules, max(ended_ms, trigger.at_ms))
        if found is not None:
            until_ms = found[1].at_ms
            seen = [moment for moment in seen if moment.at_ms < until_ms]
        yield Instance(version, number, trigger, tuple(seen))


def _sees(rule: ClockRule, trigger: Moment, number: int, moment: Moment) -> bool:
    """The first clock sees what came before its trigger too: what was to be done may be done already. A duty that fell away earlier is another."""
    if moment.at_ms >= trigger.at_ms:
        return True
    return number == 1 and moment.word not in rule.ids["trigger"] and moment.word not in rule.ids["falls_away"]


def _trigger(
    moments: Iterable[Moment], rule: str, rules: ClockRules, after_ms: int | None
) -> tuple[ClockRule, Moment] | None:
    words = rules.triggers_of(rule)
    for moment in moments:
        if moment.word not in words or moment.kind != "happened" or (after_ms is not None and moment.at_ms <= after_ms):
            continue
        version = rules.in_force(rule, day_of(moment.at_ms))
        if version is not None and moment.word in version.ids["trigger"]:
            return version, moment
    return None


def _ended(moments: Iterable[Moment], rule: ClockRule) -> int | None:
    stops, falls = rule.ids["stops"], rule.ids["falls_away"]
    for moment in moments:
        if (moment.word in stops or moment.word in falls) and moment.kind == "happened":
            return moment.at_ms
    return None
