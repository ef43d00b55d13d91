"""Settings of ``ipx ledger``, and of whoever reads its files: ``IPX_LEDGER_…``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.ledger.quorum import DEFAULT
from services.runtime.settings import CommonSettings


class LedgerSettings(CommonSettings):
    """One process for all logs of the exchange."""

    room: ClassVar[str] = "ledger"

    ledger_dir: Path | None = None
    """Where the files of the logs are; by default ``<state directory>/ledger``."""
    ledger_key_file: Path | None = None
    """Private key of ``exchange.ledger``; by default ``<state directory>/keys/exchange.ledger.key``."""
    ledger_witnesses_file: Path = DEFAULT
    """Which witnesses make a checkpoint witnessed."""
    ledger_checkpoint_ms: int = Field(default=500, ge=20, le=1000)
    """While a log grows, a checkpoint is signed so often."""
    ledger_batch_entries: int = Field(default=4096, ge=256, le=65_536)
    """Entries of one log after which its full tiles are written, checkpoint or not: bounds the memory while it catches up."""
    ledger_sm3: bool = False
    """Whether a tree over SM3 (国密) is kept beside the one over SHA-256; needs the extra ``gm``."""
    ledger_hold_s: float = Field(default=12.0, ge=0, le=600)
    """How long the witnesses are offered the same checkpoint, unless it is witnessed before: twice as long as they take to come by."""
    ledger_stale_s: float = Field(default=60.0, gt=0)
    """An entry that has not been witnessed for so long makes its log stale."""

    @property
    def files_dir(self) -> Path:
        """Where the files of the logs are."""
        return self.ledger_dir or self.state_dir / "ledger"

    @property
    def key_file(self) -> Path:
        """Where the private key of ``exchange.ledger`` is."""
        return self.ledger_key_file or self.state_dir / "keys" / "exchange.ledger.key"
