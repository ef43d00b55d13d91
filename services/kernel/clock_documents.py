"""Clock rules as a shipped document (`schemas/codes/clocks.toml`) -> the rules, checked as a whole.

Refused with BadSettings, naming the rule: an unknown key, a missing article, a word (role, moment, ground, document) that the file
does not define or that no rule uses, a way of counting that does not fit the unit, versions of one rule that overlap in time.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from services.kernel import document_fields as fields
from services.kernel.clock_rules import (
    EFFECTS,
    LAST_DAYS,
    STARTS,
    UNITS,
    Citation,
    ClockRule,
    ClockRules,
    Confidence,
    Effect,
    Extension,
    Granted,
    GrantedAt,
    LastDay,
    Start,
    Stated,
    Unit,
    Word,
)
from services.kernel.errors import BadSettings

_FILE_KEYS: Final = frozenset({"document", "role", "ground", "moment", "rule", "no_clock"})
_RULE_KEYS: Final = frozenset(ClockRule.__dataclass_fields__) - {"extensions", "ids"} | {"extension"}
_EXTENSION_KEYS: Final = frozenset(Extension.__dataclass_fields__) - {"citation"} | {"document", "article"}
_CONFIDENCES: Final = ("certain", "advisory")
_FITTING: Final[dict[str, tuple[tuple[Start, ...], tuple[LastDay, ...]]]] = {
    "working_day": (("next_day",), ("by_nature",)),
    "hour": (("next_hour", "exact_moment"), ("as_is",)),
    "calendar_day": (("next_day",), ("next_working_day", "as_is")),
    "month": (("next_day",), ("next_working_day", "as_is")),
    "year": (("next_day",), ("next_working_day", "as_is")),
}


def load_clock_rules(path: Path) -> ClockRules:
    """The rules of a file. BadSettings when it is not of the form; blocks on the disk."""
    return parse_clock_rules(fields.read_document(path))


def parse_clock_rules(document: Mapping[str, Any]) -> ClockRules:
    """The rules that a document states. BadSettings, naming the rule, on one that is not of the form."""
    fields.only(document, _FILE_KEYS, "clocks")
    words = _Words(document)
    rules = tuple(_rule(stated, words) for stated in fields.tables(document, "rule", "clocks"))
    words.all_used()
    _versions_must_follow(rules)
    return ClockRules(rules, words.moments, words.grounds, tuple(words.no_clocks.values()))


class _Words:
    """The words that a file defines, and which of them its rules used."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.documents = _words(document, "document", "source")
        self.roles = _words(document, "role", "organ_types")
        self.grounds = _words(document, "ground", None)
        self.moments = _words(document, "moment", "event_types")
        self.no_clocks = _words(document, "no_clock", None)
        self._used: set[tuple[str, str]] = set()

    def of(self, kind: str, word: str, where: str) -> Word:
        known: Mapping[str, Word] = getattr(self, f"{kind}s")
        if word not in known:
            raise BadSettings(f"{where}: {kind} {word!r} is not defined in the file")
        self._used.add((kind, word))
        return known[word]

    def list_of(self, kind: str, stated: Mapping[str, Any], key: str, where: str) -> tuple[Word, ...]:
        return tuple(self.of(kind, word, where) for word in fields.texts(stated, key, where))

    def all_used(self) -> None:
        for kind in ("document", "role", "ground", "moment"):
            idle = sorted(word for word in getattr(self, f"{kind}s") if (kind, word) not in self._used)
            if idle:
                raise BadSettings(f"clocks: {kind} {', '.join(idle)} is used by no rule")


def _words(document: Mapping[str, Any], key: str, more: str | None) -> dict[str, Word]:
    found: dict[str, Word] = {}
    for stated in fields.tables(document, key, "clocks"):
        where = f"clocks, {key} {stated.get('id')}"
        fields.only(stated, frozenset({"id", "zh", "en"} | ({more} if more else set())), where)
        kinds: tuple[str, ...] = ()
        if more == "source":
            kinds = (fields.text(stated, more, where),)
        elif more:
            kinds = fields.texts(stated, more, where)
        word = Word(
            fields.text(stated, "id", where), fields.text(stated, "zh", where), fields.text(stated, "en", where), kinds
        )
        if word.id in found:
            raise BadSettings(f"{where}: is defined twice")
        found[word.id] = word
    return found


def _rule(stated: Mapping[str, Any], words: _Words) -> ClockRule:
    where = f"clock {stated.get('id')}"
    fields.only(stated, _RULE_KEYS, where)
    confidence = cast(Confidence, fields.one_of(stated, "confidence", _CONFIDENCES, where))
    rule = ClockRule(
        id=fields.text(stated, "id", where),
        row=fields.text(stated, "row", where),
        zh=fields.text(stated, "zh", where),
        en=fields.text(stated, "en", where),
        trigger=words.list_of("moment", stated, "trigger", where),
        actor=words.of("role", fields.text(stated, "actor", where), where),
        length=fields.number(stated, "length", where),
        unit=cast(Unit, fields.one_of(stated, "unit", UNITS, where)),
        start=cast(Start, fields.one_of(stated, "start", STARTS, where)),
        last_day=cast(LastDay, fields.one_of(stated, "last_day", LAST_DAYS, where)),
        counting=fields.text(stated, "counting", where),
        stops=words.list_of("moment", stated, "stops", where),
        falls_away=words.list_of("moment", stated, "falls_away", where),
        restarts=words.list_of("moment", stated, "restarts", where),
        exclusions=words.list_of("ground", stated, "exclusions", where),
        extensions=tuple(_extension(entry, words, where) for entry in fields.tables(stated, "extension", where)),
        effect=cast(Effect, fields.one_of(stated, "effect", EFFECTS, where)),
        consequence_zh=fields.text(stated, "consequence_zh", where),
        consequence_en=fields.text(stated, "consequence_en", where),
        citations=tuple(_citation(entry, words, where) for entry in fields.tables(stated, "citations", where)),
        confidence=confidence,
        warn=fields.number(stated, "warn", where),
        hint_unit=cast(Unit, fields.one_of(stated, "hint_unit", ("working_day", "calendar_day"), where))
        if "hint_unit" in stated
        else None,
        note=fields.text(stated, "note", where) if "note" in stated else None,
        valid_from=fields.day_or_none(stated, "valid_from", where),
        valid_until=fields.day_or_none(stated, "valid_until", where),
    )
    _must_make_sense(rule, where)
    return rule


def _citation(stated: Mapping[str, Any], words: _Words, where: str) -> Citation:
    fields.only(stated, frozenset({"document", "article"}), f"{where}, a citation")
    document = words.of("document", fields.text(stated, "document", where), where)
    return Citation(document.zh, document.en, fields.text(stated, "article", where), document.kinds[0])


def _extension(stated: Mapping[str, Any], words: _Words, rule: str) -> Extension:
    where = f"{rule}, extension {stated.get('id')}"
    fields.only(stated, _EXTENSION_KEYS, where)
    if len({"by", "to", "stated"} & set(stated)) != 1:
        raise BadSettings(f"{where}: says exactly one of by, to and stated")
    return Extension(
        id=fields.text(stated, "id", where),
        zh=fields.text(stated, "zh", where),
        en=fields.text(stated, "en", where),
        grantor=words.of("role", fields.text(stated, "grantor", where), where),
        by=fields.number_or_none(stated, "by", where),
        to=fields.number_or_none(stated, "to", where),
        stated=cast(Stated, fields.one_of(stated, "stated", ("required", "optional"), where))
        if "stated" in stated
        else None,
        times=fields.number_or_none(stated, "times", where),
        granted=cast(Granted, fields.one_of(stated, "granted", ("before_expiry", "any_time"), where)),
        confidence=cast(Confidence, fields.one_of(stated, "confidence", _CONFIDENCES, where)),
        citation=_citation({key: stated[key] for key in ("document", "article") if key in stated}, words, where),
        at=cast(GrantedAt, fields.one_of(stated, "at", ("happened", "admitted"), where))
        if "at" in stated
        else "happened",
    )


def _must_make_sense(rule: ClockRule, where: str) -> None:
    starts, last_days = _FITTING[rule.unit]
    if rule.start not in starts or rule.last_day not in last_days:
        raise BadSettings(f"{where}: a term in {rule.unit}s cannot be counted {rule.start}, {rule.last_day}")
    if not rule.trigger or not rule.stops or not rule.citations:
        raise BadSettings(f"{where}: needs a trigger, a stop and a citation")
    if rule.hint_unit == rule.unit or (rule.hint_unit and rule.unit not in ("working_day", "calendar_day")):
        raise BadSettings(f"{where}: a second reading is of a term in days, and in the other kind of day")
    if any(extension.to is not None and extension.to <= rule.length for extension in rule.extensions):
        raise BadSettings(f"{where}: an extension to no more than the term itself")
    if len({extension.id for extension in rule.extensions}) != len(rule.extensions):
        raise BadSettings(f"{where}: an extension is there twice")
    if rule.valid_from is not None and rule.valid_until is not None and rule.valid_until < rule.valid_from:
        raise BadSettings(f"{where}: ends before it begins")
    unverified = {citation.source for citation in rule.citations[:1]} | {
        extension.citation.source for extension in rule.extensions if extension.confidence == "certain"
    }
    if not rule.advisory and any(source == "MU" or source.endswith("~]") for source in unverified):
        raise BadSettings(f"{where}: rests on a text that was not verified, so it can only be advisory")


def _versions_must_follow(rules: Iterable[ClockRule]) -> None:
    last: dict[str, ClockRule] = {}
    for rule in rules:
        before = last.get(rule.id)
        if before is not None and (
            before.valid_until is None or rule.valid_from is None or rule.valid_from <= before.valid_until
        ):
            raise BadSettings(f"clock {rule.id}: its versions overlap in time, or do not stand in their order")
        last[rule.id] = rule
