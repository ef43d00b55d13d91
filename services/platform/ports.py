"""Loopback ports of the parts: the one used last time if it is free, else the usual one, else any free one.

Between the choosing of a port and the moment its part listens there it looks free to everybody. So a supervisor *holds*
what it chose, as long as it lives, by binding the UDP side of the same port, which no part uses: two exchanges that start at
the same moment choose apart, and a part that is restarted finds its port again. The operating system keeps that claim for
exactly those who could take the port (any user, any temporary directory, one network namespace) and ends it with the
process. Programs that are not of an exchange know nothing of it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from services.kernel.errors import Transient

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
    "ledger_metrics": 19105,
    "transfers_metrics": 19106,
}
"""Below the range from which Linux gives out ports by itself, so that a passing connection seldom takes one."""

MOST_TRIES = 200
"""Of ports that the operating system offers, before the choosing is given up."""


def choose_ports(
    remembered: Mapping[str, int], take: Callable[[int], bool], any_free: Callable[[], int]
) -> dict[str, int]:
    """A port for every name: remembered before usual before any, each only if it can be taken and was not given out already.

    The remembered one comes first so that a city's node, once told an address, finds the exchange there again.
    """
    chosen: dict[str, int] = {}
    for name, usual in USUAL_PORTS.items():
        wished = (remembered.get(name), usual)
        given = set(chosen.values())
        fitting = (port for port in wished if port is not None and port not in given and take(port))
        chosen[name] = next(fitting, None) or _another(given, take, any_free)
    return chosen


def _another(given: set[int], take: Callable[[int], bool], any_free: Callable[[], int]) -> int:
    for _ in range(MOST_TRIES):
        port = any_free()
        if port not in given and take(port):
            return port
    raise Transient(f"no loopback port could be had in {MOST_TRIES} tries: too many are in use on this machine")


class HeldPorts:
    """Ports that this process has claimed; they are its own until ``close`` or its end, however it ends."""

    def __init__(self) -> None:
        self._claims: dict[int, socket.socket] = {}

    def take(self, port: int) -> bool:
        """Claims the port; False when another exchange has claimed it or any process listens there. Does not block."""
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((LOOPBACK, port))
        except OSError:
            claim.close()
            return False
        if not is_free(port):
            claim.close()
            return False
        self._claims[port] = claim
        return True

    def close(self) -> None:
        """Gives all of them back."""
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()


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
