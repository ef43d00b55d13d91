"""Loopback ports of the parts: the one used last time if it is free, else the usual one, else any free one."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

LOOPBACK = "127.0.0.1"

USUAL_PORTS: Mapping[str, int] = {
    "kafka": 19092,
    "kafka_controller": 19093,
    "registry": 18081,
    "registry_management": 18082,
    "postgres": 15432,
    "gateway": 18080,
    "platform_metrics": 19100,
    "admission_metrics": 19101,
    "clues_metrics": 19102,
    "receipts_metrics": 19103,
    "relay_metrics": 19104,
}
"""Below the range from which Linux gives out ports by itself, so that a passing connection seldom takes one."""


def choose_ports(
    remembered: Mapping[str, int], is_free: Callable[[int], bool], any_free: Callable[[], int]
) -> dict[str, int]:
    """A port for every name: remembered before usual before any, each only if free and not given out already.

    The remembered one comes first so that a city's node, once told an address, finds the exchange there again.
    """
    chosen: dict[str, int] = {}
    for name, usual in USUAL_PORTS.items():
        wished = (remembered.get(name), usual)
        taken = set(chosen.values())
        fitting = (port for port in wished if port is not None and port not in taken and is_free(port))
        chosen[name] = next(fitting, None) or _another(taken, any_free)
    return chosen


def _another(taken: set[int], any_free: Callable[[], int]) -> int:
    while (port := any_free()) in taken:
        continue
    return port


def is_free(port: int) -> bool:
    """Whether a server could bind this loopback port now; another process may still take it a moment later."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def any_free() -> int:
    """A loopback port that the operating system has free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
