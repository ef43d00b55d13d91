"""The exchange under a run: the one that is up in the state directory, or one that is started for the while."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.kernel.errors import Transient
from services.platform import launch
from services.platform.layout import Layout
from services.platform.settings import PlatformSettings
from services.platform.state import PlatformState, read_state
from services.runtime.settings import CommonSettings

NEEDED = ("admission", "gateway", "clues", "receipts", "relay")
READY_WITHIN_S = 60.0
_LOOK_EVERY_S = 0.2

Watch = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and how much there is."""


@contextmanager
def hold_exchange(state_dir: Path, watch: Watch, *, keep: bool) -> Iterator[CommonSettings]:
    """The settings of a running exchange; stops it at the end if it was started here, unless it is to be kept. Blocks."""
    layout = Layout(state_dir)
    settings = PlatformSettings.load(state_dir=state_dir)
    was_up = launch.is_up(layout)
    if was_up:
        _wait_for(layout, watch)
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


def _wait_for(layout: Layout, watch: Watch) -> None:
    """Until an exchange that somebody else started is ready; it is not stopped when it does not become so."""
    until = time.monotonic() + READY_WITHIN_S
    while True:
        state = read_state(layout.state_file) or PlatformState()
        missing = [name for name in NEEDED if name not in state.parts]
        if missing and state.parts:
            raise Transient(f"the exchange in {layout.root} is up without {', '.join(missing)}; `ipx down`, then again")
        if state.parts and not state.not_ready and state.bootstrap == "done":
            return
        watch(f"waiting for {', '.join(state.not_ready) or state.bootstrap}", 0, None)
        if time.monotonic() > until:
            late = ", ".join(state.not_ready) or "its bootstrap"
            raise Transient(f"the exchange in {layout.root} is up and does not become ready: {late}; see `ipx status`")
        time.sleep(_LOOK_EVERY_S)
