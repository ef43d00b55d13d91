"""Settings of ``ipx admission run``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.runtime.settings import CommonSettings


class AdmissionSettings(CommonSettings):
    """``IPX_ADMISSION_…``: one process of the consumer group over the ``.in`` topics."""

    room: ClassVar[str] = "admission"

    admission_instance: str = Field(default="1", pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    """Names this process among those of the group; a restart under the same name takes its partitions back at once."""
    admission_static_member: bool = True
    """Whether the partitions stay with the name while the process is away for a moment; not for a process that runs once."""
    admission_key_file: Path | None = None
    """Private key of ``exchange.admission``; by default ``<state directory>/keys/exchange.admission.key``."""
    admission_batch_events: int = Field(default=2000, ge=1, le=10_000)
    """Events in one transaction at most."""
    admission_gather_ms: int = Field(default=4, ge=0, le=1000)
    """How long a batch that has begun waits for more events."""
    admission_verify_processes: int = Field(default=1, ge=0, le=32)
    """Processes that verify signatures beside this one; 0 verifies in this one."""
    admission_session_timeout_ms: int = Field(default=10_000, ge=1000, le=300_000)
    """Without a sign of life for so long, the partitions go to another process."""
    admission_transaction_timeout_ms: int = Field(default=10_000, ge=1000, le=900_000)
    """The broker ends a transaction that was left open after so long."""
    admission_oldest_days: int = Field(default=3650, ge=1)
    """A statement whose time lies further back is refused (``time-too-old``)."""

    @property
    def key_file(self) -> Path:
        """Where the private key of ``exchange.admission`` is."""
        return self.admission_key_file or self.state_dir / "keys" / "exchange.admission.key"

    @property
    def index_dir(self) -> Path:
        """Where this process keeps its indexes, one file for each log partition; no other process may share it."""
        return self.state_dir / "admission" / self.admission_instance
