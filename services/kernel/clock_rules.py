"""Clock rules: what a statutory term runs from, how long, how it is counted, what stops it; each with its document and article.

The table is `schemas/codes/clocks.toml`, read by `clock_documents.py`; its form and every way of counting is in
schemas/DESIGN.md, "Clocks". Rules of different dates stand side by side: a case keeps the one in force on the day of its trigger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Unit = Literal["working_day", "calendar_day", "hour", "month", "year"]
Start = Literal["next_day", "next_hour", "exact_moment"]
LastDay = Literal["by_nature", "next_working_day", "as_is"]
Effect = Literal["overdue", "lapse", "conditional"]
Confidence = Literal["certain", "advisory"]
Granted = Literal["before_expiry", "any_time"]
Stated = Literal["required", "optional"]
GrantedAt = Literal["happened", "admitted"]

NOT_SEEN: Final = "not seen"
"""The article of a text whose article the collected facts do not give."""

UNITS: Final[tuple[Unit, ...]] = ("working_day", "calendar_day", "hour", "month", "year")
STARTS: Final[tuple[Start, ...]] = ("next_day", "next_hour", "exact_moment")
LAST_DAYS: Final[tuple[LastDay, ...]] = ("by_nature", "next_working_day", "as_is")
EFFECTS: Final[tuple[Effect, ...]] = ("overdue", "lapse", "conditional")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the table (moment, role, ground) in both languages; ``kinds`` are its event types or organ types."""

    id: str
    zh: str
    en: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """A document and an article of it, with the tag of the collected facts the text was seen under."""

    document_zh: str
    document_en: str
    article: str
    source: str


@dataclass(frozen=True, slots=True)
class Extension:
    """Who may lengthen a term, by how much, how often, and until when.

    One of ``by`` (so much more), ``to`` (so much in all) and ``stated`` (the grant says how much more; "optional": it may say
    nothing, and the term then has no end that can be computed). ``times`` is None when the instrument sets no limit.

    ``at`` is "admitted" for an extension that is itself a notice to the other side: it counts from when that side had it.
    """

    id: str
    zh: str
    en: str
    grantor: Word
    by: int | None
    to: int | None
    stated: Stated | None
    times: int | None
    granted: Granted
    confidence: Confidence
    citation: Citation
    at: GrantedAt = "happened"


@dataclass(frozen=True, slots=True)
class ClockRule:
    """One version of one clock. Lengths are in ``unit``; ``warn`` is in it too, in calendar days for months and years.

    ``stops`` are the moments that meet the term, ``falls_away`` those that end the duty without meeting it, ``restarts`` those
    that let it run anew from its start. ``hint_unit`` is a second reading, shown and never applied.

    ``effect`` says what a term that was missed means: ``overdue``, a duty was; ``lapse``, a right or measure ended; ``conditional``, the
    duty is there only in a certain case: an act that came late was due and is late, and without any act no duty is seen to have arisen.
    """

    id: str
    row: str
    zh: str
    en: str
    trigger: tuple[Word, ...]
    actor: Word
    length: int
    unit: Unit
    start: Start
    last_day: LastDay
    counting: str
    stops: tuple[Word, ...]
    falls_away: tuple[Word, ...]
    restarts: tuple[Word, ...]
    exclusions: tuple[Word, ...]
    extensions: tuple[Extension, ...]
    effect: Effect
    consequence_zh: str
    consequence_en: str
    citations: tuple[Citation, ...]
    confidence: Confidence
    warn: int
    hint_unit: Unit | None
    note: str | None
    valid_from: int | None
    valid_until: int | None
    ids: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)
    """The ids of the words of each list, by the name of the field: made once, since every verdict asks."""
    hears: frozenset[str] = field(init=False, repr=False, compare=False)
    """The ids of all of them."""

    def __post_init__(self) -> None:
        lists = ("trigger", "stops", "falls_away", "restarts", "exclusions", "extensions")
        object.__setattr__(self, "ids", {name: frozenset(word.id for word in getattr(self, name)) for name in lists})
        object.__setattr__(self, "hears", frozenset().union(*self.ids.values()))

    def covers(self, day: int) -> bool:
        """Whether the rule is in force on a day."""
        after_start = self.valid_from is None or self.valid_from <= day
        return after_start and (self.valid_until is None or day <= self.valid_until)

    @property
    def advisory(self) -> bool:
        """Whether it is only shown: its number was not verified, so nothing may be held against anyone by it."""
        return self.confidence == "advisory"

    @property
    def source(self) -> str:
        """Its first citation in one line: document, article, tag."""
        first = self.citations[0]
        return f"{first.document_zh} {first.article} {first.source}"


@dataclass(frozen=True, slots=True)
class ClockRules:
    """Every rule, every moment and ground by id, and the rows of the collected facts that are no clock, with the reason."""

    rules: tuple[ClockRule, ...]
    moments: Mapping[str, Word]
    grounds: Mapping[str, Word]
    no_clocks: tuple[Word, ...]
    _by_id: dict[str, tuple[ClockRule, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _heard_by: dict[str, frozenset[str]] = field(init=False, repr=False, compare=False, default_factory=dict)
    _triggers: dict[str, frozenset[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for rule in self.rules:
            self._by_id[rule.id] = (*self._by_id.get(rule.id, ()), rule)
            self._heard_by[rule.id] = self._heard_by.get(rule.id, frozenset()) | rule.hears
            self._triggers[rule.id] = self._triggers.get(rule.id, frozenset()) | rule.ids["trigger"]

    def versions(self, rule_id: str) -> tuple[ClockRule, ...]:
        """Every version of a rule, oldest first; none for an unknown id."""
        return self._by_id.get(rule_id, ())

    def heard_by(self, rule_id: str) -> frozenset[str]:
        """The moments, grounds and extensions that any version of a rule knows; none for an unknown id."""
        return self._heard_by.get(rule_id, frozenset())

    def triggers_of(self, rule_id: str) -> frozenset[str]:
        """The moments that start a clock by any version of a rule."""
        return self._triggers.get(rule_id, frozenset())

    def in_force(self, rule_id: str, day: int) -> ClockRule | None:
        """The version in force on a day, for which the day of the trigger is taken; None when there was no such rule."""
        return next((rule for rule in self.versions(rule_id) if rule.covers(day)), None)
