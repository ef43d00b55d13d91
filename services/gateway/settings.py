"""Settings of the gateway: ``IPX_GATEWAY_…``. Safe by default: loopback, limits on, no plain HTTP to other machines."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field

from services.kernel.errors import BadSettings
from services.runtime.loopback import is_loopback
from services.runtime.settings import CommonSettings


class GatewaySettings(CommonSettings):
    """What the gateway reads beside the shared settings."""

    room: ClassVar[str] = "gateway"

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8480, ge=1, le=65535)
    gateway_tls_certfile: Path | None = None
    gateway_tls_keyfile: Path | None = None
    gateway_behind_tls_proxy: bool = False
    """Says that a proxy on the way speaks TLS to the participants; without it plain HTTP stays on this machine."""
    gateway_trusted_proxies: str = "127.0.0.1"
    """Addresses of such proxies, joined by commas: only their word on who the caller is counts."""
    gateway_url: str | None = None
    """Where participants reach it, when that is not the bound address; shown in the API document."""

    gateway_event_max_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 20)
    gateway_batch_max_bytes: int = Field(default=16 << 20, ge=1024, le=64 << 20)
    gateway_batch_max_events: int = Field(default=10_000, ge=1, le=100_000)
    gateway_bodies_max_bytes: int = Field(default=64 << 20, ge=1 << 20)
    """All request bodies that are held at once."""
    gateway_head_max_bytes: int = Field(default=65_536, ge=4096)
    gateway_connections: int = Field(default=2_000, ge=1)
    gateway_request_timeout_s: float = Field(default=30.0, gt=0)
    """For the body to arrive; a wait that the caller asked for comes on top."""
    gateway_produce_timeout_s: float = Field(default=5.0, gt=0, le=60)
    gateway_stop_timeout_s: float = Field(default=10.0, gt=0)

    gateway_publish_rate_per_s: float = Field(default=2_000.0, gt=0)
    """Events of one participant."""
    gateway_publish_burst_events: int = Field(default=10_000, ge=1)
    gateway_read_rate_per_s: float = Field(default=500.0, gt=0)
    """Reading requests (inbox, status, members) of one participant."""
    gateway_read_burst_requests: int = Field(default=1_000, ge=1)
    gateway_failed_rate_per_s: float = Field(default=2.0, gt=0)
    """Failed proofs of identity from one address."""
    gateway_failed_burst: int = Field(default=50, ge=1)
    gateway_polls_per_participant: int = Field(default=16, ge=1)
    """Inbox requests of one participant that may wait at once."""

    gateway_ring_records: int = Field(default=2_000, ge=1)
    gateway_ring_bytes: int = Field(default=4 << 20, ge=1024)
    gateway_rings_bytes: int = Field(default=48 << 20, ge=1024)
    gateway_follow_idle_s: float = Field(default=180.0, ge=60)
    """How long an inbox is followed after its participant asked for it last."""
    gateway_discover_s: float = Field(default=15.0, gt=0)
    """How often new inboxes are looked for, to keep the outcomes in them."""
    gateway_outcomes_keep_days: int = Field(default=400, ge=1)
    gateway_instance: str = Field(default="1", pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    """Names this process among several gateways of one exchange; a restart under the same name ends what it left open."""
    gateway_kafka_door: bool = True
    """Whether this process forwards what participants write to their outbox topics."""

    def checked(self) -> Self:
        """Itself; raises ``BadSettings`` for a binding that would speak plain HTTP to other machines."""
        if (self.gateway_tls_certfile is None) != (self.gateway_tls_keyfile is None):
            raise BadSettings("IPX_GATEWAY_TLS_CERTFILE and IPX_GATEWAY_TLS_KEYFILE are given together or not at all")
        for path in (self.gateway_tls_certfile, self.gateway_tls_keyfile):
            if path is not None and not path.is_file():
                raise BadSettings(f"{path} is not a file that can be read")
        if not (self._is_loopback() or self.gateway_tls_certfile or self.gateway_behind_tls_proxy):
            raise BadSettings(
                f"IPX_GATEWAY_HOST={self.gateway_host} would take tokens over plain HTTP from other machines: give "
                "IPX_GATEWAY_TLS_CERTFILE and IPX_GATEWAY_TLS_KEYFILE, or say IPX_GATEWAY_BEHIND_TLS_PROXY=true"
            )
        if self.clock_file is not None and (self.gateway_behind_tls_proxy or not self._is_loopback()):
            raise BadSettings(
                "IPX_CLOCK_FILE moves the clock of one machine alone, and the gateway is reached from others"
            )
        return self

    def base_url(self) -> str:
        """Where the API is found."""
        host = f"[{self.gateway_host}]" if ":" in self.gateway_host else self.gateway_host
        scheme = "https" if self.gateway_tls_certfile else "http"
        return self.gateway_url or f"{scheme}://{host}:{self.gateway_port}"

    def _is_loopback(self) -> bool:
        return is_loopback(self.gateway_host)
