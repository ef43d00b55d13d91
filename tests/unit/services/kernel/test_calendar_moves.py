"""What a newly loaded year changes."""

from __future__ import annotations

import random
from dataclasses import replace

from services.kernel.calendar import Calendar, CalendarYear, Holiday, Notice
from services.kernel.calendar_documents import calendar_of, load_calendar
from services.kernel.calendar_moves import KnownClock, calendar_moves, change_between
from services.kernel.clock_documents import load_clock_rules
from services.kernel.clock_moments import Moment
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_day, parse_day, parse_instant
from services.kernel.verdict import verdict

CALENDAR = load_calendar(SCHEMAS_DIR / "codes" / "calendars")
RULES = load_clock_rules(SCHEMAS_DIR / "codes" / "clocks.toml")
NOW = parse_instant("2026-12-15T00:00:00.000Z")

# Made up: the days of 2027 are not published.
NEW_YEAR = Holiday("元旦", "New Year's Day", parse_day("2027-01-01"), parse_day("2027-01-03"), ())
YEAR_2027 = CalendarYear(
    2027, (Notice("made up", "made up", parse_day("2026-11-20"), "certain", "made up", (NEW_YEAR,)),)
)
NEXT = calendar_of([*CALENDAR.years, YEAR_2027])


def clock(key: str, rule: str, word: str, start: str) -> KnownClock:
    return KnownClock(key, RULES.versions(rule)[0], [Moment("happened", word, parse_instant(f"{start}T02:00:00.000Z"))])


CLOCKS = [
    clock("moves", "A1", "clue_received", "2026-12-14"),
    clock("settles", "A9", "case_filed", "2026-10-13"),
    clock("stays", "A1", "clue_received", "2026-11-02"),
    clock("hours", "C3", "referral_approved", "2026-12-31"),
]


def test_only_what_moves_or_settles_is_listed() -> None:
    moves = calendar_moves(CLOCKS, CALENDAR, NEXT, NOW)
    assert [(move.key, move.change) for move in moves] == [("moves", "moved"), ("settles", "settled")]
    ends = [
        format_day((due + 8 * 3_600_000) // 86_400_000)
        for move in moves[:1]
        for due in (move.before.due_at, move.after.due_at)
        if due
    ]
    assert ends == ["2027-01-04", "2027-01-05"]
    assert (moves[0].before.provisional, moves[0].after.provisional) == (True, False)


def test_the_order_of_the_clocks_changes_nothing() -> None:
    shuffled = CLOCKS[:]
    random.Random(7).shuffle(shuffled)
    assert calendar_moves(shuffled, CALENDAR, NEXT, NOW) == calendar_moves(CLOCKS, CALENDAR, NEXT, NOW)


def test_a_calendar_that_is_loaded_again_moves_nothing() -> None:
    assert calendar_moves(CLOCKS, NEXT, calendar_of(reversed(NEXT.years)), NOW) == ()


def test_a_calendar_that_lost_a_year_unsettles() -> None:
    changes = {move.key: move.change for move in calendar_moves(CLOCKS, NEXT, CALENDAR, NOW)}
    assert changes == {"moves": "moved", "settles": "unsettled"}
    assert calendar_moves(CLOCKS[2:3], CALENDAR, Calendar(()), NOW)[0].change == "unsettled"


def test_a_verdict_that_only_says_it_otherwise_has_not_changed() -> None:
    found = verdict(CLOCKS[0].rule, CLOCKS[0].moments, CALENDAR, NOW)
    assert change_between(found, replace(found, explanation=replace(found.explanation, zh="另一说法"))) is None
    assert change_between(found, replace(found, state="met")) == "moved"
