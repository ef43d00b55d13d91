"""Applying a published calendar to the cases that wait for it: pass by pass, until none does.

A pass, with the same numbers in the code:

1. Wait until the room has folded what the transfers log held when the pass began.
2. Find the cases of which a clock is not as the calendar makes it.
3. Say ``CalendarApplied`` on each, in batches under one signature.

The id of what is said comes from the calendar's event, the case and how far the case was folded: said again before the room has heard
it, it is a duplicate; said again after the room heard it without effect (admission had not read the members log so far), it is new.
So whatever is interrupted is finished by the next run, and nothing is done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from services.codec.envelope import Draft
from services.codec.statement import MAX_ADDRESSEES
from services.events.transfer import CalendarApplied
from services.kernel.errors import Transient
from services.kernel.ids import uuid8
from services.kernel.instants import format_instant
from services.transfers.calendar_effects import Shift, Standing, Waiting

PASSES: Final = 4
"""A case that was judged by older members while a pass ran is found by the next; more than a few of those are no accident."""
BATCH: Final = 2_000
_ID_ROOM: Final = "calendar"

_T = TypeVar("_T")
Said = tuple[CalendarApplied, Draft]
Heard = Callable[[str, int], None]
"""Told what is being done, and of how many."""


@dataclass(frozen=True, slots=True)
class Publication:
    """The event on the members log that is applied: its id, the year, who said it and when, in ms."""

    event: str
    year: int
    source: str
    time_ms: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done: how many cases were told, and every clock that moved, as it was and as it is told now."""

    cases: int
    shifts: tuple[Shift, ...]


class Exchange(Protocol):
    """What applying asks of the running parts; each blocks, and raises ``Transient`` when its time is over."""

    def wait_folded(self) -> None:
        """Until the room has folded what the log holds now."""
        ...

    def waiting(self, year: int) -> list[Waiting]:
        """The cases that wait for the calendar of a year."""
        ...

    def say(self, said: Sequence[Said]) -> None:
        """Proposes these under one signature, and hears that each is in the log or was refused for now."""
        ...

    def standing(self, cases: Iterable[str]) -> dict[tuple[str, str], Standing]:
        """How each clock of some cases was last told, by case and clock."""
        ...


def apply_calendar(exchange: Exchange, publication: Publication, heard: Heard) -> Applied:
    """Applies a calendar until no case waits for it. ``Transient`` when some still do after a few passes; run it again then."""
    found: dict[str, Waiting] = {}
    for _ in range(PASSES):
        heard("waiting for the room", 0)
        exchange.wait_folded()  # (1)
        now = exchange.waiting(publication.year)  # (2)
        if not now:
            return Applied(len(found), tuple(_as_told(exchange, found)))
        found |= {one.case: one for one in now if one.case not in found}
        heard("applying", len(now))
        for batch in _batched(tuple(_said(publication, now)), BATCH):  # (3)
            exchange.say(batch)
    raise Transient(f"{len(now)} cases still wait for the calendar of {publication.year}; run the command again")


def _said(publication: Publication, waiting: Iterable[Waiting]) -> Iterator[Said]:
    body = CalendarApplied(year=publication.year, calendar_event=publication.event)
    for one in waiting:
        for number, group in enumerate(_batched(one.addressees, MAX_ADDRESSEES)):
            yield (
                body,
                Draft(
                    id=uuid8(_ID_ROOM, publication.event, one.case, str(one.last_seq), str(number)),
                    source=publication.source,
                    subject=one.case,
                    time=format_instant(publication.time_ms),
                    addressee=",".join(group),
                    cause=publication.event,
                ),
            )


def _batched(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _as_told(exchange: Exchange, found: dict[str, Waiting]) -> Iterator[Shift]:
    """What moved, with the end that the room tells now."""
    told = exchange.standing(found)
    for case in sorted(found):
        for shift in found[case].shifts:
            yield Shift(case, shift.clock, shift.before, told.get((case, shift.clock), shift.after))
