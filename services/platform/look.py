"""How the platform is at this moment: what the state file says, checked against the processes, and each part asked."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from services.kernel.errors import IpxError
from services.platform.layout import Layout
from services.platform.parts import PARTS
from services.platform.processes import is_alive
from services.platform.program import Site
from services.platform.settings import PlatformSettings
from services.platform.state import Condition, PartState, PlatformState, read_state


@dataclass(frozen=True, slots=True)
class Seen:
    """One part as seen now. ``error`` is why it does not answer, or how it last ended."""

    name: str
    condition: str
    answers: bool
    pid: int | None
    port: int | None
    since_ms: int | None
    restarts: int
    error: str | None
    log: str | None


@dataclass(frozen=True, slots=True)
class Sight:
    """The whole: ``condition`` is up, starting, down, or abandoned (parts run, their supervisor does not)."""

    condition: str
    exchange: str
    supervisor_pid: int | None
    bootstrap: str
    parts: tuple[Seen, ...]

    @property
    def ready(self) -> bool:
        """Whether every part answers."""
        return self.condition == "up" and all(part.answers for part in self.parts)


def look(layout: Layout, settings: PlatformSettings) -> Sight:
    """Looks at the processes and asks every part that should run; works when nothing does. Blocks a few seconds."""
    state = read_state(layout.state_file)
    if state is None:
        return Sight("down", settings.exchange_name, None, "never", ())
    supervised = is_alive(state.pid, state.created)
    site = Site(layout=layout, settings=settings, ports=state.ports, external=_external(state, settings))
    with ThreadPoolExecutor(max_workers=len(state.parts) or 1) as pool:
        answers = dict(zip(state.parts, pool.map(lambda name: _ask(name, state, site), state.parts), strict=True))
    parts = tuple(_seen(name, part, answers[name], supervised) for name, part in state.parts.items())
    condition = _condition(state, supervised, any(is_alive(part.pid, part.created) for part in state.parts.values()))
    return Sight(condition, state.exchange, state.pid if supervised else None, state.bootstrap, parts)


def _condition(state: PlatformState, supervised: bool, any_alive: bool) -> str:
    if not supervised:
        return "abandoned" if any_alive else "down"
    return "up" if state.bootstrap == "done" and not state.not_ready else "starting"


def _external(state: PlatformState, settings: PlatformSettings) -> Mapping[str, str]:
    addresses = {
        "kafka": settings.kafka_bootstrap,
        "registry": settings.registry_url,
        "postgres": settings.postgres_dsn.get_secret_value(),
    }
    return {name: address for name, address in addresses.items() if _is_external(state, name)}


def _is_external(state: PlatformState, name: str) -> bool:
    return name in state.parts and state.parts[name].condition is Condition.EXTERNAL


def _ask(name: str, state: PlatformState, site: Site) -> str | None:
    """Why the part does not answer, or None when it does. What does not run is not asked."""
    part = state.parts[name]
    if part.condition is not Condition.EXTERNAL and not is_alive(part.pid, part.created):
        return part.error or "not running"
    probe = next((known.probe for known in PARTS if known.name == name), None)
    if probe is None:
        return "no such part in this version"
    try:
        probe(site)
    except IpxError as error:
        return str(error)
    return None


def _seen(name: str, part: PartState, refused: str | None, supervised: bool) -> Seen:
    alive = is_alive(part.pid, part.created)
    is_ours = part.condition is not Condition.EXTERNAL
    condition = part.condition.value
    if is_ours and not alive and not (supervised and part.condition in (Condition.WAITING, Condition.RESTARTING)):
        condition = "starting" if supervised and part.condition is Condition.STARTING else Condition.STOPPED.value
    elif is_ours and alive and refused is not None and part.condition is Condition.READY:
        condition = "unwell"
    return Seen(
        name=name,
        condition=condition,
        answers=refused is None,
        pid=part.pid if alive else None,
        port=part.port,
        since_ms=part.since_ms,
        restarts=part.restarts,
        error=refused if refused != "not running" else None,
        log=part.log,
    )
