"""Files of cases that are handed over: who opens, who moves, when, and how each clock must stand. Read and checked, nothing done.

A file is TOML that a case officer can read (``deploy/local/scenarios/README.md``): steps in the order of their times, each with what must
be true once it is done. Fields are named as the exchange names them; what an officer types in which system follows from that
(``forms.py``). Times are Beijing time. Verdicts in the files are counted by hand from the articles. Source of the cases: domain section 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from services.demo.scenario import SCENARIOS_DIR, named_files, participant
from services.kernel import document_fields as fields
from services.kernel.errors import BadSettings

TRANSFERS_DIR: Final = SCENARIOS_DIR / "transfers"
OPEN, MOVE, CLOCK, CALENDAR = "open", "move", "clock", "calendar"
_STEPS: Final = (OPEN, MOVE, CLOCK, CALENDAR)
_SCENARIO_KEYS: Final = frozenset(
    {"title_zh", "title_en", "source", "dates", "story_zh", "story_en", "real_time", "step"}
)
_STEP_KEYS: Final = frozenset(
    {"at", "do", "case", "by", "kind", "move", "to", "joins", "happened", "ahead", "file", "says", "zh", "en", "expect"}
)
_EXPECT_KEYS: Final = frozenset(
    {"case", "state", "clock", "is", "due", "late_by", "breach", "provisional", "advisory", "must_act"}
    | {"no_clock", "told", "no_effect", "outsiders", "refused", "to", "zh", "en"}
)
_FACTS: Final = ("state", "is", "no_clock", "told", "no_effect", "refused")
_TIME: Final = re.compile(r"(\d{4}-\d{2}-\d{2}) (\d{2}):(\d{2})")
_SPAN: Final = re.compile(r"(-)?(?:(\d+) d)? ?(?:(\d+) h)? ?(?:(\d+) min)?")
_CHINA: Final = timedelta(hours=8)
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing that must be true after a step; exactly one of ``state``, ``verdict``, ``no_clock``, ``told``, ``no_effect``, ``refused``.

    ``told`` is the name of an event type and ``to`` exactly who has a copy of it: of this step's own event, or of the last notice about
    ``clock``. ``due_ms`` None: not compared, but where the clock stands still; ``provisional`` None: not compared (both only where a story is
    played at the real time, whose days nobody counted). ``no_effect`` is the rule that answers this step's move, ``outsiders`` what those hear who have no part in the case, ``refused`` the code that admission refuses it with.
    """

    case: str
    fact: str
    word: str
    clock: str | None
    due_ms: int | None
    late_by_ms: int | None
    breach: bool
    provisional: bool | None
    advisory: bool
    must_act: tuple[str, ...] | None
    to: tuple[str, ...] | None
    outsiders: str | None
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One step: what is done, by whom, in which case, at which time; ``says`` are fields of the event by their names.

    ``at_ms`` is when (the clock is moved there first), None: at once. ``to`` are the addressees, empty for "all other parties";
    ``joins`` whoever newly comes in. ``ahead_ms``: by how much the officer's own system is ahead.
    """

    do: str
    case: str
    by: str
    at_ms: int | None
    kind: str
    move: str
    to: tuple[str, ...]
    joins: tuple[str, ...]
    happened_ms: int | None
    ahead_ms: int
    file: Path | None
    says: Mapping[str, Any]
    zh: str
    en: str
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class HandOver:
    """One story from beginning to end. ``real_time``: it needs no moved clock, so the demo plays it too."""

    name: str
    title_zh: str
    title_en: str
    source: str
    dates: str
    story_zh: str
    story_en: str
    real_time: bool
    turns: tuple[Turn, ...]

    @property
    def participants(self) -> tuple[str, ...]:
        """Whoever takes part at a system of its own."""
        return tuple(dict.fromkeys(turn.by for turn in self.turns if turn.by))

    @property
    def begins_ms(self) -> int:
        """The time of its first step; 0 for one that is played at the real time."""
        return next((turn.at_ms for turn in self.turns if turn.at_ms is not None), 0)


def load_hand_overs(directory: Path = TRANSFERS_DIR, names: Iterable[str] = ()) -> tuple[HandOver, ...]:
    """Every file of a directory, in order of its name, or those named; ``BadSettings`` says what is wrong. Blocks on the disk."""
    return tuple(read_hand_over(name, path) for name, path in named_files(directory, names).items())


def read_hand_over(name: str, path: Path) -> HandOver:
    """One file, checked: every step is of a known kind, times go forward, every expectation says one thing of an opened case."""
    where = path.name
    document = fields.read_document(path)
    fields.only(document, _SCENARIO_KEYS, where)
    rows, real_time = document.get("step", ()), document.get("real_time", False) is True
    story = HandOver(
        name=name,
        title_zh=fields.text(document, "title_zh", where),
        title_en=fields.text(document, "title_en", where),
        source=fields.text(document, "source", where),
        dates=str(document.get("dates", "")),
        story_zh=fields.text(document, "story_zh", where).strip(),
        story_en=fields.text(document, "story_en", where).strip(),
        real_time=real_time,
        turns=tuple(
            _turn(row, path.parent, f"{where}, step {number}", dated=not real_time)
            for number, row in enumerate(rows, start=1)
        ),
    )
    _check(story, where)
    return story


def parse_time(text: str) -> int:
    """Milliseconds of a Beijing time ``2023-10-27 09:30``; ``24:00`` is the last millisecond of the day. ``ValueError`` otherwise."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"expected a Beijing time like 2023-10-27 09:30, not {text!r}")
    hour, minute = int(found[2]), int(found[3])
    day = datetime.fromisoformat(f"{found[1]}T00:00:00+00:00") - _CHINA
    midnight_ms = round(day.astimezone(UTC).timestamp() * 1000)
    if (hour, minute) == (24, 0):
        return midnight_ms + 24 * 60 * _MINUTE_MS - 1
    if hour > 23 or minute > 59:
        raise ValueError(f"there is no {hour}:{minute}")
    return midnight_ms + (hour * 60 + minute) * _MINUTE_MS


def format_time(at_ms: int) -> str:
    """Beijing time of an instant, to the second, as officers read it."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC) + _CHINA:%Y-%m-%d %H:%M:%S}"


def parse_span(text: str) -> int:
    """Milliseconds of a span like ``2 d 10 h``, ``30 min`` or ``-1 h``; ``ValueError`` otherwise."""
    found = _SPAN.fullmatch(text.strip())
    if found is None or not any(found.groups()[1:]):
        raise ValueError(f"expected a span like 2 d 10 h 5 min, not {text!r}")
    days, hours, minutes = (int(group or 0) for group in found.groups()[1:])
    span_ms = ((days * 24 + hours) * 60 + minutes) * _MINUTE_MS
    return -span_ms if found[1] else span_ms


def _turn(row: Mapping[str, Any], directory: Path, where: str, *, dated: bool) -> Turn:
    fields.only(row, _STEP_KEYS, where)
    do = fields.one_of(row, "do", _STEPS, where)
    acts = do in (OPEN, MOVE)
    case = fields.text(row, "case", where) if acts else str(row.get("case", ""))
    return Turn(
        do=do,
        case=case,
        by=participant(row.get("by"), f"{where}, by") if acts else "",
        at_ms=_time(row, "at", where),
        kind=fields.text(row, "kind", where) if do == OPEN else str(row.get("kind", "")),
        move=fields.text(row, "move", where) if do == MOVE else "",
        to=tuple(participant(one, where) for one in row.get("to", ())),
        joins=tuple(participant(one, where) for one in row.get("joins", ())),
        happened_ms=_time(row, "happened", where),
        ahead_ms=_span(row, "ahead", where) or 0,
        file=directory / fields.text(row, "file", where) if do == CALENDAR else None,
        says=dict(row.get("says", {})),
        zh=fields.text(row, "zh", where),
        en=fields.text(row, "en", where),
        expected=tuple(
            _expected({"case": case, **one}, f"{where}, expectation {number}", dated=dated)
            for number, one in enumerate(row.get("expect", ()), start=1)
        ),
    )


def _expected(row: Mapping[str, Any], where: str, *, dated: bool) -> Expected:
    fields.only(row, _EXPECT_KEYS, where)
    said = [fact for fact in _FACTS if fact in row]
    if len(said) != 1:
        raise BadSettings(f"{where}: says one of {', '.join(_FACTS)}, not {', '.join(said) or 'nothing'}")
    fact = said[0]
    if (fact == "is") != ("clock" in row and fact != "told"):
        raise BadSettings(f"{where}: a clock is said to be something, and nothing else is")
    if fact == "is" and dated and ("due" in row) is (row["is"] == "suspended"):
        raise BadSettings(f"{where}: a clock has an end (due), unless it stands still")
    must_act, to = row.get("must_act"), row.get("to")
    return Expected(
        case=fields.text(row, "case", where),
        fact=fact,
        word=fields.text(row, fact, where),
        clock=row.get("clock"),
        due_ms=_time(row, "due", where),
        late_by_ms=_span(row, "late_by", where),
        breach=row.get("breach", False) is True,
        provisional=row.get("provisional", False if dated else None),
        advisory=row.get("advisory", False) is True,
        must_act=None if must_act is None else tuple(must_act),
        to=None if to is None else tuple(participant(one, where) for one in to),
        outsiders=row.get("outsiders"),
        zh=str(row.get("zh", "")),
        en=str(row.get("en", "")),
    )


def _check(story: HandOver, where: str) -> None:
    opened: set[str] = set()
    last_ms = 0
    for number, turn in enumerate(story.turns, start=1):
        if turn.do == OPEN:
            opened.add(turn.case)
        strange = {e.case for e in turn.expected} | ({turn.case} if turn.do == MOVE else set())
        if strange - opened:
            raise BadSettings(f"{where}, step {number}: nobody opens case {', '.join(sorted(strange - opened))}")
        if turn.at_ms is not None:
            if turn.at_ms < last_ms:
                raise BadSettings(f"{where}, step {number}: {format_time(turn.at_ms)} is before the step before it")
            last_ms = turn.at_ms
        if story.real_time and (turn.at_ms is not None or turn.do == CALENDAR):
            raise BadSettings(f"{where}, step {number}: a case that is played at the real time names no time")
    if not any(turn.expected for turn in story.turns):
        raise BadSettings(f"{where}: says nothing that must be true")
    if not story.real_time and (not story.turns or story.turns[0].at_ms is None):
        raise BadSettings(f"{where}: its first step says when")


def _time(row: Mapping[str, Any], key: str, where: str) -> int | None:
    try:
        return parse_time(fields.text(row, key, where)) if key in row else None
    except ValueError as error:
        raise BadSettings(f"{where}, {key}: {error}") from error


def _span(row: Mapping[str, Any], key: str, where: str) -> int | None:
    try:
        return parse_span(fields.text(row, key, where)) if key in row else None
    except ValueError as error:
        raise BadSettings(f"{where}, {key}: {error}") from error
