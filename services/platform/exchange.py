"""The exchange's own processes as parts, and the steps that must have been done before they start."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from services.codec.http import Reply
from services.kernel.errors import Transient
from services.platform.asking import ask
from services.platform.ports import LOOPBACK
from services.platform.program import Part, Program, Site

_OK = 200


@dataclass(frozen=True, slots=True)
class Step:
    """One command of bootstrapping; idempotent, so that every start may run it."""

    name: str
    argv: tuple[str, ...]


BOOTSTRAP: tuple[Step, ...] = (
    Step("topics", ("topics", "apply")),
    Step("schemas", ("schemas", "register")),
    Step("members", ("members", "init")),
)


def ipx(*argv: str) -> tuple[str, ...]:
    """The ``ipx`` command of this installation, whatever the PATH is."""
    return (sys.executable, "-m", "services", *argv)


def process(name: str, *argv: str) -> Part:
    """A long-running ``ipx`` command as a part: health and metrics at its own loopback port.

    The gateway is a web server already and answers at the port of its API; the others open one for this alone.
    """
    port = "gateway" if name == "gateway" else f"{name}_metrics"
    return Part(
        name=name,
        port=port,
        after=("kafka", "registry", "postgres", "bootstrap"),
        prepare=lambda site: Program(argv=ipx(*argv), env=_env(site, name, port), stop_within_s=20),
        probe=lambda site: _ask_ready(f"http://{LOOPBACK}:{site.ports[port]}/readyz"),
        details=lambda site: {"url": f"http://{LOOPBACK}:{site.ports[port]}"},
        what_to_do=f"read the log; `ipx {' '.join(argv)}` runs it alone, with the settings of this state directory",
    )


def _env(site: Site, name: str, port: str) -> dict[str, str]:
    own = "IPX_GATEWAY_PORT" if name == "gateway" else "IPX_METRICS_PORT"
    return {"IPX_STATE_DIR": str(site.layout.root), own: str(site.ports[port])}


def _ask_ready(url: str) -> None:
    reply = ask(url)
    if reply.status != _OK:
        raise Transient(f"not ready: {failing_checks(reply)}")


def failing_checks(reply: Reply) -> str:
    """Which checks of a ``/readyz`` fail and why, from its document; the status when it is not one."""
    try:
        checks = reply.json()["checks"]
        failing = [f"{name}: {check['reason']}" for name, check in checks.items() if not check["ok"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"it answers {reply.status}"
    return "; ".join(failing) or f"it answers {reply.status}"
