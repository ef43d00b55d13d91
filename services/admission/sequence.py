"""Steps 8 and 9 of admission: has it been said before, and which numbers does it get. Pure.

(8) same id and same statement: answered with the first outcome; same id, another statement: ``conflict`` · (9) seq in the log
partition, delivery number for each recipient, entry, leaf of the tree.

An event that is in the log keeps its outcome whatever became of agreements and tables since, so (8) is asked before a refusal of
(6) or (7) counts. Refused events are not remembered: sent again, they are judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from services.admission.judgement import Judged
from services.admission.proposal import Checked, Proposed, Refusal, refusal
from services.codec.entry import Delivery, format_entry
from services.codec.merkle import RightEdge, leaf_hash
from services.kernel.errors import Refused
from services.members.recipients import Recipient
from services.runtime.faults import reach

Item = dict[str, Any]
"""A plain ``OutcomeItem`` (schemas/events/receipt/OutcomesRecorded.avsc)."""
_TEXT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where a log partition stands: the next seq, the next number for each recipient, the tree, the last admission time."""

    next_seq: int = 0
    deliveries: Mapping[str, int] = field(default_factory=dict)
    edge: RightEdge = field(default_factory=RightEdge)
    admitted_ms: int = 0


class Seen(NamedTuple):
    """A statement that is in the log."""

    digest: bytes
    seq: int


class Admitted(NamedTuple):
    """An event with its numbers, and the entry that says them."""

    checked: Checked
    seq: int
    deliveries: tuple[Delivery, ...]
    entry: bytes
    leaf: bytes


class Answer(NamedTuple):
    """The outcome of one event, for its source."""

    source: str
    item: Item


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """A refused record that is kept whole: it could not be read, or its source has no inbox to be told in."""

    proposed: Proposed
    code: str
    reason: str


class Sequencing:
    """Gives numbers to the events of one log partition, one after the other; the partition changes only when they are committed."""

    def __init__(self, log: str, numbers: Numbers, seen: Mapping[str, Seen]) -> None:
        """``seen`` answers for every id of the batch that is in the log already."""
        self.log = log
        self.admitted: list[Admitted] = []
        self.answers: list[Answer] = []
        self.kept: list[Unanswerable] = []
        self.refused: list[Refusal] = []
        self._seen = dict(seen)
        self._next_seq = numbers.next_seq
        self._deliveries = dict(numbers.deliveries)
        self._edge = numbers.edge
        self._admitted_ms = numbers.admitted_ms

    def numbers(self) -> Numbers:
        """Where the partition will stand."""
        edge = self._edge.extend(event.leaf for event in self.admitted)
        return Numbers(self._next_seq, self._deliveries, edge, self._admitted_ms)

    def seen(self, ids: Iterable[str]) -> dict[str, Seen]:
        """Those of the ids that are in the log, or will be when this is committed, as far as they are known here."""
        known = self._seen
        return {event: known[event] for event in ids if event in known}

    def take(self, judged: Judged, admitted: str, admitted_ms: int, members: int) -> Admitted | None:
        """Admits an event, or answers that it was said before; the event when it is admitted."""
        # (8) duplicate or conflict
        reach("admission.step8")
        checked = judged.checked
        statement = checked.statement
        seen = self._seen.get(statement.id)
        if seen is not None:
            self._said_before(checked, seen)
            return None
        # (9) numbers
        reach("admission.step9")
        seq = self._next_seq
        deliveries = tuple([self._next_for(recipient) for recipient in judged.recipients])
        try:
            entry = format_entry(checked.text, checked.signature, admitted, self.log, seq, members, deliveries)
        except Refused as refused:  # more recipients than an entry can hold
            too_large = Refused("too-large", f"the entry cannot be written: {refused.message}", field="addressee")
            self.turn_away(refusal(checked, too_large, 9), has_inbox=True)
            return None
        leaf = leaf_hash(entry)
        self._next_seq = seq + 1
        self._deliveries.update((delivery.recipient, delivery.number + 1) for delivery in deliveries)
        self._admitted_ms = max(self._admitted_ms, admitted_ms)
        self._seen[statement.id] = Seen(checked.digest, seq)
        event = Admitted(checked, seq, deliveries, entry, leaf)
        self.admitted.append(event)
        item = _item(statement.id, "admitted", checked.digest, self.log, seq)
        if judged.warning_en is not None:
            item["message_zh"], item["message_en"] = judged.warning_zh, judged.warning_en
        self.answers.append(Answer(statement.source, item))
        return event

    def turn_away(self, refused: Refusal, *, has_inbox: bool) -> None:
        """Answers a refusal, unless the very statement is in the log; keeps the record when nobody can be answered."""
        if refused.step in (6, 7) and refused.digest is not None:
            seen = self._seen.get(refused.event)
            if seen is not None and seen.digest == refused.digest:
                self.answers.append(Answer(refused.source, self._first_outcome(refused.event, seen)))
                return
        self.refused.append(refused)
        if has_inbox:
            self.answers.append(Answer(refused.source, _refused_item(refused)))
        if refused.is_unreadable or not has_inbox:
            self.kept.append(Unanswerable(refused.proposed, refused.code, refused.message_en))

    def _said_before(self, checked: Checked, seen: Seen) -> None:
        statement = checked.statement
        if seen.digest == checked.digest:
            self.answers.append(Answer(statement.source, self._first_outcome(statement.id, seen)))
            return
        error = Refused(
            "conflict", f"id {statement.id} is in {self.log} at seq {seen.seq} with another statement", field="id"
        )
        item = _item(statement.id, "conflict", checked.digest, self.log, seen.seq)
        item |= {"code": error.code, "field": error.field, "message_en": error.message}
        item["message_zh"] = f"该标识已用于另一声明（{self.log} 序号 {seen.seq}）"
        self.answers.append(Answer(statement.source, item))

    def _first_outcome(self, event: str, seen: Seen) -> Item:
        return _item(event, "duplicate", seen.digest, self.log, seen.seq)

    def _next_for(self, recipient: Recipient) -> Delivery:
        return Delivery(recipient.id, self._deliveries.get(recipient.id, 0), recipient.withheld)


def _item(event: str, outcome: str, digest: bytes | None, log: str | None, seq: int | None) -> Item:
    return {
        "event": event,
        "outcome": outcome,
        "statement": None if digest is None else f"sha256:{digest.hex()}",
        "log": log,
        "seq": seq,
        "code": None,
        "field": None,
        "message_zh": None,
        "message_en": None,
    }


def _refused_item(refused: Refusal) -> Item:
    item = _item(refused.event, "refused", refused.digest, None, None)
    return item | {
        "code": refused.code,
        "field": refused.field,
        "message_zh": None if refused.message_zh is None else refused.message_zh[:_TEXT_LIMIT],
        "message_en": refused.message_en[:_TEXT_LIMIT],
    }
