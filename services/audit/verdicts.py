"""The auditor's own computation of the clocks of cases: from what organs and the operator said, and compared with what the exchange derived.

Of the transfers log only what organs and the operator proposed is folded, by the rules in the source (an archive ships them) and by the
members log at the size that each entry names; what ``exchange.transfers`` derived is not read for it, only held against it. Numbered:

1 the members log, verified from the founding by the auditor's root key · 2 every entry of a case folded, in order; what changes of clocks
and which moves have no effect follows, with the ids that derived events must have · 3 ticked up to where the source vouches · 4 each derived
event compared with what follows · 5 the verdict document of each case, at the time asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import rfc8785

from services.audit.sources import Finding, LogSource, entry_of, place_of
from services.audit.verify_log import read_members
from services.cases.clocks import ORDINALS
from services.cases.fold import Around, ClockChange, NoEffect, Said, Step, due_of, ripe, step
from services.cases.laws import Laws, load_laws
from services.cases.possibilities import parties
from services.cases.state import Case
from services.cases.told import as_told
from services.cases.view import verdict_document
from services.codec.released import load_released
from services.codec.statement import MAX_ADDRESSEES
from services.events.notice import ClockVerdict
from services.events.transfer import CalendarApplied, MoveHadNoEffect, TransferMoved, TransferOpened
from services.kernel.errors import Corrupt, Refused
from services.kernel.ids import derived_id
from services.members.history import History
from services.runtime.fold import Logged
from services.runtime.records import SchemaOf, read_logged

ROOM: Final = "transfers"
SAYS: Final = "exchange.transfers"
NOTICES: Final = "notices"
SETTLES_MS: Final = 60_000
"""What follows from something may take so long to be in the log."""
MOST_FINDINGS: Final = 100
Heard = TransferOpened | TransferMoved | CalendarApplied


@dataclass(frozen=True, slots=True)
class CaseVerdicts:
    """The verdict document of a case, and the digest of its bytes."""

    document: dict[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class VerdictsReport:
    """What was computed, how many derived events were held against it, and where they differ, the first one first."""

    cases: tuple[CaseVerdicts, ...]
    compared: int
    findings: tuple[Finding, ...]
    more: int = 0

    @property
    def is_good(self) -> bool:
        """Whether all that was derived follows, and nothing is missing."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class _Change:
    """A change that must have been told: of which clock, to whom it is a matter, when, and the verdict."""

    subject: str
    clock: str
    actors: tuple[str, ...]
    time_ms: int
    verdict: ClockVerdict
    groups: int


def compute(source: LogSource, only: str | None, at_ms: int) -> VerdictsReport:
    """Steps 1 to 5, of every case or one. Keeps the cases of the source in memory, and which moves had no effect. Blocks;
    ``Transient`` when what is read goes away.

    Refuses ``not-in-log`` a source that does not begin at the founding, ``not-found`` when it has nothing of the case asked for.
    """
    later = [log for log in source.logs() if source.first_seq(log) > 0]
    if later:
        raise Refused("not-in-log", f"{later[0]} begins in the middle here; a case is computed from its opening on")
    # (1) members
    members = read_members(source)
    laws = load_laws(source.schemas_dir / "codes")
    schema_of = load_released(source.schemas_dir / "released").with_digest
    computing = _Computing(source, only, at_ms, members.history, laws, schema_of)
    computing.findings += [(0, finding) for finding in members.findings]
    return computing.run()


@dataclass(slots=True)
class _Computing:
    """One computation, used once."""

    source: LogSource
    only: str | None
    at_ms: int
    history: History
    laws: Laws
    schema_of: SchemaOf
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    _cases: dict[str, Case] = field(default_factory=dict)
    _changes: dict[tuple[str, str, int], _Change] = field(default_factory=dict)
    _without: dict[str, tuple[int, NoEffect]] = field(default_factory=dict)
    _answers: list[Logged] = field(default_factory=list)
    """What the room said in the log that is folded, kept so that the log is read once."""
    _compared: int = 0

    def run(self) -> VerdictsReport:
        """Steps 2 to 5."""
        # (2) entries
        for logged in self._read(ROOM):
            if isinstance(logged.event, Heard):
                self._fold(logged, logged.event)
            if logged.entry.statement.source == SAYS:
                self._answers.append(logged)
        if self.only is not None and self.only not in self._cases:
            raise Refused("not-found", f"no log has an event of {self.only}")
        # (3) ticks
        for subject in self._cases:
            self._tick(subject, self.source.horizon_ms)
        # (4) what was derived
        self._compare()
        # (5) documents
        found = (self._document(case) for _, case in sorted(self._cases.items()) if case.exists)
        findings = [finding for _, finding in sorted(self.findings, key=lambda one: one[0])]
        return VerdictsReport(
            tuple(found), self._compared, tuple(findings[:MOST_FINDINGS]), max(0, len(findings) - MOST_FINDINGS)
        )

    def _read(self, family: str) -> Iterator[Logged]:
        wanted = None if self.only is None else f"\nsubject: {self.only}\n".encode()
        for log in self.source.logs():
            if place_of(log)[0] != f"{self.source.exchange}.{family}":
                continue
            try:
                for record in self.source.records(log):
                    if wanted is None or wanted in entry_of(record):
                        yield read_logged(record, self.schema_of)
            except Corrupt as error:
                self.findings.append((0, Finding("not-foldable", *place_of(log), str(error))))

    def _fold(self, logged: Logged, event: Heard) -> None:
        statement, size = logged.entry.statement, logged.entry.members
        case = self._cases.get(statement.subject)
        around = self.laws.at_entry(case, size, self.history.at)
        said = Said(
            event=logged.id,
            source=statement.source,
            addressees=statement.addressees,
            recipients=tuple(delivery.recipient for delivery in logged.entry.deliveries),
            seq=logged.seq,
            time_ms=statement.time_ms,
            admitted_ms=logged.admitted_ms,
            members=size,
            subject=statement.subject,
            body=event,
        )
        done = step(case, said, around)
        self._take(done)
        if done.refused is not None:
            self._without[logged.id] = logged.admitted_ms, done.refused

    def _tick(self, subject: str, until_ms: int) -> None:
        while (due := due_of(self._cases[subject])) is not None and due <= until_ms:
            case = self._cases[subject]
            self._take(ripe(case, due, self._around(case)))

    def _take(self, done: Step) -> None:
        self._cases[done.case.subject] = done.case
        groups = -(-len(parties(done.case)) // MAX_ADDRESSEES)
        for change in done.changes:
            self._changes[done.case.subject, change.cause, change.ordinal] = _owed(done.case.subject, change, groups)

    def _around(self, case: Case) -> Around:
        return self.laws.of_case(case, self.history.at)

    def _document(self, case: Case) -> CaseVerdicts:
        document = verdict_document(case, self._around(case), self.at_ms)
        return CaseVerdicts(document, f"sha256:{hashlib.sha256(rfc8785.dumps(document)).hexdigest()}")

    def _compare(self) -> None:
        owed = {
            derived_id(ROOM, subject, cause, ordinal + ORDINALS * group): change
            for (subject, cause, ordinal), change in self._changes.items()
            for group in range(change.groups)
        }
        answered: set[str] = set()
        for logged in chain(self._read(NOTICES), self._answers):
            if logged.entry.statement.source != SAYS:
                continue
            self._compared += 1
            if isinstance(logged.event, MoveHadNoEffect):
                self._answer(logged, logged.event)
                answered.add(logged.event.attempted_event)
            else:
                self._notice(logged, owed.pop(logged.id, None))
        settled_ms = self.source.horizon_ms - SETTLES_MS
        for event, change in owed.items():
            if change.time_ms < settled_ms:
                self._missing(
                    NOTICES, change.time_ms, f"{change.clock} of {change.subject}: {event} follows and is in no log"
                )
        for event, (at_ms, _) in self._without.items():
            if event not in answered and at_ms < settled_ms:
                self._missing(ROOM, at_ms, f"the move {event} has no effect, and no log says so")

    def _notice(self, logged: Logged, change: _Change | None) -> None:
        told, statement = logged.value, logged.entry.statement
        if change is None:
            what = f"{told.get('clock')} of {statement.subject}: what {logged.type} tells does not follow"
            self._tell("verdict-invented", logged, what)
            return
        mine = {"clock": change.clock, "actors": list(change.actors), "time": change.time_ms}
        mine |= {name: getattr(change.verdict, name) for name in ClockVerdict.__dataclass_fields__}
        theirs = {"clock": told["clock"], "actors": list(told["actors"]), "time": statement.time_ms, **told["verdict"]}
        name = next((name for name, value in mine.items() if theirs.get(name) != value), None)
        if name is not None:
            what = f"{change.clock} of {change.subject}: {name} was told {theirs.get(name)!r}, it is {mine[name]!r}"
            self._tell("verdict-differs", logged, what)

    def _answer(self, logged: Logged, said: MoveHadNoEffect) -> None:
        _, mine = self._without.get(said.attempted_event, (0, None))
        if mine is None:
            self._tell("verdict-invented", logged, f"the move {said.attempted_event} has effect")
        elif said.kind is not None and said.rule != mine.rule:
            what = f"the move {said.attempted_event} is said to be forbidden by {said.rule}, it is by {mine.rule}"
            self._tell("verdict-differs", logged, what)

    def _tell(self, code: str, logged: Logged, sentence: str) -> None:
        place = Finding(code, logged.topic, logged.partition, sentence, logged.offset, logged.seq)
        self.findings.append((logged.admitted_ms, place))

    def _missing(self, family: str, at_ms: int, sentence: str) -> None:
        self.findings.append((at_ms, Finding("verdict-missing", f"{self.source.exchange}.{family}", 0, sentence)))


def _owed(subject: str, change: ClockChange, groups: int) -> _Change:
    return _Change(subject, change.clock.key, change.actors, change.time_ms, as_told(change.verdict), groups)
