"""``ipx audit export``: a period of the exchange as files that can be verified and replayed without it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import click
from confluent_kafka import Consumer, KafkaException, TopicPartition
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.audit.archive_files import ArchiveFiles
from services.audit.archive_manifest import Manifest
from services.audit.archive_period import period_of
from services.audit.archive_writing import ArchiveWriter
from services.audit.log_reading import TopicReader
from services.codec.keys import Ed25519Signer, parse_private
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings, Transient
from services.ledger.settings import LedgerSettings
from services.runtime.planner import Place
from services.runtime.shell import clock_of
from services.runtime.topics import Topics

_ASK_S = 10.0


@click.command("export")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--from", "from_day", metavar="DAY", help="First day, YYYY-MM-DD in Asia/Shanghai [the beginning].")
@click.option("--until", "until_day", metavar="DAY", help="Last day, included [now].")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where the exchange keeps its state [.ipx].")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    directory: Path, from_day: str | None, until_day: str | None, state_dir: Path | None, as_json: bool
) -> None:
    """Write a period of the exchange as files. 导出归档。

    Records of every log, inbox, checkpoint topic and quarantine, with tiles, schemas, code tables and agreements, under a signed manifest: `ipx audit
    verify-log --archive DIRECTORY` and `ipx audit replay --archive DIRECTORY` need nothing else. The members log is always whole. Needs the running exchange and the
    key of exchange.ledger. The directory is there whole or not at all.
    """
    settings = LedgerSettings.load(state_dir=state_dir)
    topics = Topics(settings.exchange_name)
    kafka = settings.librdkafka()
    files = ArchiveFiles(directory)
    with _bar(shown=not as_json) as on_progress:
        manifest = ArchiveWriter(
            reader=TopicReader(kafka, topics.prefix),
            start_of=_start_of(kafka),
            topics=topics,
            ledger_dir=settings.files_dir,
            schemas_dir=SCHEMAS_DIR,
            period=period_of(from_day, until_day),
            clock=clock_of(settings.clock_file),
            signer=_signer(settings.key_file),
            tool=f"ipx {version('ipx')}",
            on_progress=on_progress,
        ).write(files)
    if as_json:
        click.echo(json.dumps(document(manifest), ensure_ascii=False))
    else:
        _show(Console(), directory, manifest)


def document(manifest: Manifest) -> dict[str, object]:
    """The JSON form: what the archive is of, and how much."""
    return {
        "exchange": manifest.exchange,
        "from": manifest.from_day,
        "until": manifest.until_day,
        "files": len(manifest.files),
        "bytes": sum(line.bytes for line in manifest.files),
        "records": sum(line.records or 0 for line in manifest.files),
        "logs": {
            line.log: {"size": line.size, "first": line.first, "next": line.next, "root": line.root}
            for line in manifest.logs
        },
    }


def _show(console: Console, directory: Path, manifest: Manifest) -> None:
    table = Table("log", "from", "to", "of", box=None, padding=(0, 2, 0, 0))
    for line in manifest.logs:
        if line.size:
            table.add_row(line.log, str(line.first), str(line.next), str(line.size))
    console.print(table)
    megabytes = sum(line.bytes for line in manifest.files) / 1e6
    console.print(f"{directory}: {len(manifest.files)} files, {megabytes:.1f} MB", highlight=False)


def _signer(path: Path) -> Ed25519Signer:
    try:
        return parse_private(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(
            f"no private key of exchange.ledger in {path.parent.name}/: run `ipx members init`"
        ) from error


def _start_of(kafka: dict[str, object]) -> Callable[[Place, int], int]:
    """Offset of the first record of a partition that the broker got at or after an instant; its end when there is none."""

    def ask(place: Place, instant_ms: int) -> int:
        consumer = Consumer({**kafka, "group.id": "unused", "enable.auto.commit": False, "log_level": 2})
        try:
            [found] = consumer.offsets_for_times([TopicPartition(*place, instant_ms)], timeout=_ASK_S)
            if found.error is not None:
                raise Transient(f"Kafka: {found.error.str()}")
            if found.offset >= 0:
                return int(found.offset)
            return int(consumer.get_watermark_offsets(TopicPartition(*place), timeout=_ASK_S)[1])
        except KafkaException as error:
            raise Transient(f"Kafka: {error.args[0].str()}") from error
        finally:
            consumer.close()

    return ask


@contextmanager
def _bar(*, shown: bool) -> Iterator[Callable[[str, int], None]]:
    """A line for the partition that is read, on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda folder, offset: progress.update(task, description=folder, completed=offset)
