"""Options and output that the commands over a whole log share: from where it is read, how findings are shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape

from services.audit.archive_reading import open_archive
from services.audit.log_reading import KafkaLogs
from services.audit.sources import Finding, LogSource
from services.codec.keys import PublicKey, parse_public
from services.kernel.errors import BadSettings
from services.ledger.settings import LedgerSettings
from services.runtime.shell import clock_of
from services.runtime.topics import Topics

F = TypeVar("F", bound=Callable[..., Any])
CORES = max(1, min(2, os.cpu_count() or 1))

_OPTIONS = (
    click.option(
        "--archive",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Read an exported archive instead of the running exchange.",
    ),
    click.option("--root-key", help="Public key line of the founding; otherwise IPX_ROOT_KEY."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
)


def source_options(command: F) -> F:
    """``--archive``, ``--root-key`` and ``--json``."""
    return reduce(lambda decorated, option: option(decorated), reversed(_OPTIONS), command)


def root_of(given: str | None, settings: LedgerSettings) -> PublicKey:
    """The key that the auditor believes; ``BadSettings`` when none is given."""
    line = given or settings.root_key
    if not line:
        raise BadSettings("which key founded the exchange? give --root-key, or IPX_ROOT_KEY")
    return parse_public(line)


def open_running(settings: LedgerSettings, root: PublicKey) -> KafkaLogs:
    """The running exchange, as of now. Blocks; ``Transient`` without Kafka."""
    topics = Topics(settings.exchange_name)
    return KafkaLogs(
        settings.librdkafka(), topics, root=root, ledger_dir=settings.files_dir, clock=clock_of(settings.clock_file)
    )


def open_source(archive: Path | None, root_key: str | None) -> LogSource:
    """The archive, or the running exchange."""
    settings = LedgerSettings.load()
    root = root_of(root_key, settings)
    return open_running(settings, root) if archive is None else open_archive(archive, root)


def as_document(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings for ``--json``."""
    return [
        {
            "code": one.code,
            "topic": one.topic,
            "partition": one.partition,
            "offset": one.offset,
            "seq": one.seq,
            "sentence": one.sentence,
        }
        for one in findings
    ]


def print_findings(console: Console, findings: Iterable[Finding], more: int = 0) -> None:
    """One line for each, the first one first."""
    for one in findings:
        console.print(f"[red]✗[/] {escape(one.line())}", soft_wrap=True)
    if more:
        console.print(f"[red]✗[/] and {more} more 另有{more}处", soft_wrap=True)
