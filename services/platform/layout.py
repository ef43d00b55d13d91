"""Where the platform keeps its files: one state directory per exchange, one cache of checked artifacts per user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.runtime.settings import ENV_FILE


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths inside a state directory; nothing is created by asking."""

    root: Path

    @property
    def state_file(self) -> Path:
        """How each part is; written by the supervisor, read by everybody."""
        return self.root / "state.json"

    @property
    def env_file(self) -> Path:
        """Settings that every ``ipx`` command reads under the environment."""
        return self.root / ENV_FILE

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.root / "lock"

    @property
    def logs(self) -> Path:
        """One file per part."""
        return self.root / "logs"

    def log(self, part: str) -> Path:
        """What this part writes to its standard output and error."""
        return self.logs / f"{part}.log"

    def data(self, part: str) -> Path:
        """What this part keeps from one start to the next."""
        return self.root / part


def cache_dir(layout: Layout, chosen: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The cache to use: the chosen one, else the user's (made if it is missing), else one in the state directory.

    The last is for a home that is missing or cannot be written to: permissions alone do not tell (a read-only file
    system, another user's home), so making the directory is the test.
    """
    if chosen is not None:
        return chosen
    base = environ.get("XDG_CACHE_HOME") or (f"{environ['HOME']}/.cache" if environ.get("HOME") else "")
    return Path(base) / "ipx" if base and _can_make(Path(base) / "ipx") else layout.root / "cache"


def _can_make(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(path, os.W_OK | os.X_OK)
