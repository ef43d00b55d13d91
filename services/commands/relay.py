"""``ipx relay run``: what the rooms derive becomes proposals to admission, composed here."""

from __future__ import annotations

import signal
from types import FrameType

import click

from services.commands.rooms import ROOMS
from services.runtime.health import Checks, HealthServer
from services.runtime.logging import configure
from services.runtime.metrics import Metrics
from services.runtime.postgres import Database
from services.runtime.relay import CHECKS, Relay, RelaySettings


@click.group("relay")
def command() -> None:
    """Publish what the rooms derive."""


@command.command("run")
def run() -> None:
    """Publish the rooms' outboxes to admission until SIGTERM; a second relay waits and takes over.

    Kafka and PostgreSQL may be away at the start or later: it waits, says so in /readyz, and goes on.
    """
    settings = RelaySettings.load()
    configure("relay", form=settings.log_format, level=settings.log_level)
    metrics = Metrics("relay")
    checks = Checks(metrics, *CHECKS)
    with (
        Database(settings.postgres_dsn.get_secret_value(), "relay", connections=2) as database,
        HealthServer(settings.metrics_port, checks, metrics),
    ):
        relay = Relay(ROOMS, settings, database=database, checks=checks, metrics=metrics)

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            relay.stop()

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)
        relay.run()
