"""What logs, inboxes and proposals hold, counted and checked by arithmetic alone. Pure.

The numbers of ``ipx demo`` come from here: from what was read, never from what was expected. ``seq`` is contiguous from 0 in
each log partition, and so is the delivery number of each recipient in it (design section 4); what is missing is a *gap*,
what stands twice a *repeat*, and a copy that an entry promises and an inbox does not hold is a gap too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import get_args

from services.codec.entry import Entry, parse_entry
from services.codec.envelope import Envelope, envelope_from_record
from services.codec.released import ReleasedSchemas, load_released
from services.codec.statement import Statement
from services.events import from_value
from services.events.clue import ClueReported, ClueResultReturned, MoveHadNoEffect, ReporterReferral
from services.events.notice import NoticeEvent
from services.events.receipt import Committed, Delivered, NotCommitted, OutcomesRecorded, Rejected
from services.events.transfer import MoveHadNoEffect as NoEffectOnCase
from services.events.transfer import TransferEvent, TransferOpened
from services.runtime.topics import Topics

COUNTED_FAMILIES = ("clues", "transfers", "notices")
MEMBERS = "members"
Place = tuple[str, int]
Headers = list[tuple[str, bytes]]
_READ = frozenset(
    cls.TYPE
    for cls in (ClueResultReturned, MoveHadNoEffect, ReporterReferral, *get_args(TransferEvent), *get_args(NoticeEvent))
)
_RECEIPTS = (Delivered.TYPE, Committed.TYPE, Rejected.TYPE, NotCommitted.TYPE)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a topic, as any Kafka client gives it."""

    topic: str
    partition: int
    offset: int
    headers: Headers
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that admission refused: who proposed it, and why."""

    event: str
    source: str
    code: str
    field: str | None
    message_en: str | None
    message_zh: str | None


@dataclass(frozen=True, slots=True)
class Declined:
    """A city's own system refused an event."""

    event: str
    recipient: str
    code: str
    reason: str


@dataclass(slots=True)
class Run:
    """A contiguous numbering: which numbers were seen, how often."""

    seen: Counter[int] = field(default_factory=Counter)

    @property
    def gaps(self) -> int:
        """Numbers below the highest that are missing."""
        return max(self.seen, default=-1) + 1 - len(self.seen)

    @property
    def repeats(self) -> int:
        """Numbers that stand more than once."""
        return sum(self.seen.values()) - len(self.seen)


@cache
def released() -> ReleasedSchemas:
    """The released schemas, read once."""
    return load_released()


@dataclass(slots=True)
class Tally:
    """Takes records in the order of each partition; counts those at or past ``marks`` as of this run.

    The numberings are checked over everything that is taken, whatever run it is of.
    """

    topics: Topics
    marks: Mapping[Place, int] = field(default_factory=dict)
    published: dict[str, Statement] = field(default_factory=dict)
    """Proposals of the counted families by event id, each subject in the order in which it was said."""
    reports: dict[str, list[Statement]] = field(default_factory=dict)
    """Proposed reports by the clue they are of, proposed openings by the case."""
    subjects: dict[str, str] = field(default_factory=dict)
    """The clue or case by the number that its city gave it: ``CL-<division>-<number>``."""
    entries: dict[str, Entry] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    delivered: set[tuple[str, str]] = field(default_factory=set)
    committed: set[tuple[str, str]] = field(default_factory=set)
    not_committed: set[tuple[str, str]] = field(default_factory=set)
    declined: dict[tuple[str, str], Declined] = field(default_factory=dict)
    results: dict[str, tuple[str, ClueResultReturned]] = field(default_factory=dict)
    """Id of a derived event to the clue it is of, and what it says; so the next two."""
    without_effect: dict[str, tuple[str, MoveHadNoEffect]] = field(default_factory=dict)
    referrals: dict[str, tuple[str, ReporterReferral]] = field(default_factory=dict)
    cases: list[tuple[Entry, TransferEvent]] = field(default_factory=list)
    """Entries of the transfers log, each partition in its order; the next two likewise."""
    notices: list[tuple[Entry, NoticeEvent]] = field(default_factory=list)
    members: list[Envelope] = field(default_factory=list)
    without_effect_on: dict[str, list[tuple[Entry, NoEffectOnCase]]] = field(default_factory=dict)
    """What was answered to a move on a case that had no effect, by the move's event."""
    logs: dict[str, Run] = field(default_factory=dict)
    inboxes: dict[tuple[str, str], Run] = field(default_factory=dict)
    promised: set[tuple[str, str, int]] = field(default_factory=set)
    held: set[tuple[str, str, int]] = field(default_factory=set)
    records: int = 0
    _proposals: frozenset[str] = field(init=False)
    _counted: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._proposals = frozenset(self.topics.proposals(family) for family in COUNTED_FAMILIES)
        self._counted = frozenset(self.topics.log(family) for family in COUNTED_FAMILIES)

    def take(self, record: Record) -> None:
        """One more record; raises ``Refused`` for one that is not in the exchange's form, which is a defect to see."""
        _, envelope = envelope_from_record(record.headers, record.value)
        is_new = record.offset >= self.marks.get((record.topic, record.partition), 0)
        self.records += 1
        owner = self.topics.inbox_owner(record.topic)
        if owner is not None:
            self._take_copy(owner, envelope, is_new)
        elif envelope.entry is not None:
            self._take_entry(record, envelope, is_new)
        elif is_new and record.topic in self._proposals:
            self._take_proposal(envelope.statement)

    def _take_proposal(self, statement: Statement) -> None:
        if statement.id not in self.published and statement.type in (ClueReported.TYPE, TransferOpened.TYPE):
            self.reports.setdefault(statement.subject, []).append(statement)
            self.subjects[statement.subject.split("-", 2)[-1]] = statement.subject
        self.published.setdefault(statement.id, statement)

    def _take_entry(self, record: Record, envelope: Envelope, is_new: bool) -> None:
        entry = parse_entry((envelope.entry or "").encode())
        self.logs.setdefault(entry.log, Run()).seen[entry.seq] += 1
        self.promised.update((d.recipient, entry.log, d.number) for d in entry.deliveries)
        if record.topic == self.topics.log(MEMBERS):
            self.members.append(envelope)
        if not is_new:
            return
        if record.topic in self._counted:
            self.entries[entry.statement.id] = entry
            self._take_derived(entry, envelope)
        elif entry.statement.type in _RECEIPTS:
            self._take_receipt(envelope)

    def _take_copy(self, owner: str, envelope: Envelope, is_new: bool) -> None:
        """A delivered event, or what admission says became of the owner's proposals. Each has its own numbering."""
        line = envelope.delivery or envelope.outcome or ""
        recipient, _, rest = line.partition(" ")
        place, _, number = rest.rpartition(" ")
        if recipient != owner or not number.isdigit():
            self.inboxes.setdefault((owner, "not for it"), Run()).seen[0] += (
                2  # shown as a repeat: it is no copy of ours
            )
            return
        self.inboxes.setdefault((owner, place), Run()).seen[int(number)] += 1
        if envelope.delivery is not None:
            self.held.add((owner, place, int(number)))
        elif is_new:
            self._take_outcomes(owner, envelope)

    def _take_outcomes(self, owner: str, envelope: Envelope) -> None:
        said = _event(envelope)
        if not isinstance(said, OutcomesRecorded):
            return
        for item in said.outcomes:
            if item.outcome in ("refused", "conflict"):
                self.refusals[item.event] = Refusal(
                    item.event, owner, item.code or item.outcome, item.field, item.message_en, item.message_zh
                )

    def _take_receipt(self, envelope: Envelope) -> None:
        said = _event(envelope)
        match said:
            case Delivered():
                self.delivered.add((said.event, said.recipient))
            case Committed():
                self.committed.add((said.event, said.recipient))
            case Rejected():
                found = Declined(said.event, said.recipient, said.code, said.reason)
                self.declined[said.event, said.recipient] = found
            case NotCommitted():
                self.not_committed.add((said.event, said.recipient))

    def _take_derived(self, entry: Entry, envelope: Envelope) -> None:
        kind, subject, event_id = envelope.statement.type, envelope.statement.subject, envelope.statement.id
        if kind not in _READ:
            return
        said = _event(envelope)
        match said:
            case NoEffectOnCase():
                self.without_effect_on.setdefault(said.attempted_event, []).append((entry, said))
                self.cases.append((entry, said))
            case said if isinstance(said, TransferEvent):
                self.cases.append((entry, said))
            case said if isinstance(said, NoticeEvent):
                self.notices.append((entry, said))
            case ClueResultReturned():
                self.results[event_id] = (subject, said)
            case MoveHadNoEffect():
                self.without_effect[event_id] = (subject, said)
            case ReporterReferral():
                self.referrals[event_id] = (subject, said)

    @property
    def gaps(self) -> int:
        """Numbers missing in logs and inboxes, and copies that an entry promises and no inbox holds."""
        runs = [*self.logs.values(), *self.inboxes.values()]
        in_runs = sum(run.gaps for run in runs)
        return in_runs + len(self.promised - self.held)

    @property
    def repeats(self) -> int:
        """Numbers that stand twice in logs and inboxes, and copies that no entry promises."""
        runs = [*self.logs.values(), *self.inboxes.values()]
        return sum(run.repeats for run in runs) + len(self.held - self.promised)

    def undecided(self) -> set[str]:
        """Published events that are neither in the log nor refused."""
        return set(self.published) - set(self.entries) - set(self.refusals)

    def undelivered(self, hosted: frozenset[str]) -> set[tuple[str, str]]:
        """Copies for participants whose node takes part that no receipt of that node tells the end of."""
        wanted = {(e.statement.id, d.recipient) for e in self.entries.values() for d in e.deliveries}
        return {pair for pair in wanted if pair[1] in hosted} - self.committed - set(self.declined)

    def summary(self, seconds: float) -> dict[str, int | float]:
        """The one object of ``ipx demo --json``: what was published in this run, and what became of that and of nothing else."""
        own = frozenset(self.entries) & frozenset(self.published)
        return {
            "published": len(self.published),
            "admitted": len(own),
            "refused": len(set(self.refusals) & set(self.published)),
            "delivered": sum(1 for event, _ in self.delivered if event in own),
            "committed": sum(1 for event, _ in self.committed if event in own),
            "rejected_by_city": sum(1 for event, _ in self.declined if event in own),
            "returned_results": len(own & frozenset(self.results)),
            "gaps": self.gaps,
            "repeats": self.repeats,
            "seconds": round(seconds, 1),
        }


def _event(envelope: Envelope) -> object:
    schema = released().with_digest(envelope.statement.schema)
    return from_value(envelope.statement.type, schema.decode(envelope.body))
