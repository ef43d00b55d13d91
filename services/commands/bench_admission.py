"""``ipx bench admission``: how many events the whole of admission takes a second, beside the bare loop of the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from services.codec.keys import parse_private
from services.codec.registry import SchemaRegistry
from services.codec.released import load_released
from services.commands.admission_run import REPORTED, Maker, Speed, bare_loop, propose, watch_log
from services.commands.other_commands import run_ipx
from services.commands.peak_memory import peak_memory_mb
from services.platform.layout import Layout
from services.platform.state import read_state
from services.runtime.settings import CommonSettings
from services.runtime.shell import SystemEntropy, clock_of
from services.runtime.topic_admin import apply_topics, open_admin
from services.runtime.topics import Topics, TopicSpec, load_topics

SOURCE, RECIPIENT = "320700.market_regulator", "320576.market_regulator"
"""The recipient has no IP office beside it, so that each event goes to one inbox."""
_SLOWEST_PER_S = 200


@click.command("admission")
@click.option("--events", type=click.IntRange(1_000, 20_000_000), default=50_000, show_default=True, help="How many.")
@click.option("--batch", is_flag=True, help="10,000 events under one signature, instead of one each.")
@click.option(
    "--processes", type=click.IntRange(1, 16), default=1, show_default=True, help="Processes that share the partitions."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(events: int, batch: bool, processes: int, as_json: bool) -> None:
    """Measure admission: signed clue reports, each verified, authorised, numbered, hashed and routed to one inbox, exactly once.

    Starts the platform if it is not up, and works under a topic prefix of its own, which it removes at the end. Beside it the bare
    loop: consume, decode, hash, encode, produce twice in transactions of 2,000, on the same records.
    """
    run_ipx("up", "--only", "kafka,registry,postgres")
    settings = CommonSettings.load()
    with tempfile.TemporaryDirectory(prefix="ipx-bench-") as directory:
        report = _measure(settings, Path(directory), events, batch=batch, processes=processes)
    if as_json:
        click.echo(json.dumps(report))
    else:
        _show(report)


def _measure(settings: CommonSettings, directory: Path, events: int, *, batch: bool, processes: int) -> dict[str, Any]:
    prefix = f"bench-{SystemEntropy().draw(4).hex()}"
    own = CommonSettings(**{**settings.model_dump(), "exchange_name": prefix, "state_dir": directory, "root_key": None})
    topics, released = Topics(prefix), load_released()
    partitions = load_topics().families["clues"]
    environ = _environ(own)
    try:
        for words in (("topics", "apply"), ("schemas", "register"), ("members", "init")):
            run_ipx(*words, environ=environ)
        _bare_topics(own, topics, partitions)
        signer = parse_private((directory / "keys" / f"{SOURCE}.key").read_text().strip())
        maker = Maker(released, signer, RECIPIENT, clock_of(own.clock_file), SystemEntropy())
        registry = SchemaRegistry(own.registry_url)
        schema_id = registry.id_of(released.named(REPORTED))
        registry.close()
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("events signed and proposed", total=events)
            made = maker.envelopes(events, batch=batch)
            size = propose(own, topics.proposals("clues"), schema_id, made, lambda: progress.advance(task))
        bare = bare_loop(own, topics, released, partitions, events)
        with ExitStack() as stack:
            running = [
                stack.enter_context(_admission(environ, directory, number)) for number in range(1, processes + 1)
            ]
            speed = watch_log(
                own,
                topics.log("clues"),
                partitions,
                events,
                within_s=60 + events / _SLOWEST_PER_S,
                alive=lambda: all(process.poll() is None for process in running),
            )
            names = ["admission", *(f"admission-{number}" for number in range(2, processes + 1))]
            pids = dict(zip(names, (process.pid for process in running), strict=True))
            memory = peak_memory_mb({**_platform_pids(settings), **pids, "bench": os.getpid()})
        return {**_report(events, size, batch, speed, bare, memory), "processes": processes}
    finally:
        _remove_topics(settings, prefix)


def _environ(own: CommonSettings) -> dict[str, str]:
    return {
        **os.environ,
        "IPX_EXCHANGE_NAME": own.exchange_name,
        "IPX_STATE_DIR": str(own.state_dir),
        "IPX_KAFKA_BOOTSTRAP": own.kafka_bootstrap,
        "IPX_REGISTRY_URL": own.registry_url,
        "IPX_POSTGRES_DSN": own.postgres_dsn.get_secret_value(),
    }


def _bare_topics(own: CommonSettings, topics: Topics, partitions: int) -> None:
    specs = [TopicSpec(f"{topics.prefix}.bare.{name}", "log", partitions, 1, {}) for name in ("log", "inbox")]
    with open_admin(own) as admin:
        apply_topics(admin, specs)


@contextmanager
def _admission(environ: Mapping[str, str], directory: Path, number: int) -> Iterator[subprocess.Popen[bytes]]:
    with (directory / f"admission-{number}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services", "admission", "run"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environ, "IPX_ADMISSION_STATIC_MEMBER": "false", "IPX_ADMISSION_INSTANCE": str(number)},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _platform_pids(settings: CommonSettings) -> dict[str, int]:
    state = read_state(Layout(settings.state_dir).state_file)
    return {} if state is None else {name: part.pid for name, part in state.parts.items() if part.pid is not None}


def _remove_topics(settings: CommonSettings, prefix: str) -> None:
    with open_admin(settings) as admin:
        admin.delete_topics([name for name in admin.list_topics() if name.startswith(f"{prefix}.")])


def _report(
    events: int, size: int, batch: bool, speed: Speed, bare: Speed, memory: Mapping[str, float]
) -> dict[str, Any]:
    return {
        "events": speed.events,
        "seconds": round(speed.seconds, 2),
        "events_per_s": speed.per_s,
        "bare_loop_events_per_s": bare.per_s,
        "ratio_to_bare_loop": round(speed.per_s / bare.per_s, 3) if bare.per_s else 0.0,
        "signatures": "batch" if batch else "single",
        "proposed": events,
        "body_bytes": round(size / events),
        "peak_rss_mb": dict(memory),
        "cores": os.cpu_count(),
    }


def _show(report: Mapping[str, Any]) -> None:
    table = Table(title=f"{report['events']} events of {report['body_bytes']} bytes, {report['signatures']} signatures")
    for column in ("", "events/s"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("admission 准入", f"{report['events_per_s']:,.0f}")
    table.add_row("bare loop 基线", f"{report['bare_loop_events_per_s']:,.0f}")
    table.add_row("ratio 比值", f"{report['ratio_to_bare_loop']:.2f}")
    console = Console()
    console.print(table)
    console.print("peak memory MB 内存峰值: " + ", ".join(f"{k} {v:g}" for k, v in report["peak_rss_mb"].items()))
