"""Settings of the local platform: ``IPX_PLATFORM_…``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from services.runtime.settings import CommonSettings


class PlatformSettings(CommonSettings):
    """What ``ipx up`` and its supervisor read beside the shared settings."""

    room: ClassVar[str] = "platform"

    platform_start_timeout_s: float = Field(default=180.0, gt=0)
    """How long ``ipx up`` waits for every part to be ready."""
    platform_kafka_properties: Path | None = None
    """Lines that are added to the local broker's configuration and win over ours: an authorizer, SASL, TLS."""
