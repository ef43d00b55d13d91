"""``ipx room run``: one worker of a room, composed here: settings, keys, members, runner, health."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from services.codec.keys import Ed25519Signer, parse_private, parse_public
from services.codec.registry import SchemaRegistry
from services.codec.released import load_released
from services.commands.rooms import ROOMS
from services.kernel.errors import BadSettings, Transient
from services.members.follower import MembersFollower
from services.members.registry import Registry
from services.runtime.fold import Room
from services.runtime.health import Checks, HealthServer
from services.runtime.logging import configure
from services.runtime.metrics import Metrics
from services.runtime.proposals import Proposer
from services.runtime.room_process import CHECKS, Figures, Parts, RoomProcess, RoomSettings, serve
from services.runtime.topics import Topics

_FIGURES = {"transfers": "services.transfers.figures"}
_MEMBERS_WAIT_S = 2.0
_REGISTRY_TIMEOUT_S = 3.0


@click.group("room")
def command() -> None:
    """Run the domain rooms: what folds the logs into states and derives events from them."""


@command.command("run")
@click.argument("name", type=click.Choice(ROOMS))
def run(name: str) -> None:
    """Run one worker of a room until SIGTERM. Several workers of a room share its partitions.

    Needs the private key of exchange.<room> in <state dir>/keys (`ipx members init` makes it). Kafka, the registry and
    PostgreSQL may be away at the start or later: it waits, says so in /readyz, and goes on.
    """
    settings = RoomSettings.load()
    configure(f"room-{name}", form=settings.log_format, level=settings.log_level)
    room, store_sql = load_room(name)
    asyncio.run(_run(room, store_sql, settings))


def load_room(name: str) -> tuple[Room[Any], str]:
    """The room of that name and the tables it adds to the runner's."""
    worker = import_module(f"services.{name}.worker")
    tables = Path(str(worker.__file__)).with_name("store.sql")
    return worker.ROOM, tables.read_text("utf-8") if tables.exists() else ""


@dataclass(frozen=True, slots=True)
class FollowedMembers:
    """The world of a fold: the registry at any size of the members log, as far as it has been followed."""

    follower: MembersFollower

    def registry(self, size: int) -> Registry:
        """Blocks up to two seconds for the follower to come so far; then ``Transient``."""
        history = self.follower.require()
        if not history.wait_for(size, _MEMBERS_WAIT_S):
            raise Transient(f"the members log has been followed to {history.size}, {size} is needed")
        return history.at(size)

    def ask(self) -> str | None:
        """A health probe: None while the members log is followed."""
        state = self.follower.state
        return None if state == "following" else f"the members log is {state}"


async def _run(room: Room[Any], store_sql: str, settings: RoomSettings) -> None:
    metrics = Metrics("room")
    checks = Checks(metrics, *CHECKS)
    released = load_released()
    topics = Topics(settings.exchange_name)
    signer = read_signer(settings.state_dir, room.participant)
    follower = MembersFollower(
        settings.librdkafka(), topics, schema_of=released.with_digest, root=parse_public(settings.root_key or "")
    )
    world = FollowedMembers(follower)
    figures = figures_of(room, metrics, lambda: follower.require().latest)
    checks.probe("members", world.ask)
    registry = SchemaRegistry(settings.registry_url, timeout_s=_REGISTRY_TIMEOUT_S)
    proposer = Proposer(room.name, topics, signer, released.named, registry.id_of)
    parts = Parts(settings, world, proposer, released.with_digest, checks, metrics, store_sql, figures)
    with HealthServer(settings.metrics_port, checks, metrics):
        follower.start()
        await serve(RoomProcess(room, parts))
        follower.stop()
        registry.close()


def figures_of(room: Room[Any], metrics: Metrics, registry: Callable[[], Registry]) -> Figures | None:
    """What the room tells of itself beside the figures of every room; None for most."""
    where = _FIGURES.get(room.name)
    return None if where is None else import_module(where).figures_for(metrics, registry)


def read_signer(state_dir: Path, participant: str) -> Ed25519Signer:
    """The private key of one of the exchange's own parts; ``BadSettings`` when there is none or it is another's."""
    path = state_dir / "keys" / f"{participant}.key"
    try:
        signer = parse_private(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(f"no private key of {participant} in {path.parent.name}/: run `ipx members init`") from error
    if signer.public.participant != participant:
        raise BadSettings(f"{path.name} holds a key of {signer.public.participant}")
    return signer
