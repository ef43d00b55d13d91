"""The loop: read, check, verify, decide, write, one batch after the other, each stage beside those of its neighbours.

While one batch is read and checked, the one before it is being verified, and the transaction of the one before that is being committed. A
batch is decided on what is in flight, as if it were committed, and written when it is: when it is not, the session ends, and with it all
that was decided on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import TopicPartition

from services.admission.batch import Share
from services.admission.catchup import LogReader
from services.admission.deciding import Brought, Deciding
from services.admission.group import Group
from services.admission.inbox_tail import InboxTail
from services.admission.inboxes import Inboxes
from services.admission.outcomes import OutcomeWriter, by_source
from services.admission.partition import Partition, Place
from services.admission.proposal import Proposed
from services.admission.publish import HUNG_S, Transactions
from services.admission.records import Outgoing, quarantined, written
from services.admission.telling import Telling
from services.kernel.errors import Corrupt
from services.kernel.instants import format_instant
from services.members.registry import Registry
from services.runtime.background import begin, wait
from services.runtime.faults import reach
from services.runtime.topics import Topics

_IDLE_S = 0.2
_CATCHING_UP_S = 0.02
_CATCH_UP_S = 0.5


@dataclass(frozen=True, slots=True)
class Tools:
    """What a session works with; made by ``run.py``, closed by it."""

    topics: Topics
    deciding: Deciding
    transactions: Transactions
    reader: LogReader
    tail: InboxTail
    inboxes: Inboxes
    outcomes: OutcomeWriter
    telling: Telling
    open_partition: Callable[[Place], Partition]
    batch_events: int
    gather_s: float


@dataclass(frozen=True, slots=True)
class InFlight:
    """A batch whose transaction is being committed."""

    brought: list[Brought]
    committed: Future[None]
    begun_s: float


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch that was checked, and whose signatures are being verified, by the members of then."""

    shares: list[Share]
    registry: Registry


class Session:
    """One membership in the group, from joining to the first error that asks for a new one."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._partitions: dict[Place, Partition] = {}
        self._begun: Begun | None = None
        self._in_flight: InFlight | None = None

    def run(self, group: Group, is_stopping: Callable[[], bool]) -> None:
        """Works until it is to stop; ``Transient`` when a new session may help, ``Corrupt``. Nothing is left half done.

        What was read and not committed is read again by the next session.
        """
        try:
            while not is_stopping():
                self._turn(group)
            self._settle()
        finally:
            self._drop(list(self._partitions))

    def gained(self, places: list[Place]) -> None:
        """These partitions are this process's now; they are read when their index has caught up."""
        for place in places:
            self._partitions[place] = self._tools.open_partition(place)
        self._tell_partitions()

    def lost(self, places: list[Place]) -> None:
        """These are not any more. What is in flight is waited for: it is written down here, or read from the log by the next owner."""
        try:
            self._settle()
        finally:
            if self._begun is not None:
                kept = [share for share in self._begun.shares if (share.topic, share.partition) not in places]
                self._begun = Begun(kept, self._begun.registry) if kept else None
            self._drop(places)

    def _drop(self, places: list[Place]) -> None:
        for place in places:
            partition = self._partitions.pop(place, None)
            if partition is not None:
                partition.close()

    def _turn(self, group: Group) -> None:
        is_catching_up = self._catch_up(group)
        read = self._read(group, is_catching_up=is_catching_up)
        begun, self._begun = self._begun, read
        if begun is not None:
            self._finish(group, begun)
        else:
            self._settle()

    def _read(self, group: Group, *, is_catching_up: bool) -> Begun | None:
        """The next batch, begun; waits for one only when there is nothing else to do."""
        tools = self._tools
        is_busy = self._in_flight is not None or self._begun is not None
        first_s = 0.0 if is_busy else _CATCHING_UP_S if is_catching_up else _IDLE_S
        records = group.read(tools.batch_events, first_s, tools.gather_s)
        tools.telling.kafka(is_away=group.is_away)
        registry = tools.deciding.follower.require().latest
        ready = [record for record in records if self._is_ready(record)]
        if not ready:
            return None
        with tools.telling.step("check"):
            return Begun(tools.deciding.stages.begin(ready, registry), registry)

    def _finish(self, group: Group, begun: Begun) -> None:
        """Decides a batch beside the commit of the one before it, then writes it."""
        tools = self._tools
        if tools.deciding.has_members(begun.shares):
            self._settle()  # what is in flight may change who may say what
        with tools.telling.step("decide"):
            brought = tools.deciding.decide(begun.shares, begun.registry, self._partitions)
        self._settle()
        with tools.telling.step("write"):
            self._write(group, brought)

    def _is_ready(self, record: Proposed) -> bool:
        """Not so for what was read just before its partition was taken away."""
        partition = self._partitions.get((record.topic, record.partition))
        return partition is not None and partition.is_ready

    def _catch_up(self, group: Group) -> bool:
        """Goes on catching up for half a second at most; whether there is more to do. A partition that is held does not hold up the others."""
        until_s = time.monotonic() + _CATCH_UP_S
        waiting = [(place, partition) for place, partition in self._partitions.items() if not partition.is_ready]
        for place, partition in waiting:
            while not partition.catch_up(self._tools.reader, group.committed):
                if partition.held_by is not None or time.monotonic() > until_s:
                    break
            if partition.is_ready:
                group.resume(place)
                self._tools.telling.caught_up(partition)
            if time.monotonic() > until_s:
                break
        if waiting:
            self._tell_partitions()
        return any(not partition.is_ready for _, partition in waiting)

    def _tell_partitions(self) -> None:
        waiting = [partition for partition in self._partitions.values() if not partition.is_ready]
        held = sorted(partition.held_by for partition in waiting if partition.held_by is not None)
        self._tools.telling.partitions(len(self._partitions), len(waiting), held)

    def _write(self, group: Group, brought: list[Brought]) -> None:
        """Step 10: one transaction, whose commit goes on beside the next batch."""
        tools = self._tools
        tools.inboxes.ensure(_inboxes_of(brought))
        outcomes = list(self._outcomes(brought))
        begun_s = time.perf_counter()
        tools.transactions.begin()
        tools.transactions.write(_admitted(brought, tools.topics))
        reach("admission.step10.log")
        tools.transactions.write(outcomes)
        tools.transactions.write(
            quarantined(kept, tools.topics) for one in brought for kept in one.progress.sequencing.kept
        )
        reach("admission.step10.outcomes")
        offsets = [
            TopicPartition(one.partition.where().topic, one.partition.number, one.progress.in_offset) for one in brought
        ]
        committed = begin(tools.transactions.commit, offsets, group.metadata())
        self._in_flight = InFlight(brought, committed, begun_s)
        for one in brought:
            one.partition.in_flight = one.progress

    def _outcomes(self, brought: list[Brought]) -> Iterator[Outgoing]:
        """What was decided, at the time at which the entries of that partition were admitted: a source knows by it when its own were."""
        tools = self._tools
        for one in brought:
            admitted = format_instant(one.progress.numbers.admitted_ms or tools.deciding.clock.now_ms())
            for source, items in by_source(one.progress.sequencing.answers).items():
                numbers = one.partition.source_numbers(source, tools.tail)
                records, after = tools.outcomes.write(one.partition.place, source, items, numbers, admitted)
                one.progress.sources[source] = after
                for record in records:
                    yield Outgoing(tools.topics.inbox(source), 0, record.key, record.value, record.headers)

    def _settle(self) -> None:
        """Waits for the commit that is in flight, then writes the indexes; raises what the commit raised."""
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is None:
            return
        wait(in_flight.committed, HUNG_S)
        seconds = time.perf_counter() - in_flight.begun_s
        for one in in_flight.brought:
            if one.partition in self._partitions.values():
                if one.progress.sequencing.admitted and one.progress.log_offset < 0:
                    raise Corrupt(f"{one.partition.log}: committed without a delivery report")
                one.partition.accept(one.progress)
        reach("admission.step10.indexed")
        self._tools.telling.committed(((one.partition, one.progress) for one in in_flight.brought), seconds)


def _inboxes_of(brought: list[Brought]) -> set[str]:
    """Everybody that the transaction writes to, and every participant that it registers."""
    wanted: set[str] = set()
    for one in brought:
        wanted.update(answer.source for answer in one.progress.sequencing.answers)
        wanted.update(d.recipient for event in one.progress.sequencing.admitted for d in event.deliveries)
        if one.partition.door.family == "members":
            wanted.update(one.registry.participants)
    return wanted


def _admitted(brought: list[Brought], topics: Topics) -> Iterator[Outgoing]:
    for one in brought:
        admitted, partition = one.progress.sequencing.admitted, one.partition
        last = len(admitted) - 1
        for position, event in enumerate(admitted):
            told = one.progress.told if position == last else None
            yield from written(event, partition.log_topic, partition.log, topics, told)
            reach("admission.step10.inboxes")
