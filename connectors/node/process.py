"""The node as a process: its parts put together, run until told to stop. The only importer of services/runtime here.

Every loop stands alone: what fails in one is tried again there and delays no other. Only ``Corrupt`` (the database or the members log
contradicts what was proved) ends the node.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from connectors.kit.auth import ClientCredentials, HeaderMaker, HmacHeader, NoProof, StaticToken
from connectors.kit.breaker import Breaker
from connectors.kit.dialect import load_dialect
from connectors.node import members_log
from connectors.node.arrivals import Arrivals
from connectors.node.case_watch import CaseWatch
from connectors.node.casebook import Casebook
from connectors.node.config import (
    City,
    Member,
    NodeConfig,
    read_root_key,
    read_sealing_signer,
    read_secret,
    read_signer,
)
from connectors.node.gateway import Gateway
from connectors.node.intake import Intake
from connectors.node.journal import Journal, open_database
from connectors.node.keeping import Keeper
from connectors.node.limits import Limits
from connectors.node.members import CHECK as MEMBERS_CHECK
from connectors.node.members import Members
from connectors.node.publishing import Publisher, Resender
from connectors.node.pulling import Puller
from connectors.node.pushing import Pusher
from connectors.node.reading import InboxReader
from connectors.node.schemas import Schemas
from connectors.node.sealing import Sealer
from connectors.node.site import Site
from connectors.node.verify import LATEST, Verifier
from connectors.node.witness import Witness
from connectors.rest.city import RestCity
from connectors.rest.system import compile_system
from services.cases.laws import load_laws
from services.codec.envelope import Envelope
from services.codec.http import AsyncHttpClient
from services.codec.keys import Ed25519Signer
from services.codec.released import load_released
from services.kernel.errors import BadSettings
from services.kernel.ports import Clock, Signer
from services.members.history import History
from services.runtime import faults
from services.runtime.health import Checks, HealthServer
from services.runtime.logging import get_logger
from services.runtime.loopback import is_loopback
from services.runtime.metric_kinds import Counter, Gauge, Histogram
from services.runtime.metrics import METRICS, Metrics
from services.runtime.shell import RunningClock, SystemEntropy, clock_of
from services.runtime.topics import Topics

_PREFIX = "ipx_node_"
_log = get_logger("node")
Loop = Callable[[], Awaitable[None]]


class RuntimeTeller:
    """The teller port over the metrics, logs, health checks and fault points of services/runtime."""

    def __init__(self, metrics: Metrics, checks: Checks) -> None:
        self._metrics = metrics
        self._checks = checks
        self._named = {m.name.removeprefix(_PREFIX): m for m in METRICS if m.name.startswith(_PREFIX)}

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Adds to a counter."""
        metric = self._named[name]
        assert isinstance(metric, Counter)
        self._metrics.add(metric, amount, **labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Sets a gauge."""
        metric = self._named[name]
        assert isinstance(metric, Gauge)
        self._metrics.set(metric, value, **labels)

    def seconds(self, name: str, value: float, **labels: str) -> None:
        """Observes a duration."""
        metric = self._named[name]
        assert isinstance(metric, Histogram)
        self._metrics.observe(metric, value, **labels)

    def info(self, what: str, **about: str | int | float | None) -> None:
        """Logs a line."""
        _log.info(what, **about)

    def warning(self, what: str, **about: str | int | float | None) -> None:
        """Logs a warning."""
        _log.warning(what, **about)

    def error(self, what: str, **about: str | int | float | None) -> None:
        """Logs an error."""
        _log.error(what, **about)

    def healthy(self, check: str, reason: str | None) -> None:
        """Passes or fails a health check."""
        if reason is None:
            self._checks.passed(check)
        else:
            self._checks.failed(check, reason)

    def reach(self, point: str) -> None:
        """Reaches a fault point."""
        faults.reach(point)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the node takes from where it runs, when its file does not say it."""

    gateway: str | None
    exchange: str
    root_key: str | None
    metrics_port: int
    clock_file: Path | None = None


async def run(config: NodeConfig, around: Surroundings, stop: asyncio.Event | None = None) -> None:
    """Runs the node until SIGTERM or SIGINT, or until ``stop`` is set. ``BadSettings`` before anything is touched."""
    root = read_root_key(config.node.root_key or around.root_key)
    url = config.node.gateway or around.gateway
    if not url:
        raise BadSettings("node.gateway: the address of the exchange's gateway is needed")
    exchange = config.node.exchange or around.exchange
    if around.clock_file is not None and not is_loopback(urlsplit(url).hostname):
        raise BadSettings(f"IPX_CLOCK_FILE moves the clock of one machine alone, and node.gateway {url} is on another")
    metrics = Metrics("node")
    clock, entropy, released = clock_of(around.clock_file, metrics), SystemEntropy(), load_released()
    signers: dict[str, Signer] = {member.id: read_signer(config, member) for member in config.participants}
    sites = [_site(config, member, clock) for member in config.participants]
    checks = Checks(metrics, MEMBERS_CHECK, *_checks(sites))
    teller = RuntimeTeller(metrics, checks)
    port = config.node.metrics_port
    sealing: dict[str, Signer] = {member.id: read_sealing_signer(config, member) for member in config.participants}
    sealer = Sealer(sealing, released, clock, entropy)
    open_database(config.database).close()  # so that whoever hears the node finds its database
    with HealthServer(around.metrics_port if port is None else port, checks, metrics):
        journal = Journal(config.database, sealer.store_receipts)
        gateway = Gateway(AsyncHttpClient(url, timeout_s=30, connections=4 * len(sites) + 4), exchange, signers, clock)
        schemas = Schemas(released)
        history = History(log=f"{Topics(exchange).log('members')}/0", schema_of=schemas.with_digest, root=root)
        keep = partial(_keep_members, journal)
        members = Members(gateway, history, sites[0].participant, teller, config.node.members_poll_s, keep)
        book = Casebook(load_laws(), history)
        loops: list[Loop] = [members.run]
        for site in sites:
            loops += _loops(config, site, gateway, journal, members, schemas, sealer, book, teller, clock, entropy)
        bells = tuple(site.bells.outbox for site in sites)
        if config.witness.enabled:
            own = {member.id: read_signer(config, member) for member in config.participants}
            loops.append(_witness(config, own, gateway, journal, members, teller, clock, entropy, sites).run)
        loops.append(Resender(journal, clock, teller, bells, config.node.resend_after_s).run)
        loops.append(Limits(journal, clock, teller, bells).run)
        loops.append(Keeper(journal, clock, teller, config.node.keep_days).run)
        try:
            await _run_until(stop or _stop_on_signals(), loops)
        finally:
            await journal.close()
            await gateway.close()
            for site in sites:
                if site.city is not None:
                    await site.city.close()


def _checks(sites: Iterable[Site]) -> list[str]:
    names = []
    for site in sites:
        names += [f"inbox {site.participant}", f"outbox {site.participant}"]
        if site.city is not None:
            names += [f"pull {site.city.name}", f"push {site.city.name}"]
    return names


def _loops(
    config: NodeConfig,
    site: Site,
    gateway: Gateway,
    journal: Journal,
    members: Members,
    schemas: Schemas,
    sealer: Sealer,
    book: Casebook,
    teller: RuntimeTeller,
    clock: Clock,
    entropy: SystemEntropy,
) -> list[Loop]:
    reader = InboxReader(
        site=site,
        gateway=gateway,
        journal=journal,
        members=members,
        schemas=schemas,
        verifier=Verifier(site.participant, schemas.with_digest, members.registry_at),
        arrivals=Arrivals(site, config.node.name),
        clock=clock,
        entropy=entropy,
        teller=teller,
        watch=CaseWatch(site.participant, journal, members, book, teller),
        page_size=config.node.page_size,
        wait_s=config.node.inbox_wait_s,
    )
    loops: list[Loop] = [reader.run, Publisher(site, gateway, journal, clock, entropy, teller).run]
    if site.city is not None and site.dialect is not None:
        breaker = Breaker(site.pace.breaker, RunningClock())
        pusher = Pusher(
            site, site.city, site.dialect, journal, clock, entropy, teller, breaker, monotonic_s=time.monotonic
        )
        intake = Intake(site, site.dialect, sealer, book)
        loops += [pusher.run, Puller(site, site.city, intake, journal, clock, entropy, teller).run]
    return loops


async def _keep_members(journal: Journal, start: int, envelopes: Sequence[Envelope]) -> None:
    await journal.change(lambda change: members_log.keep(change.db, start, envelopes))


def _witness(
    config: NodeConfig,
    signers: Mapping[str, Ed25519Signer],
    gateway: Gateway,
    journal: Journal,
    members: Members,
    teller: RuntimeTeller,
    clock: Clock,
    entropy: SystemEntropy,
    sites: Iterable[Site],
) -> Witness:
    return Witness(
        signers=signers,
        gateway=gateway,
        journal=journal,
        registry=lambda: members.registry_at(LATEST),
        clock=clock,
        entropy=entropy,
        teller=teller,
        node=config.node.name,
        bells=[site.bells.outbox for site in sites],
        every_s=config.witness.every_s,
    )


def _site(config: NodeConfig, member: Member, clock: Clock) -> Site:
    if member.city is None:
        return Site(member.id, None, None)
    city, dialect = member.city, load_dialect(member.city.dialect)
    system = compile_system(dialect.system, f"dialect {city.dialect}")
    if shut := {outward.door for outward in dialect.outward.values()} - set(system.doors):
        raise BadSettings(f"dialect {city.dialect}: no door {', '.join(sorted(shut))}, which a mapping names")
    certificate: str | tuple[str, str] | None = None
    if city.tls.certificate is not None:
        own = str(config.path(city.tls.certificate))
        certificate = own if city.tls.key is None else (own, str(config.path(city.tls.key)))
    authorities = None if city.tls.authorities is None else str(config.path(city.tls.authorities))
    http = AsyncHttpClient(
        city.url,
        timeout_s=city.timeout_s,
        connections=city.concurrency + 4,
        certificate=certificate,
        authorities=authorities,
    )
    rest = RestCity(config.connector_name(member), system, http, _maker(config, city, http, clock))
    return Site(member.id, rest, dialect, city.pace())


def _maker(config: NodeConfig, city: City, http: AsyncHttpClient, clock: Clock) -> HeaderMaker:
    auth = city.auth
    if auth.kind == "none" or auth.secret_file is None:
        return NoProof()
    secret = read_secret(config.path(auth.secret_file))
    match auth.kind:
        case "token":
            return StaticToken(secret, auth.header, auth.prefix)
        case "hmac":
            return HmacHeader(auth.client_id, secret.encode(), clock)
        case _:
            return ClientCredentials(http, auth.token_url, auth.client_id, secret, RunningClock(), auth.scope)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _run_until(stop: asyncio.Event, loops: Iterable[Loop]) -> None:
    """Runs all loops; ends them when told to stop, or with the error of the first that fails."""
    tasks = [asyncio.ensure_future(loop()) for loop in loops]
    stopping = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)
