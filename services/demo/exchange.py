"""The exchange under a run: the one that is up in the state directory, or one that is started for the while."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.kernel.errors import Transient
from services.platform import launch
from services.platform.layout import Layout
from services.platform.settings import PlatformSettings
from services.platform.state import PlatformState, read_state
from services.runtime.settings import CommonSettings

Watch = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and how much there is."""


@contextmanager
def hold_exchange(state_dir: Path, watch: Watch, *, keep: bool) -> Iterator[CommonSettings]:
    """The settings of a running exchange; stops it at the end if it was started here, unless it is to be kept. Blocks."""
    layout = Layout(state_dir)
    settings = PlatformSettings.load(state_dir=state_dir)
    was_up = launch.is_up(layout)
    if was_up:
        _check_parts(layout)
    else:
        _start(layout, settings, watch)
    try:
        yield CommonSettings.load(state_dir=state_dir)
    finally:
        if not was_up and not keep:
            watch("stopping the exchange", 0, None)
            launch.stop(layout)


def _start(layout: Layout, settings: PlatformSettings, watch: Watch) -> None:
    def fetched(file: str, done: int, total: int) -> None:
        watch(f"checking {file}" if file else "artifacts checked", done, total)

    def started(state: PlatformState) -> None:
        waiting = state.not_ready
        ready = len(state.parts) - len(waiting)
        about = ", ".join(waiting) or state.bootstrap
        watch(f"starting {about}", ready, len(state.parts))

    launch.fetch_artifacts(layout, settings.cache_dir, fetched)
    environ = {**os.environ, "IPX_STATE_DIR": str(layout.root)}
    launch.start(layout, (), environ, started, within_s=settings.platform_start_timeout_s)


def _check_parts(layout: Layout) -> None:
    state = read_state(layout.state_file)
    missing = [] if state is None else [name for name in ("gateway", "admission") if name not in state.parts]
    if missing:
        raise Transient(f"the exchange in {layout.root} is up without {', '.join(missing)}; `ipx down`, then again")
