"""What became of cases that are handed over, by what the logs hold: the same fold as the room's, on records read here.

Nothing is asked of the room: states and verdicts are computed again from the transfers log, as an auditor would, and what the room told is
read from the notices log. So an expectation is compared with both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

import rfc8785

from services.cases.clocks import verdicts
from services.cases.fold import Around, Said, step
from services.cases.laws import Laws, load_laws
from services.cases.state import Case
from services.cases.view import Judged, verdict_document
from services.codec.entry import Entry
from services.codec.keys import PublicKey
from services.demo.hand_over import Expected, format_time
from services.demo.tally import Tally, released
from services.events.transfer import MoveHadNoEffect, TransferEvent
from services.kernel.instants import parse_instant
from services.members.history import History

LATE_TOLERANCE_MS = 600_000
"""How much later than the file says something may have happened, where the file leaves the moment to the officer's hand."""
_OF_THE_STEP = ("TransferOpened", "TransferMoved")


@dataclass(slots=True)
class Cases:
    """Folds what a tally has taken, further at every call of ``follow``."""

    history: History
    laws: Laws
    states: dict[str, Case] = field(default_factory=dict)
    _members: int = 0
    _folded: int = 0

    @classmethod
    def of(cls, members_log: str, root: PublicKey) -> Cases:
        """With the tables of this release. Blocks on the disk."""
        return cls(History(log=members_log, schema_of=released().with_digest, root=root), load_laws())

    def follow(self, tally: Tally) -> None:
        """Folds what has come since; an entry that was judged by members not read yet waits for them."""
        for envelope in tally.members[self._members :]:
            self.history.append(envelope)
            self._members += 1
        for entry, event in tally.cases[self._folded :]:
            if entry.members > self.history.size:
                return
            self._fold(entry, event)
            self._folded += 1

    def has_folded(self, tally: Tally) -> bool:
        """Whether nothing waits."""
        return self._folded == len(tally.cases)

    def judged(self, subject: str, now_ms: int) -> tuple[Judged, ...]:
        """Every clock of a case with its verdict at a time."""
        case = self.states.get(subject)
        return () if case is None or not case.exists else verdicts(case, self._around(case), now_ms)

    def digest(self, subject: str, now_ms: int) -> str:
        """Digest of the verdicts of a case, in the form in which nodes and auditors write them (RFC 8785)."""
        case = self.states[subject]
        return f"sha256:{sha256(rfc8785.dumps(verdict_document(case, self._around(case), now_ms))).hexdigest()}"

    def _around(self, case: Case) -> Around:
        return self.laws.of_case(case, self.history.at)

    def _fold(self, entry: Entry, event: TransferEvent) -> None:
        if isinstance(event, MoveHadNoEffect):
            return
        statement = entry.statement
        case = self.states.get(statement.subject)
        said = Said(
            event=statement.id,
            source=statement.source,
            addressees=statement.addressees,
            recipients=tuple(delivery.recipient for delivery in entry.deliveries),
            seq=entry.seq,
            time_ms=statement.time_ms,
            admitted_ms=parse_instant(entry.admitted),
            members=entry.members,
            subject=statement.subject,
            body=event,
        )
        around = self.laws.at_entry(case, entry.members, self.history.at)
        self.states[statement.subject] = step(case, said, around).case


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a case after a step: everything an expectation is compared with."""

    tally: Tally
    cases: Cases
    subject: str
    own: str
    """Event of the step; empty for one in which nobody acts."""
    now_ms: int

    def differs(self, expected: Expected) -> str | None:
        """What is otherwise than expected, in words; None when it is as expected."""
        match expected.fact:
            case "state":
                found = self._case_state()
                return None if found == expected.word else f"the state is {found}, not {expected.word}"
            case "is":
                return self._clock_differs(expected)
            case "no_clock":
                running = [clock.key for clock, _, _ in self._judged() if clock.rule == expected.word]
                return f"{', '.join(running)} runs" if running else None
            case "told":
                return self._telling_differs(expected)
            case "no_effect":
                return self._answer_differs(expected)
            case _:
                refusal = self.tally.refusals.get(self.own)
                code = "nothing" if refusal is None else refusal.code
                return None if code == expected.word else f"refused with {code}, not {expected.word}"

    def _case_state(self) -> str:
        case = self.cases.states.get(self.subject)
        return case.state if case is not None and case.exists else "no case"

    def _judged(self) -> tuple[Judged, ...]:
        return self.cases.judged(self.subject, self.now_ms)

    def _clock_differs(self, expected: Expected) -> str | None:
        found = next((judged for judged in self._judged() if judged[0].key == expected.clock), None)
        if found is None:
            return f"{expected.clock} has not started"
        _, verdict, actors = found
        wrong = []
        if verdict.state != expected.word:
            wrong.append(f"is {verdict.state}, not {expected.word}")
        if verdict.due_at != expected.due_ms and (expected.due_ms is not None or expected.word == "suspended"):
            wrong.append(f"is due {_when(verdict.due_at)}, not {_when(expected.due_ms)}")
        for name, told, wanted in (
            ("a breach", verdict.breach, expected.breach),
            ("provisional", verdict.provisional, expected.provisional),
            ("advisory", verdict.advisory, expected.advisory),
        ):
            if wanted is not None and told is not wanted:
                wrong.append(f"is {'' if told else 'not '}{name}")
        late_ms = verdict.late_by_ms
        if (late_ms is None) != (expected.late_by_ms is None) or not _about(late_ms, expected.late_by_ms):
            wrong.append(f"is late by {late_ms} ms, not {expected.late_by_ms}")
        if expected.must_act is not None and set(actors) != set(expected.must_act):
            wrong.append(f"{', '.join(actors) or 'nobody'} must act")
        return f"{expected.clock} {'; '.join(wrong)}" if wrong else None

    def _telling_differs(self, expected: Expected) -> str | None:
        if expected.word in _OF_THE_STEP:
            entry = self.tally.entries.get(self.own)
            kind = "nothing" if entry is None else entry.statement.type.rpartition(".")[2]
            if entry is None or kind != expected.word:
                return f"{kind} was told, not {expected.word}"
            return _others(_recipients([entry]), expected)
        told = [
            entry
            for entry, notice in self.tally.notices
            if entry.statement.subject == self.subject
            and notice.TYPE.rpartition(".")[2] == expected.word
            and notice.clock == expected.clock
        ]
        return _others(_recipients(told[-1:]), expected) if told else f"no {expected.word} of {expected.clock} was told"

    def _answer_differs(self, expected: Expected) -> str | None:
        answers = self.tally.without_effect_on.get(self.own, [])
        rules = {answer.rule for _, answer in answers}
        wanted = {expected.word} | ({expected.outsiders} if expected.outsiders else set())
        if rules != wanted:
            return f"answered by {', '.join(sorted(rules)) or 'nothing'}, not {', '.join(sorted(wanted))}"
        return _others(_recipients([entry for entry, answer in answers if answer.rule == expected.word]), expected)


def _recipients(entries: list[Entry]) -> set[str]:
    return {delivery.recipient for entry in entries for delivery in entry.deliveries}


def _others(found: set[str], expected: Expected) -> str | None:
    if expected.to is None or found == set(expected.to):
        return None
    return (
        f"{expected.word} was told to {', '.join(sorted(found)) or 'nobody'}, not {', '.join(expected.to) or 'nobody'}"
    )


def _about(found_ms: int | None, wanted_ms: int | None) -> bool:
    return found_ms is None or wanted_ms is None or 0 <= found_ms - wanted_ms < LATE_TOLERANCE_MS


def _when(at_ms: int | None) -> str:
    return "never" if at_ms is None else format_time(at_ms)
