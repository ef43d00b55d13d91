"""What the ledger tells its operators: metrics, checks of ``/readyz``, log lines with origin and size, never content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.runtime import metrics as m
from services.runtime.health import Checks
from services.runtime.logging import Logger, words_of
from services.runtime.metrics import Metrics

CHECKS = ("key", "kafka", "logs")


@dataclass(frozen=True, slots=True)
class Telling:
    """Holds the process's metrics, checks and logger."""

    metrics: Metrics
    checks: Checks
    log: Logger

    def kafka(self, *, is_away: bool) -> None:
        """Whether a broker answers."""
        if is_away:
            self.checks.failed("kafka", "no broker answers")
        else:
            self.checks.passed("kafka")

    def reading(self, waiting: int, total: int) -> None:
        """How many logs are not read to their end yet."""
        if waiting:
            self.checks.failed("logs", f"{waiting} of {total} logs are being read to their end")
        else:
            self.checks.passed("logs")

    def taken(self, family: str) -> None:
        """An entry is in the tree."""
        self.metrics.add(m.LEDGER_ENTRIES, family=family)

    def signed(self, origin: str, size: int, appended_ms: Iterable[int], now_ms: int) -> None:
        """A checkpoint is on disk; when its entries were appended."""
        _, family, partition = origin.split("/")
        self.metrics.set(m.LEDGER_SIZE, size, family=family, partition=partition)
        for at_ms in appended_ms:
            self.metrics.observe(m.LEDGER_PROVABLE, max(0, now_ms - at_ms) / 1000)
        self.log.debug("checkpoint", log=origin, count=size)

    def standing(self, origin: str, behind: int, checkpoint_age_s: float, unwitnessed_age_s: float) -> None:
        """How a log stands now."""
        _, family, partition = origin.split("/")
        where = {"family": family, "partition": partition}
        self.metrics.set(m.LEDGER_BEHIND, behind, **where)
        self.metrics.set(m.LEDGER_CHECKPOINT_AGE, checkpoint_age_s, **where)
        self.metrics.set(m.LEDGER_UNWITNESSED_AGE, unwitnessed_age_s, **where)

    def cosigned(self, outcomes: Iterable[str]) -> None:
        """What became of the lines of a note."""
        for outcome in outcomes:
            self.metrics.add(m.LEDGER_COSIGNATURES, outcome=outcome)

    def witnessed(self, origin: str, size: int) -> None:
        """A checkpoint met the quorum."""
        self.log.info("witnessed", log=origin, count=size)

    def away(self, error: Exception, wait_s: float) -> None:
        """A session has ended; another is begun after a while."""
        self.log.warning("starting over", wait_s=round(wait_s, 1), **words_of(error))

    def corrupt(self, error: Exception) -> None:
        """What was read contradicts what was signed."""
        self.checks.failed("logs", str(error))
        self.log.error("corrupt", exc_info=error)
