"""The desk behind ``ipx calendar``: publishes the notices of a year on the members log, and finds and tells the cases that they move."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from services.cases.laws import Laws, load_laws
from services.cases.state import Case
from services.cases.state_json import decode
from services.codec.envelope import seal_batch
from services.commands.calendar_applying import Publication, Said
from services.commands.members_desk import Desk
from services.events import to_value
from services.events.member import CalendarPublished
from services.events.transfer import CalendarApplied
from services.kernel.calendar import Calendar, CalendarYear, Notice
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Transient
from services.members.calendars import notices_of
from services.members.genesis import OPERATOR, missing_notices
from services.members.proposing import seal_member
from services.members.settings import MembersSettings
from services.runtime.backlog import Backlog
from services.runtime.log_probe import End, LogProbe
from services.runtime.planner import Place
from services.runtime.postgres import Database
from services.runtime.store import Store
from services.runtime.topics import load_topics
from services.transfers import calendar_effects as effects

_FAMILY = "transfers"
_POLL_S = 0.2
_FOR_NOW = "bad-reference"
"""The refusal of an admission that has not read the publication yet: the next pass says it again."""


@dataclass(frozen=True, slots=True)
class Published:
    """The numbers of the notices that the log did not have and now has, and of those that it had."""

    new: tuple[str, ...]
    known: tuple[str, ...]


class CalendarDesk:
    """A desk at the members log, with the room's tables and the end of the transfers log beside it."""

    def __init__(self, desk: Desk, database: Database, probe: LogProbe, laws: Laws) -> None:
        self._desk = desk
        self._database = database
        self._backlog = Backlog(probe)
        self._laws = laws
        self._store = Store(_FAMILY)
        topic = desk.topics.log(_FAMILY)
        self._places = [(topic, partition) for partition in range(load_topics().families[_FAMILY])]

    def calendar(self) -> Calendar:
        """The calendar that the members log makes now."""
        return self._desk.registry().calendar

    def lacking(self, year: CalendarYear) -> tuple[Notice, ...]:
        """The notices of a year that the log does not have. ``BadSettings`` when it has one of that number that says otherwise."""
        known = {notice.number: notice for notice in notices_of(self.calendar(), year.year)}
        for notice in year.notices:
            if known.get(notice.number, notice) != notice:
                raise BadSettings(
                    f"calendar {year.year}: notice {notice.number} is on the members log and says otherwise there; what was published"
                    " stands, and a correction is a notice with a number of its own"
                )
        return tuple(notice for notice in year.notices if notice.number not in known)

    def publish(self, year: CalendarYear) -> Published:
        """Publishes what is lacking, as the operator; waits until it is in the log."""
        lacking = self.lacking(year)
        new = tuple(notice.number for notice in lacking)
        if lacking:
            signer = self._desk.signer(OPERATOR)
            self._desk.propose(
                [
                    seal_member(
                        one.event,
                        subject=one.subject,
                        signer=signer,
                        released=self._desk.released,
                        clock=self._desk.clock,
                        entropy=self._desk.entropy,
                    )
                    for one in missing_notices(self._desk.registry(), Calendar((year,)))
                ]
            )
        return Published(new, tuple(notice.number for notice in year.notices if notice.number not in new))

    def publication(self, year: int) -> Publication:
        """The last event that published a notice of that year. ``BadSettings`` when none did."""
        history = self._desk.history()
        for record in reversed(history.since(0, history.size)):
            if isinstance(record.event, CalendarPublished) and record.event.year == year:
                statement = record.entry.statement
                key = history.latest.keys[self._desk.signer(OPERATOR).key_id]
                time_ms = max(statement.time_ms, key.valid_from)  # a key that came since may sign nothing older than it
                return Publication(statement.id, year, statement.source, time_ms)
        raise BadSettings(f"calendar {year}: no notice of that year is on the members log")

    def wait_folded(self) -> None:
        """Blocks until the transfers room has folded what its log holds now; ``Transient`` when it comes no further for the waiting time."""
        ends = self._backlog.ends(self._places)
        if not any(end.written for end in ends.values()):
            return
        wait_s = self._desk.settings.members_wait_s
        deadline_s, come_to = time.monotonic() + wait_s, -1
        while (folded := self._behind(ends)) is not None:
            if folded > come_to:
                deadline_s, come_to = time.monotonic() + wait_s, folded
            if time.monotonic() > deadline_s:
                raise Transient(
                    f"the transfers room has folded nothing for {wait_s:g} s and its log holds more: see that `ipx room run transfers`"
                    " runs, and run the command again; what is published stays"
                )
            time.sleep(_POLL_S)

    def provisional(self, year: int, waiting: Iterable[effects.Waiting]) -> int:
        """How many cases beside the waiting ones have an end that no published notice settles."""
        others = {one.case for one in waiting}
        cases = (case for page in self._candidates(year) for case in page if case.subject not in others)
        return sum(any(clock.provisional for clock in case.clocks) for case in cases)

    def waiting(self, year: int) -> list[effects.Waiting]:
        """The cases that wait for the calendar of a year, by the states that the room has stored."""
        around = self._laws.by(self._desk.registry())
        now_ms = self._desk.now_ms()
        return [one for page in self._candidates(year) for one in effects.waiting(page, around, now_ms)]

    def say(self, said: Sequence[Said]) -> None:
        """Proposes these under one signature of the operator, and waits for what admission says of each."""
        schema = self._desk.released.named(CalendarApplied.TYPE)
        signer = self._desk.signer(OPERATOR)
        envelopes = seal_batch([(schema, to_value(body), draft) for body, draft in said], signer, self._desk.entropy)
        wait_s = self._desk.settings.members_wait_s
        ids = {envelope.statement.id for envelope in envelopes}
        with self._desk.proposing() as proposing:
            proposing.send(envelopes, wait_s)
            found = proposing.hear(ids, wait_s, lambda _known: None)
        if len(found) < len(ids):
            raise Transient(
                f"{len(ids) - len(found)} of {len(ids)} proposals have no outcome after {wait_s:g} s: see that admission runs, and run the"
                " command again"
            )
        for outcome in found.values():
            if outcome.code != _FOR_NOW:
                outcome.require_admitted()

    def standing(self, cases: Iterable[str]) -> dict[tuple[str, str], effects.Standing]:
        """How each clock of some cases was last told."""
        keys = sorted(cases)
        found: dict[tuple[str, str], effects.Standing] = {}
        for start in range(0, len(keys), effects.PAGE):
            for case in self._states(effects.CASES, {"keys": keys[start : start + effects.PAGE]}):
                found |= {(case.subject, clock.key): effects.told(clock) for clock in case.clocks}
        return found

    def _candidates(self, year: int) -> Iterator[list[Case]]:
        after = ""
        while page := self._states(*effects.candidates(year, after)):
            yield page
            after = page[-1].subject

    def _states(self, statement: str, given: dict[str, object]) -> list[Case]:
        with self._database.transaction() as connection:
            ready = connection.execute(effects.READY).fetchone()
            if ready is None or not ready[0]:
                return []
            return [decode(state) for (state,) in connection.execute(statement.encode(), given).fetchall()]

    def _behind(self, ends: dict[Place, End]) -> int | None:
        """None when the room has folded every record that stood in the log when the ends were taken, settled or not; else how many it has."""
        now = self._backlog.ends(ends)
        with self._database.transaction() as connection:
            ready = connection.execute(effects.READY).fetchone()
            if ready is None or not ready[0]:
                return 0
            positions = self._store.positions(connection)
        if all(now[place].settled >= end.written for place, end in ends.items()) and not any(
            self._backlog.holds_unfolded(place, positions, End(end.written, end.written)) for place, end in ends.items()
        ):
            return None
        return sum(position.next_seq for position in positions.values())


@contextmanager
def opened(settings: MembersSettings) -> Iterator[CalendarDesk]:
    """The desk with what it reads, closed at the end."""
    dsn = settings.postgres_dsn.get_secret_value()
    with (
        Desk(settings) as desk,
        Database(dsn, "calendar", connections=1) as database,
        LogProbe(settings.librdkafka(), "calendar") as probe,
    ):
        yield CalendarDesk(desk, database, probe, load_laws(SCHEMAS_DIR / "codes"))
