"""Running another command of ``ipx`` to its end, as a process of its own: a measurement needs what ``ipx up`` starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from services.kernel.errors import Transient


def run_ipx(*words: str, environ: Mapping[str, str] | None = None) -> None:
    """Runs ``ipx`` with these words; what it says goes to stderr. Blocks; ``Transient`` when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "services", *words],
        stdout=sys.stderr,
        env=None if environ is None else dict(environ),
        check=False,
    )
    if done.returncode != 0:
        raise Transient(f"`ipx {' '.join(words)}` failed; what it said is above")
