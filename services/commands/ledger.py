"""``ipx ledger``: the hash trees of the logs, their checkpoints, and how they stand."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import closing
from types import FrameType

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from services.codec.keys import parse_public
from services.codec.released import load_released
from services.codec.tlog_policy import format_policy
from services.commands.ledger_completeness import completeness
from services.commands.ledger_desk import LogLine, look
from services.kernel.errors import BadSettings
from services.ledger.outside import ask_witnesses
from services.ledger.policy import exchange_policy
from services.ledger.quorum import load_quorum
from services.ledger.rebuilding import Rebuilding
from services.ledger.run import Ledger, alone, read_ledger_key
from services.ledger.settings import LedgerSettings
from services.ledger.stater import Stater
from services.ledger.telling import CHECKS, Telling
from services.members.follower import MembersFollower
from services.runtime.health import Checks, HealthServer
from services.runtime.logging import configure, get_logger
from services.runtime.metrics import Metrics
from services.runtime.shell import clock_of
from services.runtime.topics import Topics, load_topics

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
_MEMBERS_S = 30.0
_STATES = {"witnessed": ("green", "已见证"), "not yet": ("yellow", "待见证"), "stale": ("red", "逾时未见证")}


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
    clock = clock_of(settings.clock_file, metrics)
    quorum, telling = load_quorum(settings.ledger_witnesses_file), Telling(metrics, checks, get_logger("ledger"))
    asking = ask_witnesses(settings, quorum, telling)
    ledger = Ledger(
        settings,
        clock,
        telling,
        lambda: follower.require().latest,
        lambda: follower.wait_caught_up(_MEMBERS_S),
        quorum,
        lambda key: [Stater(settings, settings.files_dir, signer=key, released=load_released(), clock=clock)],
    )

    def stop(_number: int, _frame: FrameType | None) -> None:
        ledger.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with HealthServer(settings.metrics_port, checks, metrics):
        follower.start()
        asking.start()
        try:
            ledger.run()
        finally:
            asking.stop()
            follower.stop()


def members_follower(settings: LedgerSettings) -> MembersFollower:
    """Follows the members log; not started yet. ``BadSettings`` without a root key."""
    if settings.root_key is None:
        raise BadSettings("IPX_ROOT_KEY is not set; `ipx members init` makes the root key and writes it down")
    topics = Topics(settings.exchange_name)
    schema_of = load_released().with_digest
    return MembersFollower(settings.librdkafka(), topics, schema_of=schema_of, root=parse_public(settings.root_key))


@command.command("rebuild")
@click.option(
    "--origin", "chosen", multiple=True, help="One log, <exchange>/<family>/<partition>; all logs unless given."
)
@_JSON
def rebuild(chosen: tuple[str, ...], as_json: bool) -> None:
    """Make tiles and index anew from the logs, compare with the last checkpoint, and swap.

    The ledger must not run meanwhile (`ipx up --only kafka,registry,postgres`). Nothing is signed: `ipx ledger run` goes on from the last
    checkpoint. Ends with status 1 and changes nothing when a log is not the one that was signed.
    """
    settings = LedgerSettings.load()
    configure("ledger", form="text", level="warning")
    every = _origins(settings)
    strange = sorted(set(chosen) - set(every))
    if strange:
        raise BadSettings(f"no log of this exchange: {', '.join(strange)}; logs are {', '.join(every)}")
    with alone(settings.files_dir), closing(Rebuilding(settings, read_ledger_key(settings))) as rebuilding:
        wanted = rebuilding.wanted([origin for origin in every if not chosen or origin in chosen])
        with Progress(console=Console(stderr=True), transient=True) as progress:
            for one in wanted:
                task = progress.add_task(one.origin, total=one.size)
                rebuilding.rebuild(one, lambda done, task=task: progress.update(task, completed=done))  # type: ignore[misc]
    if as_json:
        click.echo(json.dumps({"rebuilt": {one.origin: one.size for one in wanted}}))
    else:
        click.echo(f"{len(wanted)} logs rebuilt, {sum(one.size for one in wanted)} entries")


@command.command("status")
@_JSON
def status(as_json: bool) -> None:
    """Tell of each log: size, what no checkpoint holds yet, age of the checkpoint, what is witnessed, by whom, state.

    Reads the ledger's files; works while the ledger or Kafka is down.
    """
    settings = LedgerSettings.load()
    configure("ledger", form="text", level="warning")
    now_ms = clock_of(settings.clock_file).now_ms()
    lines = look(settings, now_ms)
    if as_json:
        logs = {line.standing.origin: line.document(now_ms) for line in lines}
        click.echo(json.dumps({"exchange": settings.exchange_name, "logs": logs}))
        return
    table = Table(
        "origin", "size", "unsigned", "checkpoint", "witnessed", "state", "cosigners", box=None, padding=(0, 2, 0, 0)
    )
    for line in lines:
        table.add_row(*_row(line, now_ms))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


@command.command("policy")
def policy() -> None:
    """Print the quorum of the exchange's own witnesses as a C2SP tlog-policy file, by the members as they are now."""
    settings = LedgerSettings.load()
    configure("ledger", form="text", level="warning")
    follower = members_follower(settings)
    follower.start()
    try:
        registry = follower.wait_caught_up(_MEMBERS_S).latest
    finally:
        follower.stop()
    quorum = load_quorum(settings.ledger_witnesses_file)
    found = exchange_policy(
        settings.files_dir, settings.exchange_name, quorum, registry, clock_of(settings.clock_file).now_ms()
    )
    click.echo(format_policy(found).decode(), nl=False)


def _origins(settings: LedgerSettings) -> list[str]:
    families = load_topics(replication=settings.kafka_replication).families
    return [f"{settings.exchange_name}/{family}/{n}" for family, count in families.items() for n in range(count)]


def _row(line: LogLine, now_ms: int) -> tuple[str, ...]:
    standing = line.standing
    colour, zh = _STATES[standing.state]
    waits = f" ({standing.waiting_s(now_ms):.0f} s)" if standing.waiting_since_ms is not None else ""
    unsigned = {None: "-", 0: "0"}.get(line.unsigned_most, f"≤ {line.unsigned_most}")
    return (
        standing.origin,
        str(standing.size),
        unsigned,
        f"{line.checkpoint_age_s:.1f} s",
        str(standing.witnessed_size),
        f"[{colour}]{standing.state} {zh}[/]{waits}",
        ", ".join(standing.cosigners) or "-",
    )


command.add_command(completeness)
