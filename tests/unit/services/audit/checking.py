"""What the tests of verify-log ask of a small exchange in memory."""

from __future__ import annotations

from services.audit.verify_log import LogReport, check_log
from services.codec.checkpoint import origin_of
from tests.unit.services.audit.vault import (
    CLUES,
    Vault,
)

ORIGIN = origin_of(CLUES)


def checked(made: Vault, log: str = CLUES, *, signatures: bool = True, processes: int = 0) -> LogReport:
    return check_log(made, log, signatures=signatures, processes=processes)


def first(made: Vault, **how: bool) -> tuple[str, int | None, int | None]:
    """Code, offset and seq of the first finding; there must be one."""
    finding = checked(made, **how).findings[0]
    assert (finding.topic, finding.partition) == ("t.clues", 0)
    return finding.code, finding.offset, finding.seq


def codes(report: LogReport) -> list[str]:
    return [finding.code for finding in report.findings]
