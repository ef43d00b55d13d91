"""Entries as the logs hold them, made in bulk, and logs kept on disk."""

from __future__ import annotations

from pathlib import Path

from services.codec.entry import format_entry
from services.codec.keys import signer_from_seed
from services.codec.log_keys import LEDGER
from services.codec.statement import Statement, format_statement
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.ledger.following import LoggedEntry
from services.ledger.keeping import KeptLog
from services.ledger.signing import LogKey

NOW_MS = 1_790_000_000_000
LOG, ORIGIN = "ipx.clues/0", "ipx/clues/0"
KEY = LogKey.of(signer_from_seed(LEDGER, bytes(range(32))), ORIGIN)


def logged(seq: int, *, salt: str = "", log: str = LOG) -> LoggedEntry:
    """The entry with that number; ``salt`` makes another one."""
    statement = Statement(
        id=uuid7(NOW_MS, seq.to_bytes(10, "big")),
        source="320100.market_regulator",
        type="cn.ipx.clue.ClueReported",
        subject=f"CL-{seq}{salt}",
        time=format_instant(NOW_MS),
        agreement="-",
        addressee="-",
        cause="-",
        schema=f"sha256:{'0' * 64}",
        content=f"sha256:{'1' * 64}",
    )
    admitted = format_instant(NOW_MS + seq)
    entry = format_entry(format_statement(statement), "ed25519:x", admitted, log, seq, 1, ())
    return LoggedEntry(entry, statement.id, seq, admitted, 2 * seq + 1)


def kept(directory: Path, **more: int) -> KeptLog:
    """The log in a directory, as a start finds it."""
    return KeptLog(directory, KEY, batch_entries=more.get("batch_entries", 512))


def grow(log: KeptLog, start: int, end: int, *, salt: str = "") -> KeptLog:
    """Takes these entries."""
    for seq in range(start, end):
        log.take(logged(seq, salt=salt))
    return log
