"""The exchange's own processes as parts, and the steps that must have been done before they start."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.codec.http import HttpClient
from services.kernel.errors import Transient
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
    """A long-running ``ipx`` command as a part: metrics and health at its own loopback port."""
    metrics = f"{name}_metrics"
    return Part(
        name=name,
        port="gateway" if name == "gateway" else metrics,
        after=("kafka", "registry", "postgres", "bootstrap"),
        prepare=_prepare(metrics, argv),
        probe=_ready_at(metrics),
        details=lambda site: _details(site, name, metrics),
        what_to_do=f"read the log; `ipx {' '.join(argv)}` runs it alone, with the settings of this state directory",
    )


def _prepare(metrics: str, argv: tuple[str, ...]) -> Callable[[Site], Program]:
    def prepare(site: Site) -> Program:
        env = {
            "IPX_STATE_DIR": str(site.layout.root),
            "IPX_METRICS_PORT": str(site.ports[metrics]),
            "IPX_GATEWAY_PORT": str(site.ports["gateway"]),
        }
        return Program(argv=ipx(*argv), env=env)

    return prepare


def _ready_at(metrics: str) -> Callable[[Site], None]:
    def probe(site: Site) -> None:
        url = f"http://{LOOPBACK}:{site.ports[metrics]}/readyz"
        with HttpClient(timeout_s=2) as client:
            reply = client.send("GET", url)
        if reply.status != _OK:
            said = reply.body[:200].decode("utf-8", "replace")
            raise Transient(f"{url} answers {reply.status} {said}")

    return probe


def _details(site: Site, name: str, metrics: str) -> Mapping[str, str | int]:
    told: dict[str, str | int] = {"metrics_port": site.ports[metrics]}
    if name == "gateway":
        told["url"] = f"http://{LOOPBACK}:{site.ports['gateway']}"
    return told
