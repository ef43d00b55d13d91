"""The node's own computation of its cases: folded from its own copies by the rules of the release, and compared with what it was told.

Nothing of it comes from the exchange's answers: entries are signed by organs and admission, the members log is verified from the root
key, tables and clock rules came with the release. So a city notices when the exchange computes otherwise. Pure but for the members
log that it looks into; ``case_entries.py`` keeps the rows. Numbered steps of a fold:

1 Only a case that the node holds from its opening on: who came in later has not seen what the clocks run from. An opening of which the
  exchange told that it had no effect is a second one, of a case that this node has not seen begin.
2 Each entry by the registry of the size that admission used. An outcome does not say that size: it is how much of the members log had been
  admitted by then, and no less or more than the entries around it name. It is begun where the case was left last, while that still stands: a
  party may say things on one case for ever, and each look would fold them all.
3 Then the ticks that are due; what they tell has the ids that the exchange's notices must have.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import rfc8785

from connectors.node.case_entries import DIFFERS, SAME, UNKNOWN, CaseEntry, ClockNotice
from services.cases.clocks import ORDINALS
from services.cases.fold import Around, ClockChange, Said, due_of, ripe, step
from services.cases.laws import Laws
from services.cases.possibilities import parties
from services.cases.state import Case
from services.cases.told import as_told
from services.cases.view import verdict_document
from services.events.notice import ClockVerdict
from services.events.transfer import TransferOpened
from services.kernel.errors import Transient
from services.kernel.ids import derived_id
from services.kernel.instants import parse_instant
from services.members.history import History

ROOM: Final = "transfers"
_ALL: Final = 1 << 40
_GROUPS: Final = 2
"""Into how many events what is told of one change is parted at most: a case has no more parties than two lists of addressees."""
_MOST_KEPT: Final = 256
"""Of so many cases it is remembered how far they were folded."""
_Read = tuple[str, tuple[str, ...], int]
"""What may differ of an entry between two looks: its event, who has it for all that is known, and the size of the members log it is judged by."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A case as the node computes it, and all that changed of its clocks on the way."""

    case: Case
    changes: tuple[ClockChange, ...]


@dataclass(frozen=True, slots=True)
class _Folded:
    """How far a case was folded, and by what."""

    read: list[_Read]
    case: Case | None
    changes: tuple[ClockChange, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A notice, and how it stands to the node's own computation; ``own`` is the node's verdict where there is one."""

    notice: ClockNotice
    state: str
    own: ClockVerdict | None


@dataclass(slots=True)
class Casebook:
    """Folds and compares; may be used from any thread. ``Transient`` when the members log was not read as far as a case needs."""

    laws: Laws
    history: History
    _admitted: list[int] = field(default_factory=list, init=False, repr=False)
    _folded: dict[str, _Folded] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def case(self, entries: Sequence[CaseEntry], until_ms: int = -1) -> Computed | None:
        """The case after these entries, with the ticks up to that time; None when there is none, or its beginning is not here."""
        if not entries or entries[0].type != TransferOpened.TYPE:  # (1)
            return None
        folded = self._fold(entries)  # (2)
        case, changes = folded.case, [*folded.changes]
        assert case is not None
        if not case.exists or any(entry.voided for entry in entries if entry.event == case.opened_event):
            return None
        around = self.around(case)
        while (due := due_of(case)) is not None and due <= until_ms:  # (3)
            done = ripe(case, due, around)
            case = done.case
            changes += done.changes
        return Computed(case, tuple(changes))

    def around(self, case: Case) -> Around:
        """What a case is judged by now."""
        return self.laws.of_case(case, self._registry)

    def known(self, participant: str, entries: Sequence[CaseEntry]) -> dict[str, Any] | None:
        """What a mapping may name with ``@case.``: kind, agreement and event of the opening, and all parties but the participant."""
        computed = self.case(entries)
        if computed is None:
            return None
        case = computed.case
        opening = next(entry for entry in entries if entry.event == case.opened_event)
        return {
            "subject": case.subject,
            "kind": case.kind,
            "agreement": opening.agreement,
            "opened": case.opened_event,
            "others": [party for party in parties(case) if party != participant],
        }

    def verdicts(self, case: Case, now_ms: int) -> tuple[dict[str, Any], bytes]:
        """The verdict document of a case at a time, and its bytes: the same at every party and at an auditor."""
        document = verdict_document(case, self.around(case), now_ms)
        return document, rfc8785.dumps(document)

    def compare(self, entries: Sequence[CaseEntry], notices: Sequence[ClockNotice]) -> tuple[Comparison, ...]:
        """How each notice stands to what the node computes from these entries."""
        computed = self.case(entries, max((notice.time_ms for notice in notices), default=-1))
        if computed is None:
            return tuple(Comparison(notice, UNKNOWN, None) for notice in notices)
        own = {
            derived_id(ROOM, computed.case.subject, change.cause, change.ordinal + ORDINALS * group): change
            for change in computed.changes
            for group in range(_GROUPS)
        }
        return tuple(_compared(notice, own.get(notice.event)) for notice in notices)

    def _fold(self, entries: Sequence[CaseEntry]) -> _Folded:
        sizes, subject = self._sizes(entries), entries[0].subject
        read = [(entry.event, entry.recipients, size) for entry, size in zip(entries, sizes, strict=True)]
        with self._lock:
            before = self._folded.get(subject)
        if before is None or before.read != read[: len(before.read)]:
            before = _Folded([], None, ())
        case, changes = before.case, [*before.changes]
        for entry, size in zip(entries[len(before.read) :], sizes[len(before.read) :], strict=True):
            done = step(case, _said(entry, size), self.laws.at_entry(case, size, self._registry))
            case = done.case
            changes += done.changes
        folded = _Folded(read, case, tuple(changes))
        with self._lock:
            self._folded.pop(subject, None)
            self._folded[subject] = folded
            if len(self._folded) > _MOST_KEPT:
                del self._folded[next(iter(self._folded))]
        return folded

    def _registry(self, size: int) -> Any:
        if size > self.history.size:
            raise Transient(f"the members log has been read up to {self.history.size}, {size} is needed")
        return self.history.at(size)

    def _sizes(self, entries: Sequence[CaseEntry]) -> list[int]:
        most, named = self.history.size, []
        for entry in reversed(entries):
            most = most if entry.members is None else entry.members
            named.append(most)
        sizes, least = [], 0
        for entry, most in zip(entries, reversed(named), strict=True):
            size = most if entry.members is not None else min(most, self._size_at(entry.admitted_ms or 0))
            least = max(least, size)
            sizes.append(least)
        return sizes

    def _size_at(self, at_ms: int) -> int:
        with self._lock:
            fresh = self.history.since(len(self._admitted), _ALL)
            self._admitted += [parse_instant(record.entry.admitted) for record in fresh]
            return bisect_right(self._admitted, at_ms)


def _said(entry: CaseEntry, members: int) -> Said:
    assert entry.seq is not None
    assert entry.admitted_ms is not None
    return Said(
        event=entry.event,
        source=entry.source,
        addressees=entry.addressees,
        recipients=entry.recipients,
        seq=entry.seq,
        time_ms=entry.time_ms,
        admitted_ms=entry.admitted_ms,
        members=members,
        subject=entry.subject,
        body=entry.body,
    )


def _compared(notice: ClockNotice, change: ClockChange | None) -> Comparison:
    if change is None:
        return Comparison(notice, DIFFERS, None)
    own = as_told(change.verdict)
    is_same = (notice.clock, notice.actors, notice.time_ms, notice.verdict) == (
        change.clock.key,
        change.actors,
        change.time_ms,
        own,
    )
    return Comparison(notice, SAME if is_same else DIFFERS, own)
