"""The sentence that says why a clock ends when it does and how it stands, in Chinese and in English.

For officers: "自 2026-02-09 次日起算 15 个工作日，跳过春节（2026-02-15 至 2026-02-23）……，2026-03-06 届满。" Days and hours are those of China.
Only what the course and the calendar hold is said; nothing is counted here again. Of each kind of thing the last eight are named, and how many
more there were: however much a case holds, the sentence stays short enough to be signed and read.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from services.kernel.calendar import Calendar
from services.kernel.clock_moments import Standstill
from services.kernel.clock_rules import NOT_SEEN, ClockRule, Unit, Word
from services.kernel.codes import day_of
from services.kernel.course import Course, Grant, Unheeded
from services.kernel.instants import format_day, format_minute

_text: Final = lru_cache(maxsize=4096)(format_day)  # every sentence names days, and a burst of clocks the same ones
_MINUTE_MS: Final = 60_000
_UNITS: Final[dict[Unit, tuple[str, str]]] = {
    "working_day": ("个工作日", "working day"),
    "calendar_day": ("日", "day"),
    "hour": ("小时", "hour"),
    "month": ("个月", "month"),
    "year": ("年", "year"),
}
_NO_DUTY_SEEN: Final = "The duty is there only in a certain case, and no duty was seen to arise: nothing is overdue. "

_NAMED: Final = 8
_HOLIDAYS_NAMED: Final = 24  # three years of them
_Named = TypeVar("_Named")

Line = tuple[str, str]
"""One clause in both languages, each with the marks it needs after it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why, in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Account:
    """What there is to explain: the rule, its course (None: it never started), and what the verdict made of it."""

    rule: ClockRule
    run: Course | None
    state: str
    alarm_at: int | None
    hint_at: int | None
    advisory: bool


def explain(account: Account, calendar: Calendar | None) -> Explanation:
    """The sentences of an account. Total; the calendar is that of the verdict, None only for a clock that never started."""
    if account.run is None or calendar is None:
        return _joined([_never_started(account.rule), *_cautions(account)])
    run, rule = account.run, account.rule
    clauses = [
        _start(rule, run),
        *_before(run.grants, "次延长", "extension"),
        *(_grant(grant, rule) for grant in run.grants[-_NAMED:]),
        *_before(run.still, "次停止计算", "standstill"),
        *(_standstill(stretch, rule) for stretch in run.still[-_NAMED:]),
        *_skipped(rule, run, calendar),
        *_moved(run, calendar),
        _end(account, run),
    ]
    return _joined(
        [
            *clauses,
            _standing(account, run),
            *(_without_effect(what, rule) for what in run.unheeded[-_NAMED:]),
            *_more_without_effect(run.unheeded),
            *_cautions(account),
        ]
    )


def _joined(lines: Iterable[Line]) -> Explanation:
    held = tuple(lines)
    return Explanation("".join(zh for zh, _ in held), "".join(en for _, en in held).strip())


def _never_started(rule: ClockRule) -> Line:
    zh = "、".join(word.zh for word in rule.trigger)
    en = ", ".join(word.en for word in rule.trigger)
    return f"尚无起算事由（{zh}），期限未开始。", f"Nothing has started this term yet (what starts it: {en}). "


def _start(rule: ClockRule, run: Course) -> Line:
    begin = run.running_from
    again_zh, again_en = ("重新", " again") if begin is not run.trigger else ("", "")
    why = _named((*rule.trigger, *rule.restarts), begin.word)
    length_zh, length_en = _length(rule.length, rule.unit)
    if rule.unit == "hour":
        moment = format_minute(begin.at_ms)
        after_zh, after_en = ("的下一小时", "the hour after ") if rule.start == "next_hour" else ("", "")
        return (
            f"{why.zh}：自 {moment} {after_zh}{again_zh}起算 {length_zh}",
            f"{_capital(why.en)}: {length_en} counted{again_en} from {after_en}{moment}",
        )
    day = _text(day_of(begin.at_ms))
    return (
        f"{why.zh}：自 {day} 次日{again_zh}起算 {length_zh}",
        f"{_capital(why.en)}: {length_en} counted{again_en} from the day after {day}",
    )


def _grant(grant: Grant, rule: ClockRule) -> Line:
    day, extension = _text(day_of(grant.at_ms)), grant.extension
    if grant.added is None:
        return f"，{day} {extension.zh}，未定新的期限", f", on {day} {extension.en}, no new term stated"
    zh, en = _length(grant.added, rule.unit)
    return f"，{day} {extension.zh}，增加 {zh}", f", on {day} {extension.en}, {en} more"


def _before(held: Sequence[_Named], zh: str, en: str) -> Iterator[Line]:
    """How many there were before the last ones, which are named."""
    more = len(held) - _NAMED
    if more > 0:
        yield f"，此前另有 {more} {zh}", f", after {_plural(more, f'earlier {en}')}"


def _standstill(stretch: Standstill, rule: ClockRule) -> Line:
    words = [_named(rule.exclusions, ground) for ground in stretch.grounds]
    zh, en = "、".join(word.zh for word in words), ", ".join(word.en for word in words)
    show = format_minute if rule.unit == "hour" else _day
    since = show(stretch.from_ms)
    if stretch.until_ms is None:
        return f"，{since} 起因{zh}停止计算", f", standing still since {since} for {en}"
    until = show(stretch.until_ms)
    return f"，扣除{zh}（{since} 至 {until}）", f", without {en} ({since} to {until})"


def _skipped(rule: ClockRule, run: Course, calendar: Calendar) -> Iterator[Line]:
    if rule.unit != "working_day" or run.end is None:
        return
    after, until = day_of(run.running_from.at_ms), run.end.due_day
    holidays = calendar.holidays(after, until)
    if holidays:
        named, more = holidays[-_HOLIDAYS_NAMED:], len(holidays) - _HOLIDAYS_NAMED
        zh = "、".join(f"{one.zh}（{_span(one.first, one.last, ' 至 ')}）" for one in named)
        en = ", ".join(f"{one.en} ({_span(one.first, one.last, ' to ')})" for one in named)
        also_zh, also_en = (f" {more} 个更早的假期和", f"{more} earlier holidays and ") if more > 0 else ("", "")
        yield f"，跳过{also_zh}{zh}", f", leaving out {also_en}{en}"
    worked = calendar.worked_weekends(after, until)
    if worked:
        days, more = [_text(day) for day in worked[-_HOLIDAYS_NAMED:]], len(worked) - _HOLIDAYS_NAMED
        also_zh, also_en = (f"及更早的 {more} 日", f" and {more} earlier ones") if more > 0 else ("", "")
        yield (
            f"，调休上班的 {'、'.join(days)}{also_zh} 计入",
            f", counting the worked weekend days {', '.join(days)}{also_en}",
        )


def _moved(run: Course, calendar: Calendar) -> Iterator[Line]:
    if run.end is None or run.end.nominal_day == run.end.due_day:
        return
    holiday = calendar.holiday(run.end.nominal_day)
    why_zh, why_en = ("周末", "a weekend") if holiday is None else (f"{holiday.zh}假期", holiday.en)
    day, due = _text(run.end.nominal_day), _text(run.end.due_day)
    yield f"，最后一日 {day} 为{why_zh}，顺延至 {due}", f", its last day {day} falls on {why_en} and moves to {due}"


def _end(account: Account, run: Course) -> Line:
    if run.end is None:
        return "。", ". "
    if account.rule.unit != "hour":
        day = _text(run.end.due_day)
        return f"，{day} 届满。", f", and ends on {day}. "
    moment = format_minute(run.end.due_ms)
    if account.alarm_at is None:
        return f"，{moment} 届满。", f", and ends at {moment}. "
    strict = format_minute(account.alarm_at)
    return (
        f"，{moment} 届满（从严自起算时刻计为 {strict}）。",
        f", and ends at {moment} (by the stricter reading, from the moment itself, at {strict}). ",
    )


def _standing(account: Account, run: Course) -> Line:
    rule = account.rule
    match account.state:
        case "met" | "late":
            return _stopped(rule, run)
        case "ended" if run.fall is not None:
            word, day = _named(rule.falls_away, run.fall.word), _day(run.fall.at_ms)
            return f"{day} {word.zh}，期限不再适用。", f"The term fell away on {day}: {word.en}. "
        case "expired" if rule.effect == "conditional":
            return (
                f"期限已届满，未见{_either_zh(rule.stops)}；该义务仅在特定情形下产生，未见其产生，不构成逾期。",
                f"It has run out without: {_either_en(rule.stops)}. {_NO_DUTY_SEEN}",
            )
        case "expired":
            return (
                f"期限已届满，未见{_either_zh(rule.stops)}：{rule.consequence_zh}。",
                f"It has run out without: {_either_en(rule.stops)}. {_capital(rule.consequence_en)}. ",
            )
        case "suspended":
            return "期限停止计算，恢复后确定届满日。", "The term stands still; its end is known when it runs again. "
        case _ if run.end is None:
            return "期限进行中，届满日无法计算。", "The term is running; its end cannot be computed. "
        case _:
            return f"期限进行中，由{rule.actor.zh}办理。", f"The term is running; {rule.actor.en} must act. "


def _stopped(rule: ClockRule, run: Course) -> Line:
    if run.stop is None:
        return "", ""
    word = _named(rule.stops, run.stop.word)
    at = format_minute(run.stop.at_ms) if rule.unit == "hour" else _day(run.stop.at_ms)
    if run.stop.at_ms < run.trigger.at_ms:
        return f"{at} {word.zh}，在起算之前已经办理。", f"{_capital(word.en)} on {at}, before the term began. "
    if run.end is None or run.stop.at_ms <= run.end.due_ms:
        return f"{at} {word.zh}，在期限内。", f"{_capital(word.en)} on {at}, in time. "
    zh, en = _lateness(run.stop.at_ms, run.end.due_ms, rule.unit)
    return f"{at} {word.zh}，逾期 {zh}。", f"{_capital(word.en)} on {at}, late by {en}. "


def _lateness(at_ms: int, due_ms: int, unit: Unit) -> Line:
    if unit == "hour":
        minutes = -(-(at_ms - due_ms) // _MINUTE_MS)
        hours, rest = divmod(minutes, 60)
        return f"{hours} 小时 {rest} 分", f"{hours} h {rest} min"
    days = day_of(at_ms) - day_of(due_ms)
    return f"{days} 日", _plural(days, "day")


_REASONS: Final = {
    "unknown": ("不属于本期限的法定事由", "the rule does not know it"),
    "used_up": ("超过规定的次数", "it was granted as often as the rule allows"),
    "unstated": ("未确定期限", "it states no term"),
    "too_late": ("在届满之后", "it came after the end"),
}
_KINDS: Final = {
    "suspended": ("停止计算", "suspension"),
    "extended": ("延长", "extension"),
    "happened": ("重新起算", "restart"),
}


def _without_effect(what: Unheeded, rule: ClockRule) -> Line:
    day, (kind_zh, kind_en), (why_zh, why_en) = _day(what.at_ms), _KINDS[what.kind], _REASONS[what.reason]
    known = [*rule.exclusions, *rule.restarts, *(Word(one.id, one.zh, one.en) for one in rule.extensions)]
    word = _named(known, what.word)
    return (
        f"{day} 的{kind_zh}（{word.zh}）{why_zh}，不生效。",
        f"The {kind_en} of {day} ({word.en}) has no effect: {why_en}. ",
    )


def _more_without_effect(unheeded: Sequence[Unheeded]) -> Iterator[Line]:
    more = len(unheeded) - _NAMED
    if more > 0:
        yield f"此前另有 {more} 项不生效。", f"{more} more before have no effect. "


def _cautions(account: Account) -> Iterator[Line]:
    if account.hint_at is not None:
        day, unit = _day(account.hint_at), _UNITS[account.rule.hint_unit or "working_day"]
        yield (
            f"如按{unit[0].removeprefix('个')}计为 {day}，仅供参考。",
            f"Counted in {unit[1]}s it would be {day}: a hint only. ",
        )
    if account.run is not None and account.run.end is not None and account.run.end.unpublished:
        unpublished = account.run.end.unpublished
        years = [str(year) for year in unpublished[:_NAMED]]
        if len(unpublished) > _NAMED:
            years[-1] = f"{unpublished[_NAMED - 1]}–{unpublished[-1]}"
        yield (
            f"{'、'.join(years)} 年放假安排尚未载入，届满日为暂定，载入后重新计算。",
            f"Provisional: the notice of days off for {', '.join(years)} is not loaded; computed again when it is. ",
        )
    if account.advisory:
        yield "本期限仅供参考，不作为逾期认定。", "Advisory: shown only, never counted as a breach. "
    first = account.rule.citations[0]
    zh, en = ("条号未见", "article not seen") if first.article == NOT_SEEN else (first.article, first.article)
    yield f"依据：{first.document_zh}（{zh}）。", f"Source: {first.document_en} ({en})."


def _named(words: Iterable[Word], wanted: str) -> Word:
    return next((word for word in words if word.id == wanted), Word(wanted, wanted, wanted))


def _either_zh(words: Iterable[Word]) -> str:
    return "、".join(word.zh for word in words)


def _either_en(words: Iterable[Word]) -> str:
    return ", or ".join(word.en for word in words)


def _length(count: int, unit: Unit) -> Line:
    zh, en = _UNITS[unit]
    return f"{count} {zh}", _plural(count, en)


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _span(first: int, last: int, between: str) -> str:
    return _text(first) if first == last else f"{_text(first)}{between}{_text(last)}"


def _day(at_ms: int) -> str:
    return _text(day_of(at_ms))
