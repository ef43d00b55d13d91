"""``ipx ledger``: the hash trees of the logs, their checkpoints, and how they stand."""

from __future__ import annotations

import signal
from types import FrameType

import click

from services.codec.keys import parse_public
from services.codec.released import load_released
from services.commands.ledger_completeness import completeness
from services.kernel.errors import BadSettings
from services.ledger.run import Ledger
from services.ledger.settings import LedgerSettings
from services.ledger.telling import CHECKS, Telling
from services.members.follower import MembersFollower
from services.runtime.health import Checks, HealthServer
from services.runtime.logging import configure, get_logger
from services.runtime.metrics import Metrics
from services.runtime.shell import SystemClock
from services.runtime.topics import Topics


@click.group("ledger")
def command() -> None:
    """Keep the hash trees of the logs: tiles, signed checkpoints, cosignatures."""


@command.command("run")
def run() -> None:
    """Write tiles and checkpoints of every log until SIGTERM; waits out Kafka when it is away.

    Ends with status 1, and signs nothing more, when a log contradicts what was signed of it before.
    """
    settings = LedgerSettings.load()
    configure("ledger", form=settings.log_format, level=settings.log_level)
    metrics = Metrics("ledger")
    checks = Checks(metrics, *CHECKS)
    follower = members_follower(settings)
    checks.probe("members", lambda: None if follower.state == "following" else follower.state)
    ledger = Ledger(
        settings,
        SystemClock(),
        Telling(metrics, checks, get_logger("ledger")),
        lambda: follower.require().latest,
        lambda _registry: None,
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        ledger.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with HealthServer(settings.metrics_port, checks, metrics):
        follower.start()
        try:
            ledger.run()
        finally:
            follower.stop()


def members_follower(settings: LedgerSettings) -> MembersFollower:
    """Follows the members log; not started yet. ``BadSettings`` without a root key."""
    if settings.root_key is None:
        raise BadSettings("IPX_ROOT_KEY is not set; `ipx members init` makes the root key and writes it down")
    topics = Topics(settings.exchange_name)
    schema_of = load_released().with_digest
    return MembersFollower(settings.librdkafka(), topics, schema_of=schema_of, root=parse_public(settings.root_key))


command.add_command(completeness)
