"""Peak resident memory of processes, as Linux tells it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def peak_memory_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """Largest resident memory of each process so far, in MB; a process that has ended is left out."""
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
