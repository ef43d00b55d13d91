"""Applying a calendar, pass by pass: every case that waits is told once, whatever interrupts it, and what is late is found again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from services.commands.calendar_applying import BATCH, Publication, Said, apply_calendar
from services.events.transfer import CalendarApplied
from services.kernel.errors import Transient
from services.transfers.calendar_effects import Shift, Standing, Waiting

PUBLICATION = Publication("0198f6c0-0000-7000-8000-000000000001", 2027, "exchange.operator", 1_796_000_000_000)
BEFORE, AFTER = Standing(1, "running", True), Standing(2, "running", False)
TOLD = Standing(3, "running", False)


def case(number: int, *addressees: str) -> Waiting:
    name = f"TR-{number}"
    return Waiting(name, 4, addressees or ("320100.market_regulator",), (Shift(name, "A8/1", BEFORE, AFTER),))


@dataclass
class Room:
    """An exchange in memory. ``deaf`` passes are admitted by older members and so move nothing; it dies after ``dies_after`` batches."""

    cases: dict[str, Waiting]
    deaf: int = 0
    dies_after: int = 1 << 30
    log: list[str] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    unfolded: list[str] = field(default_factory=list)

    def wait_folded(self) -> None:
        heard, self.unfolded = self.unfolded, []
        if self.deaf and heard:
            self.deaf -= 1
            self.cases |= {
                name: replace(self.cases[name], last_seq=self.cases[name].last_seq + 1) for name in set(heard)
            }
            return
        for name in heard:
            self.cases.pop(name, None)

    def waiting(self, year: int) -> list[Waiting]:
        assert year == 2027
        return list(self.cases.values())

    def say(self, said: Sequence[Said]) -> None:
        if len(self.batches) >= self.dies_after:
            raise KeyboardInterrupt
        self.batches.append(len(said))
        self.said += said
        for _, draft in said:
            if draft.id not in self.log:  # admission: the same id again is a duplicate
                self.log.append(draft.id)
                self.unfolded.append(draft.subject)

    def standing(self, cases: Iterable[str]) -> dict[tuple[str, str], Standing]:
        return {(name, "A8/1"): TOLD for name in cases}


def room(count: int, **more: int) -> Room:
    return Room({f"TR-{number}": case(number) for number in range(count)}, **more)


def run(made: Room) -> tuple[int, tuple[Shift, ...]]:
    done = apply_calendar(made, PUBLICATION, lambda _doing, _of: None)
    return done.cases, done.shifts


def test_where_nothing_waits_nothing_is_said() -> None:
    made = room(0)
    assert run(made) == (0, ())
    assert made.said == []


def test_every_case_is_told_once_and_the_ends_are_those_that_the_room_tells_then() -> None:
    made = room(3)
    cases, shifts = run(made)
    assert cases == 3
    assert shifts == tuple(Shift(f"TR-{number}", "A8/1", BEFORE, TOLD) for number in range(3))
    assert [draft.subject for _, draft in made.said] == ["TR-0", "TR-1", "TR-2"]
    assert {body for body, _ in made.said} == {CalendarApplied(year=2027, calendar_event=PUBLICATION.event)}
    draft = made.said[0][1]
    assert (draft.source, draft.cause, draft.addressee) == (
        "exchange.operator",
        PUBLICATION.event,
        "320100.market_regulator",
    )
    assert draft.time == "2026-11-30T00:53:20.000Z"


def test_a_second_run_says_nothing_again() -> None:
    made = room(3)
    run(made)
    said = len(made.said)
    assert run(made) == (0, ())
    assert len(made.said) == said


def test_what_was_interrupted_is_finished_and_nothing_is_done_twice() -> None:
    made = room(2 * BATCH + 1, dies_after=1)
    with pytest.raises(KeyboardInterrupt):
        run(made)
    assert made.batches == [BATCH]
    made.dies_after = 1 << 30
    assert run(made)[0] == BATCH + 1
    assert len(made.said) == len(made.log) == 2 * BATCH + 1


def test_two_runs_that_see_the_same_case_say_the_same_of_it() -> None:
    one, other = room(2), room(2)
    run(one)
    run(other)
    assert one.log == other.log, "so that admission takes the second for a duplicate"
    assert one.said == other.said


def test_what_was_admitted_by_older_members_is_said_again_under_another_id() -> None:
    made = room(2, deaf=1)
    assert run(made)[0] == 2
    assert len(made.log) == len(set(made.log)) == 4


def test_a_case_that_never_comes_to_rest_is_not_waited_for_without_end() -> None:
    made = room(1, deaf=100)
    with pytest.raises(Transient):
        run(made)


def test_more_parties_than_a_statement_can_name_are_told_in_groups() -> None:
    many = tuple(sorted(f"{number:06d}.market_regulator" for number in range(320100, 320165)))
    made = Room({"TR-0": case(0, *many)})
    run(made)
    assert [draft.addressee.count(",") + 1 for _, draft in made.said] == [64, 1]
    assert len(made.log) == 2
