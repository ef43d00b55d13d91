"""Runs the gateway: settings to a listening server, until SIGTERM.

uvicorn on uvloop and httptools, in the process's own event loop. The port is bound before anything else is started, so
that a taken port is said at once.
"""

from __future__ import annotations

import asyncio
import socket
from types import FrameType

import uvicorn
import uvloop

from services.audit.evidence_desk import EvidenceDesk
from services.cases.laws import load_laws
from services.codec.tlog_policy import Policy, format_policy
from services.gateway.access import AccessLog
from services.gateway.app import Handlers, build_app, route_table
from services.gateway.authenticating import Authenticator
from services.gateway.cases import CasePages
from services.gateway.catalogue import Catalogue, MembersLog
from services.gateway.evidence import EvidenceOfEvents
from services.gateway.front import Front
from services.gateway.inbox import InboxPages
from services.gateway.log_cosignatures import CosignaturePosts
from services.gateway.log_files import LogPages
from services.gateway.openapi import build_document, load_examples
from services.gateway.pages import load_pages
from services.gateway.probes import Probes
from services.gateway.problems import load_refusals
from services.gateway.process import Parts, assemble, monotonic_s
from services.gateway.protocol import BoundedProtocol
from services.gateway.publishing import Publishing
from services.gateway.settings import GatewaySettings
from services.gateway.status import ReceiptStates, StatusOfEvents
from services.gateway.throttle import Throttle
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import BadSettings
from services.ledger.policy import exchange_policy, known_signers
from services.ledger.quorum import load_quorum
from services.ledger.settings import LedgerSettings
from services.runtime.logging import configure, get_logger
from services.runtime.shell import SystemEntropy
from services.runtime.topics import Topics
from services.transfers.desk import CaseDesk

_KEEP_ALIVE_S = 75
_BACKLOG = 512


def run(settings: GatewaySettings) -> None:
    """Serves until SIGTERM or SIGINT, then stops in order. ``BadSettings`` before anything was started."""
    settings.checked()
    configure("gateway", form=settings.log_format, level=settings.log_level)
    with _bound(settings) as listener:
        uvloop.run(_serve(settings, listener))


async def _serve(settings: GatewaySettings, listener: socket.socket) -> None:
    parts = assemble(settings)
    access = AccessLog(parts.clock, asyncio.get_running_loop().call_later, form=settings.log_format)
    front = web(parts, access)
    BoundedProtocol.head_max_bytes = settings.gateway_head_max_bytes
    server = _Server(_config(settings, front), parts)
    parts.start()
    try:
        await server.serve(sockets=[listener])
    finally:
        access.flush()
        await parts.stop()


def web(parts: Parts, access: AccessLog) -> Front:
    """The web application over the parts."""
    settings, tables = parts.settings, load_code_tables(SCHEMAS_DIR / "codes")
    authenticator = Authenticator(
        lambda: parts.history().latest,
        settings.exchange_name,
        parts.clock,
        Throttle(settings.gateway_failed_rate_per_s, settings.gateway_failed_burst),
        monotonic_s,
        parts.metrics,
    )
    reads = Throttle(settings.gateway_read_rate_per_s, settings.gateway_read_burst_requests)
    reader = authenticator.limited(reads)
    ledger = LedgerSettings.load(state_dir=settings.state_dir)
    publishing = Publishing(
        parts.intake,
        parts.released,
        parts.producer,
        parts.waits,
        parts.inboxes.followed,
        authenticator.participant,
        Throttle(settings.gateway_publish_rate_per_s, settings.gateway_publish_burst_events),
        monotonic_s,
        parts.metrics,
        settings,
    )
    laws = load_laws(SCHEMAS_DIR / "codes")
    quorum, clock = load_quorum(ledger.ledger_witnesses_file), parts.clock

    def known() -> Policy | None:
        return known_signers(ledger.files_dir, settings.exchange_name, quorum, parts.history().latest, clock.now_ms())

    def policy_text() -> bytes:
        registry = parts.history().latest
        return format_policy(
            exchange_policy(ledger.files_dir, settings.exchange_name, quorum, registry, clock.now_ms())
        )

    desk = EvidenceDesk(
        ledger.files_dir,
        settings.exchange_name,
        parts.records,
        parts.history,
        parts.released.with_digest,
        known,
    )
    handlers = Handlers(
        publishing=publishing,
        inbox=InboxPages(parts.inboxes, reader),
        status=StatusOfEvents(parts.outcomes, ReceiptStates(parts.database).states, parts.waits.recent, reader),
        evidence=EvidenceOfEvents(desk.make, reader),
        cases=CasePages(CaseDesk(parts.database, laws, parts.history), reader, clock),
        members=MembersLog(parts.history, reader),
        catalogue=Catalogue(parts.released, tables),
        logs=LogPages(
            ledger.files_dir,
            settings.exchange_name,
            reader,
            Throttle(settings.gateway_read_rate_per_s, settings.gateway_read_burst_requests),
            monotonic_s,
            clock,
            policy_text,
            stale_s=ledger.ledger_stale_s,
        ),
        cosignatures=CosignaturePosts(
            settings.exchange_name,
            Topics(settings.exchange_name).checkpoints,
            reader,
            lambda: parts.history().latest,
            parts.producer,
            clock,
            timeout_s=settings.gateway_request_timeout_s,
        ),
        probes=Probes(parts.checks, parts.metrics, parts.inboxes),
        pages=load_pages(build_document(settings.base_url(), load_examples())),
    )
    return build_app(route_table(handlers), load_refusals(tables), parts.metrics, SystemEntropy(), access)


class _Server(uvicorn.Server):
    """uvicorn, told to begin the stop by letting the waits end; a signal is handled, not raised again at the end."""

    def __init__(self, config: uvicorn.Config, parts: Parts) -> None:
        super().__init__(config)
        self._parts = parts
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT; the second one ends at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._parts.drain)


def _config(settings: GatewaySettings, front: Front) -> uvicorn.Config:
    return uvicorn.Config(
        front,
        loop="none",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.gateway_behind_tls_proxy,
        forwarded_allow_ips=settings.gateway_trusted_proxies,
        limit_concurrency=settings.gateway_connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(settings.gateway_stop_timeout_s),
        ssl_certfile=settings.gateway_tls_certfile,
        ssl_keyfile=settings.gateway_tls_keyfile,
    )


def _bound(settings: GatewaySettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.gateway_host else socket.AF_INET
    try:
        listener = socket.create_server(
            (settings.gateway_host, settings.gateway_port), family=family, backlog=_BACKLOG, reuse_port=False
        )
    except OSError as error:
        raise BadSettings(f"{settings.gateway_host}:{settings.gateway_port} cannot be bound: {error}") from error
    get_logger("gateway").info("bound", port=settings.gateway_port)
    return listener
