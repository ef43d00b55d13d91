"""The question behind ``ipx clocks explain``, read from words: which rule, and what is supposed to have happened. Pure.

Times are those of China (UTC+8) unless they say otherwise: ``2026-02-09``, ``2026-02-09T10:30``, ``2026-02-09T02:30:00.000Z``,
``2026-02-09T10:30+08:00``. A day alone is its first instant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from difflib import get_close_matches
from typing import Final

from services.kernel.clock_moments import LATEST_MS, Moment
from services.kernel.clock_rules import ClockRule, ClockRules, Word
from services.kernel.codes import day_of
from services.kernel.errors import Refused
from services.kernel.instants import format_day, format_instant, parse_instant

_CHINA: Final = timezone(timedelta(hours=8))
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{3})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?", re.ASCII
)
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS: Final = 86_400_000
_CHINA_MS: Final = 8 * 3_600_000
_NEAR: Final = 6
_UNSTATED: Final = Word("unstated", "未写明的法定事由", "a ground that was not stated")
TIME_FORM: Final = "2026-02-09 or 2026-02-09T10:30 (China), or with Z or an offset"


class Unanswerable(Exception):
    """The question has no verdict: ``code`` says of which kind, the sentences why, ``near`` what may have been meant."""

    def __init__(self, code: str, zh: str, en: str, near: Sequence[tuple[str, str, str]] = ()) -> None:
        super().__init__(en)
        self.code = code
        self.zh = zh
        self.en = en
        self.near = tuple(near)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, as it was written: see the options of the command."""

    rule: str
    begun: str
    done: str | None = None
    excluded: tuple[str, ...] = ()
    extended: tuple[str, ...] = ()


def read_time(text: str) -> int:
    """Milliseconds of a time in words. ``Unanswerable`` on any other form, on a day that no calendar has, and on a time too far away."""
    if _TIME.fullmatch(text) is None:
        raise _bad(
            f"不是时间：{text[:40]}；应为 2026-02-09 或者 2026-02-09T10:30（北京时间）",
            f"{text[:40]!r} is no time: write {TIME_FORM}",
        )
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=_CHINA) if moment.tzinfo is None else moment
        at_ms = (moment - _EPOCH) // _MS
    except (ValueError, OverflowError) as error:
        raise _bad(f"没有这个时间：{text}", f"there is no such time: {text} ({error})") from error
    if not 0 <= at_ms <= LATEST_MS:
        raise _bad(f"时间应在 1970 年与 8941 年之间，而非 {text}", f"a time lies between 1970 and 8941, not {text}")
    return at_ms


def shown_time(instant: str | None) -> str:
    """An instant in the time of China; the last one of a day as 24:00, none as a dash."""
    if instant is None:
        return "-"
    at_ms = parse_instant(instant) + _CHINA_MS
    if (at_ms + 1) % _DAY_MS == 0:
        return f"{format_instant(at_ms)[:10]} 24:00"
    return format_instant(at_ms)[:16].replace("T", " ")


def rule_for(rules: ClockRules, rule_id: str, at_ms: int) -> ClockRule:
    """The version of a rule that was in force on the day of its trigger.

    ``Unanswerable``: ``no-clock`` a row that sets no term, ``unknown-rule`` (with the near ones), ``not-in-force`` (with the days).
    """
    wanted = rule_id.strip()
    versions = rules.versions(wanted)
    if not versions:
        raise _no_such_rule(rules, wanted)
    day = day_of(at_ms)
    found = rules.in_force(wanted, day)
    if found is None:
        raise _not_in_force(versions, day)
    return found


def case_of(question: Question, rules: ClockRules) -> tuple[ClockRule, tuple[Moment, ...]]:
    """The rule that is asked about, and what is supposed to have happened in its words.

    A stretch to leave out on no stated ground counts as one that the rule knows, if it knows any: the rule is then given with that
    ground too, so that the sentences name none that nobody stated. ``Unanswerable`` names what cannot be read.
    """
    rule = rule_for(rules, question.rule, read_time(question.begun.partition("=")[0]))
    try:
        held = [_happened(question.begun, rule.trigger, "--from")]
        if question.done is not None:
            held.append(_happened(question.done, rule.stops, "--to"))
        for number, text in enumerate(question.excluded):
            held += _standstill(text, rule, rules, f"exclude {number}")
        held += [_grant(text, rule, f"extend {number}") for number, text in enumerate(question.extended)]
    except Refused as error:
        raise _bad(f"无法计算：{error.message}", error.message) from error
    if rule.exclusions and any(moment.word == _UNSTATED.id for moment in held):
        rule = replace(rule, exclusions=(*rule.exclusions, _UNSTATED))
    return rule, tuple(held)


def _happened(text: str, words: Sequence[Word], option: str) -> Moment:
    time, _, word = text.partition("=")
    named = _word(word, words, option) if word else words[0]
    return Moment("happened", named.id, read_time(time), option)


def _standstill(text: str, rule: ClockRule, rules: ClockRules, event: str) -> list[Moment]:
    stretch, _, ground = text.partition("=")
    begin, dots, end = stretch.partition("..")
    if not dots:
        raise _bad(f"--exclude 应为 起..止[=事由]：{text[:60]}", f"--exclude is FROM..TO[=GROUND], not {text[:60]!r}")
    word = _ground(ground, rule, rules)
    begin_ms, end_ms = read_time(begin), read_time(end) if end else None
    if end_ms is not None and end_ms < begin_ms:
        raise _bad(f"--exclude 的止早于起：{text[:60]}", f"--exclude {text[:60]} ends before it begins")
    suspended = Moment("suspended", word, begin_ms, f"{event} from")
    return [suspended] if end_ms is None else [suspended, Moment("resumed", word, end_ms, f"{event} to")]


def _ground(ground: str, rule: ClockRule, rules: ClockRules) -> str:
    """One of another rule is taken too: the verdict then says that it has no effect."""
    if not ground:
        return rule.exclusions[0].id if len(rule.exclusions) == 1 else _UNSTATED.id
    return ground if ground in rules.grounds else _word(ground, rule.exclusions, "--exclude").id


def _grant(text: str, rule: ClockRule, event: str) -> Moment:
    what, at, time = text.partition("@")
    name, _, length = what.partition("=")
    if not at or (length and not re.fullmatch("[0-9]{1,4}", length)):
        raise _bad(f"--extend 应为 延长[=长度]@时间：{text[:60]}", f"--extend is ID[=LENGTH]@TIME, not {text[:60]!r}")
    known = [Word(one.id, one.zh, one.en) for one in rule.extensions]
    if not known:
        raise _bad(f"{rule.id} 不能延长", f"{rule.id} cannot be extended")
    return Moment(
        "extended", _word(name, known, "--extend").id, read_time(time), event, int(length) if length else None
    )


def _word(name: str, words: Sequence[Word], option: str) -> Word:
    found = next((word for word in words if word.id == name), None)
    if found is None:
        zh, en = _listed(words)
        raise _bad(
            f"{option}：没有 {name[:60]!r}；可用的有 {zh}", f"{option}: there is no {name[:60]!r} here; there is {en}"
        )
    return found


def _listed(words: Sequence[Word]) -> tuple[str, str]:
    zh = "、".join(f"{word.id}（{word.zh}）" for word in words)
    return zh or "（无）", ", ".join(f"{word.id} ({word.en})" for word in words) or "none"


def _bad(zh: str, en: str) -> Unanswerable:
    return Unanswerable("bad-question", zh, en)


def _no_such_rule(rules: ClockRules, wanted: str) -> Unanswerable:
    row = next((word for word in rules.no_clocks if word.id == wanted.upper()), None)
    if row is not None:
        return Unanswerable("no-clock", f"{row.id} 不是期限：{row.zh}", f"{row.id} is no clock: {row.en}")
    return Unanswerable(
        "unknown-rule", f"没有期限规则 {wanted[:60]!r}", f"there is no clock rule {wanted[:60]!r}", _near(rules, wanted)
    )


def _near(rules: ClockRules, wanted: str) -> list[tuple[str, str, str]]:
    """Rules whose id looks alike, of the same row, or with the word in their name."""
    named = {rule.id: rule for rule in rules.rules}
    upper, lower = wanted.upper(), wanted.lower()
    same_row = [name for name, rule in named.items() if upper in (rule.row.upper(), name.upper())]
    by_name = [name for name, rule in named.items() if lower and (lower in rule.en.lower() or lower in rule.zh)]
    alike = get_close_matches(upper, list(named), n=_NEAR, cutoff=0.5)
    found = list(dict.fromkeys((*same_row, *by_name, *alike)))[:_NEAR]
    return [(name, named[name].zh, named[name].en) for name in found]


def _not_in_force(versions: Sequence[ClockRule], day: int) -> Unanswerable:
    """Names the days of force, and the note of the rule, which says what came after."""
    spans = [(one.valid_from, one.valid_until) for one in versions]
    zh = "、".join(f"{_day_or(begin, '施行之日')} 至 {_day_or(end, '今')}" for begin, end in spans)
    en = ", ".join(f"{_day_or(begin, 'its beginning')} to {_day_or(end, 'now')}" for begin, end in spans)
    last = versions[-1]
    document = last.citations[0]
    return Unanswerable(
        "not-in-force",
        f"{last.id}（{last.zh}）在 {format_day(day)} 不适用：{document.document_zh}的这一规定适用于 {zh}{f'；{last.note}' if last.note else ''}",
        f"{last.id} ({last.en}) was not in force on {format_day(day)}: this rule of {document.document_en} holds from {en}"
        f"{f'; {last.note}' if last.note else ''}",
    )


def _day_or(day: int | None, other: str) -> str:
    return other if day is None else format_day(day)
