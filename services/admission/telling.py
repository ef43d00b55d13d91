"""What admission tells its operators: metrics, checks of ``/readyz``, log lines with event id and trace id, never a field value."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from services.admission.partition import Partition, Progress
from services.admission.proposal import Proposed, Refusal
from services.runtime import metrics as m
from services.runtime.health import Checks
from services.runtime.logging import Logger, words_of
from services.runtime.metrics import Metrics

CHECKS = ("key", "kafka", "members", "partitions", "registry")
_KEY_STEPS = (4, 5)


@dataclass(frozen=True, slots=True)
class Telling:
    """Holds the process's metrics, checks and logger."""

    metrics: Metrics
    checks: Checks
    log: Logger

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measures a stage of a batch."""
        started = time.perf_counter()
        yield
        self.metrics.observe(m.ADMISSION_STEP, time.perf_counter() - started, step=name)

    def partitions(self, own: int, waiting: int, held_by: Sequence[str] = ()) -> None:
        """How many partitions this process has, how many of them are still catching up, and what open transactions they wait for."""
        if waiting:
            held = f"; a transaction is open on {', '.join(held_by)}" if held_by else ""
            self.checks.failed("partitions", f"{waiting} of {own} log partitions are being caught up with{held}")
        else:
            self.checks.passed("partitions")

    def caught_up(self, partition: Partition) -> None:
        """A partition is ready."""
        self.metrics.add(m.ADMISSION_CAUGHT_UP, partition.caught_up_entries, family=partition.door.family)
        self.log.info(
            "partition ready",
            log=partition.log,
            seq=partition.numbers.next_seq,
            entries=partition.caught_up_entries,
            position=partition.position,
        )

    def kafka(self, *, is_away: bool) -> None:
        """Whether a broker answers."""
        if is_away:
            self.checks.failed("kafka", "no broker answers")
        else:
            self.checks.passed("kafka")

    def committed(self, progress: Iterable[tuple[Partition, Progress]], seconds: float) -> None:
        """A transaction is in the log."""
        total = 0
        for partition, brought in progress:
            done = brought.sequencing
            total += brought.count
            self.metrics.add(m.ADMISSION_RECEIVED, brought.count, family=partition.door.family)
            self.metrics.add(m.ADMISSION_ADMITTED, len(done.admitted), family=partition.door.family)
            self.metrics.add(m.ADMISSION_QUARANTINED, len(done.kept))
            self.metrics.add(m.ADMISSION_DUPLICATE, sum(a.item["outcome"] == "duplicate" for a in done.answers))
            self.metrics.add(m.ADMISSION_CONFLICT, sum(a.item["outcome"] == "conflict" for a in done.answers))
            self._refused(done.refused)
            for kept in done.kept:
                self._kept(kept.proposed, kept.code)
        self.metrics.observe(m.ADMISSION_BATCH, total)
        self.metrics.observe(m.ADMISSION_TRANSACTION, seconds)

    def away(self, error: Exception, wait_s: float) -> None:
        """A session has ended; another is begun after a while."""
        self.metrics.add(m.ADMISSION_RETRIES)
        self.log.warning("starting over", wait_s=round(wait_s, 1), **words_of(error))

    def _refused(self, refusals: Iterable[Refusal]) -> None:
        for refusal in refusals:
            self.metrics.add(m.ADMISSION_REFUSED, code=refusal.code)
            if refusal.step in _KEY_STEPS:
                self.metrics.add(m.ADMISSION_FAILED_SIGNATURES, participant=refusal.source)
            origin = refusal.proposed
            self.log.info(
                "refused",
                event_id=refusal.event,
                trace_id=origin.said("traceparent")[3:35] or None,
                source=refusal.source,
                code=refusal.code,
                field=refusal.field,
                topic=origin.topic,
                partition=origin.partition,
                offset=origin.offset,
            )

    def _kept(self, origin: Proposed, code: str) -> None:
        self.log.warning("quarantined", code=code, topic=origin.topic, partition=origin.partition, offset=origin.offset)
