"""Settings of ``ipx audit`` and of the evidence that the gateway gives: ``IPX_AUDIT_…``."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from services.runtime.settings import CommonSettings


class AuditSettings(CommonSettings):
    """What an auditor's command reads beside the shared settings."""

    room: ClassVar[str] = "audit"

    audit_tsa_url: str | None = Field(default=None, pattern=r"^https?://[^\s]{1,2000}$")
    """A time-stamping authority (RFC 3161 over HTTP); without it evidence has no stamp."""
    audit_tsa_timeout_s: float = Field(default=10.0, gt=0, le=120)
    audit_wait_s: float = Field(default=30.0, gt=0)
    """How long a command waits for Kafka and for a checkpoint that covers what is asked for."""
