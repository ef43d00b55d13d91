"""The stage: each city's case systems and node, configured for the exchange that runs, started together, waited for.

What is kept in the state directory (databases of nodes and systems) is found again by the next run; ports are chosen anew.
Secrets between a system and its node are made once and readable by their owner alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.codec.http import HttpClient
from services.demo.crew import Crew, Role
from services.demo.desk import HttpDesk
from services.demo.roster import City, Organ
from services.kernel.errors import Transient
from services.kernel.ports import Entropy
from services.platform.layout import Layout
from services.platform.ports import LOOPBACK, any_free
from services.platform.state import read_state
from services.runtime.settings import CommonSettings

READY_WITHIN_S = 60.0
_POLL_S = 0.25
_OK = 200
PROOFS = {"flat": "token", "nested": "hmac"}
"""How a node proves itself to a system of either form."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an organ's system and a city's node are reached."""

    systems: dict[str, int]
    """Port by organ."""
    nodes: dict[str, int]
    """Port of metrics and health by node."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Cities with their crew at work."""

    crew: Crew
    place: Place
    desks: dict[str, HttpDesk]

    def tend(self) -> None:
        """Keeps the crew alive; ``Transient`` when one of it ends again and again."""
        self.crew.tend()
        failed = self.crew.failed()
        if failed is not None:
            raise Transient(failed)


def set_stage(
    settings: CommonSettings,
    cities: Sequence[City],
    crew: Crew,
    http: HttpClient,
    entropy: Entropy,
    watch: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> Stage:
    """Writes every configuration, starts every process, returns when all are ready. Blocks; ``Transient`` when one is not."""
    organs = [organ for city in cities for organ in city.organs]
    ports = _free_ports(len(organs) + len(cities))
    place = Place(
        {organ.id: port for organ, port in zip(organs, ports, strict=False)},
        {city.node: port for city, port in zip(cities, ports[len(organs) :], strict=True)},
    )
    root = settings.state_dir / "demo"
    crew.start(system_role(root, organ, place, entropy, settings.clock_file) for organ in organs)
    crew.start(node_role(root, settings, city, place) for city in cities)
    stage = Stage(crew, place, {o.id: HttpDesk(f"http://{LOOPBACK}:{place.systems[o.id]}", http) for o in organs})
    _wait_ready(stage, http, watch)
    return stage


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = any_free()
        if port not in found:
            found.append(port)
    return found


def system_role(root: Path, organ: Organ, place: Place, entropy: Entropy, clock_file: Path | None = None) -> Role:
    """Writes the configuration of an organ's case system; the process that runs it. A moved clock is the city's clock too."""
    folder = root / "systems" / organ.slug
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    proof = {"kind": PROOFS[organ.form], "client_id": "ipx", "secret": _secret(folder, entropy)}
    lines = {
        "name": organ.id,
        "division": organ.division,
        "dialect": organ.form,
        "short": organ.short,
        "database": "system.db",
        "port": place.systems[organ.id],
        "officer": organ.officer,
        "officer_phone": organ.phone,
        "section": organ.section,
    }
    lines |= {} if clock_file is None else {"clock": str(clock_file.resolve())}
    config = folder / "city.toml"
    _write(config, _toml(lines) + "\n[proof]\n" + _toml(proof))
    return Role(f"system-{organ.slug}", (sys.executable, "-m", "connectors.reference_city", "--config", str(config)))


def node_role(root: Path, settings: CommonSettings, city: City, place: Place) -> Role:
    """Writes the configuration of a city's node; the process that runs it."""
    folder = root / "nodes" / city.node
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = "[node]\n" + _toml({"name": city.node, "gateway": gateway_of(settings), "inbox_wait_s": 20})
    for organ in city.organs:
        system = root / "systems" / organ.slug
        text += "\n[[participants]]\n"
        text += _toml({"id": organ.id, "key_file": str(settings.state_dir / "keys" / f"{organ.id}.key")})
        url = f"http://{LOOPBACK}:{place.systems[organ.id]}"
        text += "[participants.city]\n" + _toml({"dialect": organ.dialect, "url": url, "poll_s": _POLL_S})
        proof = {"kind": PROOFS[organ.form], "client_id": "ipx", "secret_file": str(system / "secret")}
        text += "[participants.city.auth]\n" + _toml(proof)
    config = folder / "node.toml"
    _write(config, text)
    env = {"IPX_STATE_DIR": str(settings.state_dir), "IPX_METRICS_PORT": str(place.nodes[city.node])}
    return Role(f"node-{city.node}", (sys.executable, "-m", "services", "node", "run", "--config", str(config)), env)


def gateway_of(settings: CommonSettings) -> str:
    """Address of the gateway that runs in this state directory."""
    state = read_state(Layout(settings.state_dir).state_file)
    gateway = None if state is None else state.parts.get("gateway")
    url = None if gateway is None else gateway.details.get("url")
    if url is None:
        raise Transient(f"no gateway runs in {settings.state_dir}; `ipx status` tells how each part is")
    return str(url)


def _secret(folder: Path, entropy: Entropy) -> str:
    path = folder / "secret"
    if not path.exists():
        _write(path, entropy.draw(24).hex() + "\n")
    return path.read_text("utf-8").strip()


def _toml(lines: Mapping[str, object]) -> str:
    # a JSON string is a TOML basic string, and so are numbers
    return "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in lines.items())


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _wait_ready(stage: Stage, http: HttpClient, watch: Callable[[str, int, int], None]) -> None:
    """Until every system answers and every node says that it is ready."""
    doors = {f"system {organ}": f"{desk.url}/health" for organ, desk in stage.desks.items()}
    doors |= {f"node {name}": f"http://{LOOPBACK}:{port}/readyz" for name, port in stage.place.nodes.items()}
    until, total = time.monotonic() + READY_WITHIN_S, len(doors)
    while doors:
        stage.tend()
        doors = {name: url for name, url in doors.items() if not _answers(http, url)}
        watch(f"starting {', '.join(doors)}", total - len(doors), total)
        if doors and time.monotonic() > until:
            raise Transient(f"not ready within {READY_WITHIN_S:.0f} s: {', '.join(doors)}; see the logs of the demo")
        time.sleep(0.1 if doors else 0)


def _answers(http: HttpClient, url: str) -> bool:
    try:
        return http.send("GET", url, timeout_s=2).status == _OK
    except Transient:
        return False
