"""One batch on its way through the steps: checked, verified beside the next one, judged, numbered. Pure but for what verifies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import cast

from services.admission.check import Door, Schemas, check
from services.admission.judgement import Judge, Judged
from services.admission.proposal import Checked, Proposed, Refusal, partitions_of, refusal
from services.admission.sequence import Sequencing
from services.admission.verification import Verifiers
from services.events import from_value
from services.events.member import MemberEvent
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.members.reading import body_digest
from services.members.registry import Registry, apply

CHUNK = 250
MEMBERS = "members"
STALE = frozenset(
    {
        *("unknown-key", "key-expired", "key-not-yet-valid", "not-founded", "not-a-member", "member-suspended"),
        *("agreement-unknown", "agreement-not-in-force", "flow-not-agreed", "addressee-not-agreed"),
        *("addressee-not-a-member", "no-competent-organ"),
    }
)
"""Refusals that a newer members log may take back: before one is given, the log is read to its end."""

Verdict = Judged | Refusal
HasInbox = Callable[[str, Registry], bool]


@dataclass(frozen=True, slots=True)
class Share:
    """The records of one ``.in`` partition in a batch, checked or refused, in their order; some are being verified."""

    topic: str
    partition: int
    items: list[Checked | Refusal]
    being_verified: list[Future[list[Refused | None]]]
    next_offset: int

    def answers(self) -> list[Refused | None]:
        """For each checked item in order, why it does not count as its source's. Blocks until all are verified."""
        return [answer for future in self.being_verified for answer in future.result()]


@dataclass(frozen=True, slots=True)
class Stages:
    """The steps with what they need; ``doors`` by ``.in`` topic."""

    doors: dict[str, Door]
    schemas: Schemas
    judge: Judge
    verifiers: Verifiers

    def begin(self, records: Iterable[Proposed], registry: Registry) -> list[Share]:
        """Steps 1 to 3 here, 4 and 5 begun at the verifiers. ``Transient`` while a schema id cannot be asked for.

        The members' own proposals are verified when they are decided, one after the other: each may change who may say the next.
        """
        grouped = partitions_of(records)
        return [self._begin(topic, partition, share, registry) for (topic, partition), share in grouped.items()]

    def judged(self, share: Share, registry: Registry, now_ms: int) -> list[Verdict]:
        """Steps 6 and 7 for a share that was begun with this registry."""
        return self._verdicts(share.items, share.answers(), registry, now_ms)

    def judged_again(self, share: Share, registry: Registry, now_ms: int) -> list[Verdict]:
        """Steps 4 to 7 anew, by another registry."""
        checked = [item for item in share.items if isinstance(item, Checked)]
        return self._verdicts(share.items, self.verifiers.verify_all(checked, registry), registry, now_ms)

    def number(
        self, verdicts: Iterable[Verdict], sequencing: Sequencing, registry: Registry, now_ms: int, has_inbox: HasInbox
    ) -> None:
        """Steps 8 and 9."""
        admitted = format_instant(now_ms)
        for verdict in verdicts:
            _place(verdict, sequencing, registry, admitted, now_ms, has_inbox)

    def decide_members(
        self, share: Share, sequencing: Sequencing, registry: Registry, now_ms: int, has_inbox: HasInbox
    ) -> Registry:
        """Steps 4 to 9 one event after the other, each by the members log with all before it; the registry after them."""
        admitted = format_instant(now_ms)
        for item in share.items:
            checked = [item] if isinstance(item, Checked) else []
            answers = self.verifiers.verify_all(checked, registry)
            (verdict,) = self._verdicts([item], answers, registry, now_ms)
            if _place(verdict, sequencing, registry, admitted, now_ms, has_inbox) and isinstance(item, Checked):
                registry = _grown(registry, item)
        return registry

    def _begin(self, topic: str, partition: int, records: list[Proposed], registry: Registry) -> Share:
        door = self.doors[topic]
        items: list[Checked | Refusal] = []
        chunk: list[Checked] = []
        being_verified = []
        for record in records:
            try:
                checked = check(record, door, self.schemas)
            except Refused as refused:
                items.append(
                    refusal(record, refused, 3, self.judge.words_zh(refused.code, refused.field, refused.about))
                )
                continue
            items.append(checked)
            chunk.append(checked)
            if len(chunk) == CHUNK and door.family != MEMBERS:
                being_verified.append(self.verifiers.begin(chunk, registry))
                chunk = []
        if chunk and door.family != MEMBERS:
            being_verified.append(self.verifiers.begin(chunk, registry))
        return Share(topic, partition, items, being_verified, records[-1].offset + 1)

    def _verdicts(
        self, items: Iterable[Checked | Refusal], answers: list[Refused | None], registry: Registry, now_ms: int
    ) -> list[Verdict]:
        verdicts: list[Verdict] = []
        answer = iter(answers)
        for item in items:
            if isinstance(item, Refusal):
                verdicts.append(item)
            elif (refused := next(answer)) is not None:
                verdicts.append(self.judge.refuse(item, refused, 5))
            else:
                verdicts.append(self.judge.judge(item, registry, now_ms))
        return verdicts


def may_be_stale(verdicts: Iterable[Verdict]) -> bool:
    """Whether one of them is a refusal that a newer members log may take back."""
    return any(isinstance(verdict, Refusal) and verdict.code in STALE for verdict in verdicts)


def _place(
    verdict: Verdict, sequencing: Sequencing, registry: Registry, admitted: str, now_ms: int, has_inbox: HasInbox
) -> bool:
    """Whether the event was admitted."""
    if isinstance(verdict, Refusal):
        sequencing.turn_away(verdict, has_inbox=has_inbox(verdict.source, registry))
        return False
    return sequencing.take(verdict, admitted, now_ms, registry.size) is not None


def _grown(registry: Registry, checked: Checked) -> Registry:
    event = cast("MemberEvent", from_value(checked.schema.name, checked.value))
    return apply(registry, event, source=checked.statement.source, body_digest=body_digest(checked.body))
