"""What it takes to run one part: the program, when it is ready, and the site it runs on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.platform.layout import Layout
from services.platform.ports import LOOPBACK
from services.platform.settings import PlatformSettings

JVM_FLAGS = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData")
"""One small collector and the quick compiler alone: a laptop gives the exchange, not the broker, its cores."""

NOT_NEEDED = Path("/not-needed")
"""Stands for a program of a part that is somebody else's: who has a Kafka need not install ours."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process as it is to be started. ``env`` is added to the supervisor's environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Programs:
    """Checked programs of the parts that are to be started; ``NOT_NEEDED`` for those of no such part."""

    java: Path = NOT_NEEDED
    kafka_jars: tuple[Path, ...] = ()
    registry_home: Path = NOT_NEEDED
    postgres_bin: Path = NOT_NEEDED


@dataclass(frozen=True, slots=True)
class Site:
    """What the parts are told: where they may write, their ports, which services are somebody else's."""

    layout: Layout
    settings: PlatformSettings
    ports: Mapping[str, int]
    external: Mapping[str, str] = field(default_factory=dict)
    installed: Programs | None = None

    @property
    def programs(self) -> Programs:
        """The programs, for those who start some."""
        assert self.installed is not None, "a site without programs can be looked at, not started"
        return self.installed

    @property
    def kafka_bootstrap(self) -> str:
        """Of our broker, or of the one that the settings point at."""
        return self.external.get("kafka", f"{LOOPBACK}:{self.ports['kafka']}")

    @property
    def registry_url(self) -> str:
        """Confluent-compatible base of our registry, or of theirs."""
        return self.external.get("registry", f"http://{LOOPBACK}:{self.ports['registry']}/apis/ccompat/v7")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the platform or of the exchange.

    ``prepare`` makes what the program needs (idempotent, may block) and says how to start it. ``probe`` returns when
    the part answers now and raises ``Transient`` otherwise; it blocks no longer than about two seconds.
    ``details`` is what ``state.json`` tells about it beside its port.
    """

    name: str
    port: str
    after: tuple[str, ...]
    prepare: Callable[[Site], Program]
    probe: Callable[[Site], None]
    details: Callable[[Site], Mapping[str, str | int]]
    what_to_do: str
