"""``ipx bench latency``: from the HTTP publish of an event to its arrival at a city's own HTTP endpoint, at a given rate."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from services.codec.http import AsyncHttpClient, HttpClient
from services.codec.keys import Ed25519Signer, parse_private
from services.codec.released import load_released
from services.commands.latency_run import (
    CONNECTIONS,
    BarePoster,
    Prepared,
    Publisher,
    Times,
    bare_kafka,
    prepare,
    send_at,
    shown,
    wait_for_all,
)
from services.commands.latency_sink import DIALECT, Arrivals, open_sink
from services.commands.other_commands import run_ipx
from services.kernel.errors import BadSettings, Transient
from services.platform.layout import Layout
from services.platform.ports import any_free
from services.platform.state import PlatformState, read_state
from services.runtime.settings import CommonSettings
from services.runtime.shell import SystemEntropy, clock_of

SOURCE = "320200.market_regulator"
RECIPIENT = f"{DIALECT}.market_regulator"
"""Two members whom the demo does not play, so that neither is in the other's way."""

WARM_UP_S = 3
_BARE_S = 5
_ARRIVE_WITHIN_S = 60.0
_NODE_WITHIN_S = 60.0
_QUIET_S = 2.0
_NODE = """\
[node]
name = "bench"
database = "node.db"
metrics_port = {metrics_port}
[[participants]]
id = "{recipient}"
key_file = "{key_file}"
[participants.city]
dialect = "{dialect}"
url = "{url}"
concurrency = 32
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """What one run works with."""

    settings: CommonSettings
    state: PlatformState
    rate: float
    seconds: int
    source: Ed25519Signer

    @property
    def gateway(self) -> str:
        """Where the gateway is."""
        return str(self.state.parts["gateway"].details["url"])


@click.command("latency")
@click.option("--rate", type=click.FloatRange(1, 5_000), default=500, show_default=True, help="Events per second.")
@click.option("--seconds", type=click.IntRange(1, 600), default=20, show_default=True, help="How long it is measured.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(rate: float, seconds: int, as_json: bool) -> None:
    """Measure the way of an event: published over HTTP, admitted, in the inbox, verified by a node, at the city's endpoint.

    Starts the exchange if it is not up, and a node of its own. Beside it, at the same rate: the same bodies posted straight
    to the endpoint by the same client, and through Kafka alone.
    """
    bench = _bench(rate, seconds)
    report = uvloop.run(_run(bench))
    if as_json:
        click.echo(json.dumps(report))
    else:
        _show(report)
    if report["delivered"] != report["events"]:
        raise Transient(f"{report['events'] - report['delivered']} events did not arrive within {_ARRIVE_WITHIN_S:g} s")


def _bench(rate: float, seconds: int) -> Bench:
    run_ipx("up")
    settings = CommonSettings.load()
    state = read_state(Layout(settings.state_dir).state_file)
    if state is None or "gateway" not in state.parts:
        raise BadSettings("the exchange is up without a gateway: `ipx down`, then `ipx up`")
    return Bench(settings, state, rate, seconds, parse_private(_key_file(settings, SOURCE).read_text().strip()))


def _key_file(settings: CommonSettings, participant: str) -> Path:
    path = settings.state_dir / "keys" / f"{participant}.key"
    if not path.is_file():
        raise BadSettings(f"{path} is missing: `ipx members init` makes the keys of the participants")
    return path


async def _run(bench: Bench) -> dict[str, Any]:
    clock, entropy, arrivals = clock_of(bench.settings.clock_file), SystemEntropy(), Arrivals()
    sink, url = await open_sink(arrivals)
    http = AsyncHttpClient(bench.gateway, timeout_s=30, connections=CONNECTIONS)
    count = round(bench.rate * bench.seconds)
    events = prepare(count + round(bench.rate * WARM_UP_S), bench.source, RECIPIENT, load_released(), clock, entropy)
    warm_up, measured = events[count:], events[:count]
    try:
        bare, bare_per_s = await _bare_http(http, url, bench.rate, measured, arrivals)
        kafka = await asyncio.to_thread(bare_kafka, bench.settings, bench.rate, measured[: round(bench.rate * _BARE_S)])
        with _node(bench, url) as (node, metrics_port):
            await asyncio.to_thread(_wait_for_node, node, metrics_port)
            publisher = Publisher(http, bench.source, bench.settings.exchange_name, clock)
            await arrivals.quiet(_QUIET_S, _ARRIVE_WITHIN_S)  # what an earlier run left in the inbox
            await wait_for_all(await send_at(bench.rate, warm_up, publisher.post), arrivals, _ARRIVE_WITHIN_S)
            pids = _pids(bench.state, {"node": node.pid, "bench": os.getpid()})
            before = _cpu_s(pids)
            sent = await send_at(bench.rate, measured, publisher.post)
            times = await wait_for_all(sent, arrivals, _ARRIVE_WITHIN_S)
            used = {name: used_s - before[name] for name, used_s in _cpu_s(pids).items() if name in before}
            memory = _peak_memory(pids)
            await publisher.acknowledge_all()
    finally:
        await http.close()
        sink.close()
    return {
        "events": count,
        "delivered": len(times.ms),
        "delivered_again": arrivals.again,
        "rate_per_s": bench.rate,
        "seconds": round(sent.seconds, 2),
        "events_per_s": round(count / sent.seconds, 1),
        "bare_loop_events_per_s": round(bare_per_s, 1),
        **shown("", times),
        **shown("published_", sent.answered),
        **shown("bare_loop_", bare),
        **shown("bare_kafka_", kafka),
        "cpu_us_per_event": {name: round(used_s * 1e6 / count) for name, used_s in used.items()},
        "peak_rss_mb": memory,
        "cores": os.cpu_count(),
    }


async def _bare_http(
    http: AsyncHttpClient, url: str, rate: float, measured: list[Prepared], arrivals: Arrivals
) -> tuple[Times, float]:
    """Latencies, and how many events a second the client came to."""
    events = measured[: round(rate * _BARE_S)]
    sent = await send_at(rate, events, BarePoster(http, url).post)
    times = await wait_for_all(sent, arrivals, _ARRIVE_WITHIN_S, "bare-")
    return times, len(events) / sent.seconds


@contextmanager
def _node(bench: Bench, url: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The node of the recipient, with the sink for its city's system; its database stays for the next run."""
    root = bench.settings.state_dir / "bench"
    root.mkdir(exist_ok=True, mode=0o700)
    port = any_free()
    config = root / "node.toml"
    key_file = _key_file(bench.settings, RECIPIENT)
    config.write_text(
        _NODE.format(metrics_port=port, recipient=RECIPIENT, key_file=key_file, dialect=DIALECT, url=url), "utf-8"
    )
    argv = [sys.executable, "-m", "services", "node", "run", "--config", str(config)]
    environ = {**os.environ, "IPX_STATE_DIR": str(bench.settings.state_dir)}
    with (root / "node.log").open("ab") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ, start_new_session=True
        )
    try:
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_node(node: subprocess.Popen[bytes], port: int) -> None:
    with HttpClient(f"http://127.0.0.1:{port}", timeout_s=2) as http:
        for _ in range(round(_NODE_WITHIN_S / 0.2)):
            if node.poll() is not None:
                raise Transient(f"the node ended with {node.returncode}; see bench/node.log in the state directory")
            try:
                if http.send("GET", "/readyz").status == 200:
                    return
            except Transient:
                pass
            try:
                node.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
    raise Transient(f"the node was not ready within {_NODE_WITHIN_S:g} s; see bench/node.log in the state directory")


def _pids(state: PlatformState, more: Mapping[str, int]) -> dict[str, int]:
    return {name: part.pid for name, part in state.parts.items() if part.pid is not None} | dict(more)


def _cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """Processor time that each process and those it started have used so far."""
    used = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            times = [one.cpu_times() for one in (process, *(process.children() if name == "postgres" else ()))]
            used[name] = sum(spent.user + spent.system for spent in times)
    return used


def _peak_memory(pids: Mapping[str, int]) -> dict[str, float]:
    """Largest resident memory of each process so far, in MB, as Linux tells it."""
    found = {}
    for name, pid in pids.items():
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            continue
        peak = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
        if peak is not None:
            found[name] = round(int(peak) / 1024, 1)
    return found


def _show(report: Mapping[str, Any]) -> None:
    table = Table(title=f"{report['events']} events at {report['rate_per_s']:g}/s, {report['cores']} cores")
    for column in ("", "p50 ms", "p99 ms", "max ms"):
        table.add_column(column, justify="left" if not column else "right")
    rows = {
        "published → at the city's endpoint 发布至送达": "",
        "publish answered 发布应答": "published_",
        "bare: HTTP POST to the endpoint 基线：直接HTTP": "bare_loop_",
        "bare: Kafka produce → consume 基线：仅Kafka": "bare_kafka_",
    }
    for words, name in rows.items():
        table.add_row(words, *(f"{report[f'{name}{figure}']:.1f}" for figure in ("p50_ms", "p99_ms", "max_ms")))
    console = Console()
    console.print(table)
    console.print(
        "processor µs per event 每事件处理器时间: "
        + ", ".join(f"{k} {v}" for k, v in report["cpu_us_per_event"].items())
    )
    console.print("peak memory MB 内存峰值: " + ", ".join(f"{k} {v:g}" for k, v in report["peak_rss_mb"].items()))
