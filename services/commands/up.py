"""``ipx up``: start the exchange and leave it running."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.kernel.errors import Transient
from services.platform import artifacts, launch
from services.platform.daemon import external_services
from services.platform.layout import Layout
from services.platform.parts import EXTERNAL_SETTINGS, select_parts
from services.platform.settings import PlatformSettings
from services.platform.state import Condition, PlatformState, read_state


@click.command("up")
@click.option("--only", default="", help="Parts to start, joined by commas, e.g. kafka,registry,postgres.")
@click.option("--state-dir", type=click.Path(path_type=Path), help="Where data, logs and state are kept [.ipx].")
def command(only: str, state_dir: Path | None) -> None:
    """Start Kafka, the schema registry, PostgreSQL and the exchange, and leave them running.

    Returns when every part is ready. A second start finds the data of the first. `ipx status` tells how each part is,
    `ipx down` stops them.
    """
    settings = PlatformSettings.load(state_dir=state_dir)
    layout = Layout(settings.state_dir)
    names = [part.name for part in select_parts(filter(None, only.split(",")))]
    console = Console(stderr=True)
    if launch.is_up(layout):
        _say_up(console, layout, names)
        return
    external = external_services(os.environ)
    for part, address in external.items():
        if part in names:
            shown = "yours" if part == "postgres" else address
            console.print(f"{part} is not started: {EXTERNAL_SETTINGS[part]} points at {shown}")
    environ = {**os.environ, "IPX_STATE_DIR": str(layout.root)}
    with Progress(
        TextColumn("{task.description:<40}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        checking = progress.add_task("checking the pinned artifacts", total=None)
        ours = [name for name in names if name not in external]
        launch.fetch_artifacts(layout, settings.cache_dir, _files(progress, checking), parts=ours)
        starting = progress.add_task("starting", total=len(names) + 1)
        state = launch.start(
            layout,
            names if only else (),
            environ,
            lambda seen: _show(progress, starting, seen),
            within_s=settings.platform_start_timeout_s,
        )
    console.print(f"up: {', '.join(_address(state, name) for name in names)}", soft_wrap=True)
    console.print("`ipx status` tells how each part is, `ipx down` stops them", highlight=False)


def _files(progress: Progress, task: TaskID) -> artifacts.Progress:
    def show(file: str, done: int, total: int) -> None:
        progress.update(
            task, completed=done, total=total, description=f"checking {file}" if file else "artifacts checked"
        )

    return show


def _show(progress: Progress, task: TaskID, state: PlatformState) -> None:
    waiting = state.not_ready
    ready = len(state.parts) - len(waiting) + (state.bootstrap == "done")
    about = ", ".join(waiting) or ("" if state.bootstrap == "done" else state.bootstrap)
    progress.update(task, completed=ready, description=f"starting {about}"[:40] if about else "started")


def _say_up(console: Console, layout: Layout, names: list[str]) -> None:
    state = read_state(layout.state_file)
    running = list(state.parts) if state else []
    missing = [name for name in names if name not in running]
    if missing:
        raise Transient(
            f"already up with {', '.join(running)} only; `ipx down` first, then `ipx up`, to start {', '.join(missing)}"
        )
    console.print(f"already up: {', '.join(running)}; `ipx status` tells how each part is")


def _address(state: PlatformState, name: str) -> str:
    part = state.parts[name]
    return f"{name} (yours)" if part.condition is Condition.EXTERNAL else f"{name} {part.port}"
