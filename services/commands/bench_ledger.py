"""``ipx bench ledger``: how fast a log is verified, and how long the proof of one event takes, beside bare hashing and bare verifying."""

from __future__ import annotations

import json
import os
import resource
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import click
import nacl.bindings
from rich.console import Console
from rich.table import Table

from services.audit.evidence import compose
from services.audit.verify_log import check_log
from services.codec.checkpoint import Checkpoint, origin_of
from services.codec.evidence import format_evidence
from services.codec.note import parse_note
from services.codec.released import load_released
from services.codec.tiles import Tree
from services.codec.tlog_proof import TlogProof, format_proof
from services.commands.audit_source import CORES
from services.commands.made_exchange import LOG, MEMBERS_LOG, MadeExchange, made_exchange
from services.commands.peak_memory import peak_memory_mb
from services.kernel.errors import Corrupt
from services.ledger.files import CHECKPOINT, LogFiles, write_files
from services.ledger.growing import File, GrowingTree
from services.runtime.shell import clock_of

T = TypeVar("T")
_CHUNK = 10_000
_WRITTEN = 256
_PROOFS = 1_000
_VERIFIED = 20_000
_ENTRIES = "tile/entries/"
_SPREAD = 0x9E3779B1
"""Golden ratio times 2^32: multiples of it fall evenly all over the log."""


@click.command("ledger")
@click.option(
    "--entries", type=click.IntRange(1_000, 10_000_000), default=200_000, show_default=True, help="Size of the log."
)
@click.option(
    "--signed",
    type=click.IntRange(1_000, 10_000_000),
    default=50_000,
    show_default=True,
    help="How many of them are verified with signatures and authorisations too.",
)
@click.option("--processes", type=click.IntRange(0, 64), default=CORES, show_default=True, help="As of verify-log.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(entries: int, signed: int, processes: int, as_json: bool) -> None:
    """Measure the ledger: verify-log without and with signatures, and the evidence of one event, on a made-up log without a broker.

    The tiles are written to a scratch directory by the ledger's own code, the entries are made as they are read. Beside it, in this one
    process: SHA-256 over the same entries, and Ed25519 over the same statements, with nothing around them.
    """
    report = _measure(entries, min(signed, entries), processes)
    if as_json:
        click.echo(json.dumps(report))
    else:
        _show(report)


def _measure(entries: int, signed: int, processes: int) -> dict[str, Any]:
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="ipx-bench-") as directory, console.status("members") as status:
        exchange = made_exchange(entries, clock_of(None).now_ms())
        files, members = LogFiles(Path(directory) / "log"), LogFiles(Path(directory) / "members")
        status.update("tiles")
        tree, tiles_s = _timed(lambda: _grow(files, (exchange.entry(seq) for seq in range(entries))))
        members_tree = _grow(members, ((r.envelope.entry or "").encode() for r in exchange.history.since(0, _CHUNK)))
        exchange = _signed(exchange, {LOG: (files, tree), MEMBERS_LOG: (members, members_tree)})
        status.update("verify-log without signatures")
        plain = _verified(exchange, processes, signatures=False)
        status.update("verify-log with signatures")
        full = _verified(exchange.up_to(signed), processes, signatures=True)
        status.update("bare loops")
        bare_hash_s, bare_verify_s = _bare_hash(exchange), _bare_verify(exchange)
        status.update("proofs")
        proofs = _proofs(exchange, files, members)
        return {
            "entries": entries,
            "signed_entries": signed,
            "entry_bytes": len(exchange.entry(entries - 1)),
            "tile_entries_per_s": _per_s(entries, tiles_s),
            "verify_entries_per_s": plain.per_s,
            "verify_cpu_us_per_entry": plain.cpu_us,
            "verify_signed_entries_per_s": full.per_s,
            "verify_signed_cpu_us_per_entry": full.cpu_us,
            "bare_hash_entries_per_s": _per_s(entries, bare_hash_s),
            "bare_verify_per_s": _per_s(_VERIFIED, bare_verify_s),
            **proofs,
            "peak_rss_mb": _memory(),
            "processes": processes,
            "cores": os.cpu_count(),
        }


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun_s = perf_counter()
    done = work()
    return done, perf_counter() - begun_s


def _per_s(count: int, seconds: float) -> float:
    return round(count / seconds, 1)


def _grow(files: LogFiles, entries: Iterable[bytes]) -> GrowingTree:
    """Writes the tiles. The bundles are left out: nothing that is measured reads them, and they are as large as the log."""
    tree = GrowingTree()
    waiting: list[File] = []
    for entry in entries:
        waiting += _hashes(tree.append(entry))
        if len(waiting) >= _WRITTEN:
            write_files(files.directory, waiting)
            waiting = []
    write_files(files.directory, [*waiting, *_hashes(tree.partials())])
    return tree


def _hashes(files: Sequence[File]) -> list[File]:
    return [file for file in files if not file[0].startswith(_ENTRIES)]


def _signed(exchange: MadeExchange, grown: Mapping[str, tuple[LogFiles, GrowingTree]]) -> MadeExchange:
    """The exchange with a checkpoint over each tree, which also lies beside its tiles."""
    heads = {origin_of(log): Checkpoint(origin_of(log), tree.size, tree.root()) for log, (_, tree) in grown.items()}
    signed = replace(exchange, heads=heads)
    for log, (files, _) in grown.items():
        write_files(files.directory, [(CHECKPOINT, signed.note(log))])
    return signed


@dataclass(frozen=True, slots=True)
class Speed:
    """Entries verified in this time by the clock, and in this time of all processors: the second hardly depends on what else runs."""

    entries: int
    seconds: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Entries a second."""
        return _per_s(self.entries, self.seconds)

    @property
    def cpu_us(self) -> float:
        """Microseconds of a processor for each entry."""
        return round(self.cpu_s / self.entries * 1_000_000, 1)


def _verified(exchange: MadeExchange, processes: int, *, signatures: bool) -> Speed:
    """Speed of verify-log, its processes' start included. ``Corrupt`` when it found anything: then nothing was measured."""
    before_s = _cpu_s()
    report, seconds = _timed(lambda: check_log(exchange, LOG, signatures=signatures, processes=processes))
    if not report.is_good or report.entries != exchange.entries:
        raise Corrupt(f"the made-up log is not good: {'; '.join(finding.line() for finding in report.findings[:3])}")
    return Speed(report.entries, seconds, _cpu_s() - before_s)


def _cpu_s() -> float:
    """Of this process, and of those that it started and that have ended."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def _bare_hash(exchange: MadeExchange) -> float:
    """Seconds of the leaf hash alone, over the same entries."""
    seconds = 0.0
    for first in range(0, exchange.entries, _CHUNK):
        entries = [exchange.entry(seq) for seq in range(first, min(first + _CHUNK, exchange.entries))]
        begun_s = perf_counter()
        for entry in entries:
            sha256(b"\x00" + entry).digest()
        seconds += perf_counter() - begun_s
    return seconds


def _bare_verify(exchange: MadeExchange) -> float:
    """Seconds of libsodium alone, over the same statements."""
    said = [template.signed for template in exchange.templates]
    signed = [value + statement for statement, value in said]
    key = exchange.source_key
    begun_s = perf_counter()
    for number in range(_VERIFIED):
        nacl.bindings.crypto_sign_open(signed[number % len(signed)], key)
    return perf_counter() - begun_s


def _proofs(exchange: MadeExchange, files: LogFiles, members: LogFiles) -> dict[str, float]:
    """How long evidence takes, each time with no tile in memory, and how large it is; beside it the path of the event alone."""
    note = parse_note(exchange.note(LOG))
    records = exchange.history.since(0, _CHUNK)
    released = load_released()
    whole_ms, path_ms, sizes = [], [], []
    for number in range(_PROOFS):
        seq = number * _SPREAD % exchange.entries
        envelope = exchange.envelope(seq)
        made, seconds = _timed(
            lambda envelope=envelope: format_evidence(  # type: ignore[misc]
                compose(
                    envelope,
                    files,
                    members,
                    records,
                    schema_of=released.with_digest,
                    withheld=lambda entry, schema: (),
                ).evidence
            )
        )
        whole_ms.append(seconds * 1000)
        path, seconds = _timed(lambda seq=seq: Tree(files.read, exchange.entries).inclusion(seq))  # type: ignore[misc]
        path_ms.append(seconds * 1000)
        sizes.append((len(format_proof(TlogProof(seq, path, note))), len(made)))
    return {
        "proof_p50_ms": _at(whole_ms, 0.5),
        "proof_p99_ms": _at(whole_ms, 0.99),
        "path_p50_ms": _at(path_ms, 0.5),
        "path_p99_ms": _at(path_ms, 0.99),
        "proof_bytes": max(size for size, _ in sizes),
        "evidence_bytes": max(size for _, size in sizes),
    }


def _at(values: Sequence[float], share: float) -> float:
    return round(sorted(values)[int(len(values) * share)], 2)


def _memory() -> dict[str, float]:
    """Of this process, and of the largest of those that verified."""
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {**peak_memory_mb({"bench": os.getpid()}), "verify_process": round(worker, 1)}


def _show(report: Mapping[str, Any]) -> None:
    table = Table(title=f"{report['entries']:,} entries of {report['entry_bytes']} bytes")
    table.add_column("")
    for column in ("entries/s", "bare 基线"):
        table.add_column(column, justify="right")
    rows = (
        ("tiles 写入树块", "tile_entries_per_s", "bare_hash_entries_per_s"),
        ("verify-log 核验", "verify_entries_per_s", "bare_hash_entries_per_s"),
        ("… with signatures 含签名", "verify_signed_entries_per_s", "bare_verify_per_s"),
    )
    for name, measured, bare in rows:
        table.add_row(name, f"{report[measured]:,.0f}", f"{report[bare]:,.0f}")
    console = Console()
    console.print(table)
    console.print(
        f"evidence of one event 单条证据: p50 {report['proof_p50_ms']:g} ms, p99 {report['proof_p99_ms']:g} ms;"
        f" proof {report['proof_bytes']} bytes, evidence {report['evidence_bytes']} bytes"
    )
    console.print("peak memory MB 内存峰值: " + ", ".join(f"{k} {v:g}" for k, v in report["peak_rss_mb"].items()))
