"""Which cases wait for a calendar: those with an end that it moves or settles, and none that was judged by it already."""

from __future__ import annotations

from dataclasses import replace

from services.cases.fold import Around, Said, step
from services.cases.state import Case
from services.events.member import CalendarHoliday
from services.events.transfer import CalendarApplied
from services.kernel.instants import parse_day
from services.members.calendars import with_notice
from services.transfers.calendar_effects import PAGE, Shift, Standing, candidates, shifts_of, told, waiting
from tests.unit.services.cases.stage import DAY, HOUR, NANJING, NINGBO, Stage, around
from tests.unit.services.members.town import notice

YEAR_END = 1_798_423_200_000  # 2026-12-28 10:00 in Beijing: 15 working days from there end in January
DUE, MOVED = (parse_day(text) * DAY + 16 * HOUR - 1 for text in ("2027-01-18", "2027-01-19"))


def with_2027() -> Around:
    """The notice of the town has 2026-12-31 to 2027-01-02 off and the Sunday after it worked."""
    registry = around().registry
    return replace(around(), registry=replace(registry, calendar=with_notice(registry.calendar, notice())))


def asked(at: int = YEAR_END) -> Case:
    stage = Stage()
    stage.open("assistance", NANJING, NINGBO, at=at)
    return stage.now


def applied(case: Case, world: Around) -> Case:
    said = Said(
        event="0198f6c0-0000-7000-8000-999999999999",
        source="exchange.operator",
        addressees=(NANJING, NINGBO),
        recipients=(NANJING, NINGBO),
        seq=case.last_seq + 1,
        time_ms=YEAR_END + DAY,
        admitted_ms=YEAR_END + DAY,
        members=case.members + 1,
        subject=case.subject,
        body=CalendarApplied(year=2027, calendar_event="e"),
    )
    return step(case, said, replace(world, before=around().registry)).case


def test_a_provisional_end_that_the_year_moves_waits_and_says_to_whom_it_is_told() -> None:
    case = asked()
    (found,) = waiting([case], with_2027(), YEAR_END + HOUR)
    assert (found.case, found.last_seq, found.addressees) == (case.subject, 0, (NANJING, NINGBO))
    assert found.shifts == (
        Shift(case.subject, "A8/1", Standing(DUE, "running", True), Standing(MOVED, "running", False)),
    )


def test_a_case_is_found_until_the_calendar_was_applied_to_it() -> None:
    done = applied(asked(), with_2027())
    assert told(done.clocks[0]) == Standing(MOVED, "running", False)
    assert waiting([done], with_2027(), YEAR_END + 2 * DAY) == []


def test_an_end_that_stays_where_it_was_and_is_settled_now_is_found_too() -> None:
    october = CalendarHoliday(
        name_zh="国庆节", name_en="x", first_on=parse_day("2027-10-01"), last_on=parse_day("2027-10-03")
    )
    world = around()
    calendar = with_notice(world.registry.calendar, notice(holidays=(october,)))
    (shift,) = shifts_of(asked(), replace(world, registry=replace(world.registry, calendar=calendar)), YEAR_END + HOUR)
    assert (shift.before.due_at, shift.before.provisional) == (shift.after.due_at, True) == (DUE, True)
    assert not shift.after.provisional


def test_a_calendar_that_is_the_one_it_was_judged_by_moves_nothing() -> None:
    assert shifts_of(asked(), around(), YEAR_END + HOUR) == ()


def test_an_end_that_was_settled_is_found_when_a_later_notice_of_its_year_moves_it() -> None:
    case = applied(asked(), with_2027())
    holiday = replace(notice().holidays[0], last_on=parse_day("2027-01-04"), working_on=())
    later = notice("试2号", issued_on=notice().issued_on + 1, holidays=(holiday,))
    world = with_2027()
    world = replace(world, registry=replace(world.registry, calendar=with_notice(world.registry.calendar, later)))
    assert not case.clocks[0].provisional
    (shift,) = shifts_of(case, world, YEAR_END + 2 * DAY)
    assert (shift.before.due_at, shift.after.due_at) == (MOVED, MOVED + 2 * DAY)


def test_a_clock_that_has_ended_for_good_and_one_that_only_waits_for_its_tick_are_none() -> None:
    stage = Stage()
    stage.open("assistance", NANJING, NINGBO)
    far = stage.now.clocks[0]
    assert far.due_at is not None
    assert shifts_of(stage.now, with_2027(), far.due_at + DAY) == (), "it has expired, which the next tick tells"
    closed = replace(stage.now, clocks=(replace(far, told_state="met", due_at=far.due_at + DAY),))
    assert shifts_of(closed, with_2027(), far.due_at + DAY) == ()


def test_an_expired_end_that_was_provisional_is_found_too() -> None:
    stage = Stage()
    stage.open("assistance", NANJING, NINGBO, at=YEAR_END)
    stage.wait(DUE + HOUR)
    (shift,) = shifts_of(stage.now, with_2027(), DUE + HOUR)
    assert (shift.before.state, shift.after.state) == ("expired", "running")


def test_nothing_that_was_never_opened_waits() -> None:
    assert waiting([Case("TR-1")], with_2027(), YEAR_END) == []


def test_candidates_are_asked_for_from_the_december_before_on() -> None:
    _, given = candidates(2027, "TR-1")
    assert (given["after"], given["limit"]) == ("TR-1", PAGE)
    assert given["since"] == parse_day("2026-12-01") * DAY - 8 * HOUR
