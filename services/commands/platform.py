"""``ipx platform``: the pinned files under the local platform."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from services.platform import artifacts, maven
from services.platform.layout import Layout, cache_dir
from services.platform.settings import PlatformSettings


@click.group("platform")
def command() -> None:
    """Fetch, check and pin the files that Kafka and the schema registry are run from."""


@command.command("install")
def install() -> None:
    """Fetch every file of the lock that is not in the cache yet, and check all of them.

    `ipx up` does the same; this lets a machine be prepared while it has a network. IPX_CACHE_DIR names the cache.
    """
    settings = PlatformSettings.load()
    cache = cache_dir(Layout(settings.state_dir), settings.cache_dir)
    columns = (TextColumn("{task.description:<50}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("checking the pinned artifacts", total=None)
        artifacts.install(
            artifacts.load_lock(),
            cache,
            maven.fetch,
            lambda file, done, total: progress.update(
                task, completed=done, total=total, description=f"checking {file}" if file else "artifacts checked"
            ),
        )
    click.echo(f"every pinned file is in {cache} and is what the lock says")


@command.command("lock")
@click.option("--check", is_flag=True, help="Write nothing; fail when the lock would change.")
def lock(check: bool) -> None:
    """Make the lock again: resolve Kafka and the registry, fetch every file, write its size and SHA-256.

    Needs the network. Versions are in services/platform/maven.py; review the difference before you commit it.
    """
    with tempfile.TemporaryDirectory(prefix="ipx-lock-") as staging:
        made = artifacts.format_lock(maven.make_lock(Path(staging)))
    if check:
        if made != artifacts.LOCK.read_text("utf-8"):
            raise click.ClickException(f"{artifacts.LOCK.name} is not what resolving gives now")
        click.echo(f"{artifacts.LOCK.name} is what resolving gives now")
        return
    artifacts.LOCK.write_text(made, "utf-8")
    click.echo(f"wrote {artifacts.LOCK.name}: {made.count('[[artifact]]')} files")
