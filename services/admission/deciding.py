"""From checked shares to what one transaction will bring: the registry they are judged by, the numbers they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.admission.batch import MEMBERS, Share, Stages, Verdict, may_be_stale
from services.admission.partition import Partition, Place, Progress
from services.admission.proposal import Checked
from services.admission.sequence import Sequencing
from services.kernel.errors import Corrupt, Transient
from services.kernel.ports import Clock
from services.members.follower import MembersFollower
from services.members.registry import Registry

_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Brought:
    """What a transaction will bring to one partition, and by which members."""

    partition: Partition
    progress: Progress
    registry: Registry


@dataclass(frozen=True, slots=True)
class Deciding:
    """Steps 4 to 9 of a batch. ``operator`` founds the exchange: it has an inbox before it is a member."""

    stages: Stages
    follower: MembersFollower
    clock: Clock
    operator: str

    def has_members(self, shares: Sequence[Share]) -> bool:
        """Whether there are members' proposals among them."""
        return any(self.stages.doors[share.topic].family == MEMBERS for share in shares)

    def decide(
        self, shares: Sequence[Share], registry: Registry, partitions: Mapping[Place, Partition]
    ) -> list[Brought]:
        """Numbers for everything that is admitted; nothing is written and no partition changed.

        ``registry`` is the one that the shares were begun with. Before something is refused that a newer members log may allow, the log is
        read to its end. Members' proposals may be decided only when nothing is in flight. May block; ``Transient`` when the members log cannot be read, ``Corrupt`` when it contradicts the index.
        """
        now_ms = self.clock.now_ms()
        own = [share for share in shares if self.stages.doors[share.topic].family == MEMBERS]
        others = [share for share in shares if share not in own]
        judged, registry = self._judged(others, registry, now_ms)
        brought = []
        for share, verdicts in zip(others, judged, strict=True):
            partition = partitions[share.topic, share.partition]
            sequencing = partition.sequencing(_ids(share))
            at_ms = max(now_ms, partition.next_numbers().admitted_ms)
            self.stages.number(verdicts, sequencing, registry, at_ms, self._has_inbox)
            brought.append(_brought(partition, share, sequencing, registry))
        brought += [self._members(partitions[share.topic, share.partition], share, now_ms) for share in own]
        return brought

    def _judged(self, shares: Sequence[Share], registry: Registry, now_ms: int) -> tuple[list[list[Verdict]], Registry]:
        judged = [self.stages.judged(share, registry, now_ms) for share in shares]
        if not any(may_be_stale(verdicts) for verdicts in judged):
            return judged, registry
        newer = self.follower.wait_current(_WAIT_S).latest
        if newer.size == registry.size:
            return judged, registry
        return [self.stages.judged_again(share, newer, now_ms) for share in shares], newer

    def _members(self, partition: Partition, share: Share, now_ms: int) -> Brought:
        size = partition.numbers.next_seq
        history = self.follower.require()
        if not history.wait_for(size, _WAIT_S):
            raise Transient(f"{partition.log} has been read up to {history.size}, {size} are needed")
        if history.size > size:
            raise Corrupt(f"{partition.log} has {history.size} entries, the index has {size}")
        sequencing = partition.sequencing(_ids(share))
        at_ms = max(now_ms, partition.numbers.admitted_ms)
        registry = self.stages.decide_members(share, sequencing, history.latest, at_ms, self._has_inbox)
        return _brought(partition, share, sequencing, registry)

    def _has_inbox(self, source: str, registry: Registry) -> bool:
        return source in registry.participants or source == self.operator


def _ids(share: Share) -> list[str]:
    return [item.statement.id for item in share.items if isinstance(item, Checked)]


def _brought(partition: Partition, share: Share, sequencing: Sequencing, registry: Registry) -> Brought:
    return Brought(
        partition, Progress(sequencing, sequencing.numbers(), {}, share.next_offset, len(share.items)), registry
    )
