"""The web application: one table of routes, FastAPI over it, the event-carrying routes taken by the front directly.

A handler is ``Incoming`` in, ``Reply`` or a named error out; nothing below this module and the front knows of ASGI.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from services.gateway.access import AccessLog
from services.gateway.cases import CasePages
from services.gateway.catalogue import Catalogue, MembersLog
from services.gateway.evidence import EvidenceOfEvents
from services.gateway.exchange import Incoming, Reply
from services.gateway.front import AN_ERROR_OF_OURS, INCOMING, ROUTE, Front, Handler
from services.gateway.inbox import InboxPages
from services.gateway.log_cosignatures import CosignaturePosts
from services.gateway.log_files import LogPages
from services.gateway.pages import Pages
from services.gateway.probes import Probes
from services.gateway.problems import Problem, RefusalTable
from services.gateway.publishing import Publishing
from services.gateway.status import StatusOfEvents
from services.kernel.ports import Entropy
from services.runtime.metrics import Metrics

_CODE_OF_STATUS = {404: "not-found", 405: "method-not-allowed"}


@dataclass(frozen=True, slots=True)
class Route:
    """One way in. ``hot`` routes have no path parameters and are answered without FastAPI's own routing."""

    method: str
    path: str
    handler: Handler
    hot: bool = False
    deep: bool = False
    """Whether the last parameter may hold slashes."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """Who answers what."""

    publishing: Publishing
    inbox: InboxPages
    status: StatusOfEvents
    evidence: EvidenceOfEvents
    cases: CasePages
    members: MembersLog
    catalogue: Catalogue
    logs: LogPages
    cosignatures: CosignaturePosts
    probes: Probes
    pages: Pages


def route_table(handlers: Handlers) -> tuple[Route, ...]:
    """Every way in."""
    catalogue, probes, pages = handlers.catalogue, handlers.probes, handlers.pages
    return (
        Route("POST", "/v1/events", handlers.publishing.post, hot=True),
        Route("GET", "/v1/inbox", handlers.inbox.get, hot=True),
        Route("GET", "/v1/events/{id}", handlers.status.get),
        Route("GET", "/v1/events/{id}/evidence", handlers.evidence.get),
        Route("GET", "/v1/cases", handlers.cases.page),
        Route("GET", "/v1/cases/{case}", handlers.cases.case, deep=True),
        Route("GET", "/v1/members", handlers.members.page),
        Route("GET", "/v1/schemas", catalogue.schemas),
        Route("GET", "/v1/schemas/by-digest/{hex}", catalogue.schema_by_digest),
        Route("GET", "/v1/schemas/{type}", catalogue.schema),
        Route("GET", "/v1/codes", catalogue.codes),
        Route("GET", "/v1/codes/{table}", catalogue.table),
        *_log_routes(handlers.logs, handlers.cosignatures),
        Route("GET", "/livez", probes.live),
        Route("GET", "/readyz", probes.ready),
        Route("GET", "/healthz", probes.health),
        Route("GET", "/metrics", probes.metrics),
        Route("GET", "/openapi.json", pages.openapi),
        Route("GET", "/docs", pages.page),
        Route("GET", "/docs/{name}", pages.asset),
    )


def _log_routes(logs: LogPages, cosignatures: CosignaturePosts) -> tuple[Route, ...]:
    log = "/v1/log/{exchange}/{family}/{partition}"
    return (
        Route("GET", "/v1/log", logs.logs),
        Route("GET", "/v1/log/policy", logs.policy),
        Route("GET", f"{log}/checkpoint", logs.checkpoint),
        Route("GET", f"{log}/witnessed", logs.witnessed),
        Route("GET", f"{log}/candidate", logs.candidate),
        Route("GET", f"{log}/tile/entries/{{index}}", logs.bundle, deep=True),
        Route("GET", f"{log}/tile/{{level}}/{{index}}", logs.tile, deep=True),
        Route("POST", f"{log}/cosignatures", cosignatures.post),
    )


def build_app(
    routes: tuple[Route, ...], refusals: RefusalTable, metrics: Metrics, entropy: Entropy, access: AccessLog
) -> Front:
    """The ASGI application over a table of routes."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    hot = {(route.method, route.path): route.handler for route in routes if route.hot}
    front = Front(app, hot, refusals, metrics, entropy, access)
    for route in routes:
        app.add_api_route(
            f"{route.path.removesuffix('}')}:path}}" if route.deep else route.path,
            _endpoint(front, route),
            methods=[route.method],
            response_class=Response,
        )
    app.add_exception_handler(HTTPException, _not_routed(refusals))
    app.add_exception_handler(Exception, _bug(refusals))
    return front


def _endpoint(front: Front, route: Route) -> Any:
    async def endpoint(request: Request) -> Response:
        incoming: Incoming = request.scope[INCOMING]
        incoming.path_values = request.path_params
        request.scope[ROUTE] = route.path
        return _response(await front.answer(route.handler, incoming))

    return endpoint


def _not_routed(refusals: RefusalTable) -> Any:
    async def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        code = _CODE_OF_STATUS.get(status, "bad-request")
        trace_id = request.scope[INCOMING].trace.trace_id
        reply = refusals.reply(Problem(code, f"{request.method} {request.url.path[:200]} is not here"), trace_id)
        allowed = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
        if allowed:
            reply = replace(reply, headers=(*reply.headers, (b"allow", allowed.encode())))
        return _response(reply)

    return answer


def _bug(refusals: RefusalTable) -> Any:
    """The reply to an error that is none of ours to name; Starlette raises it again, and the server logs where it was."""

    async def answer(request: Request, _error: Exception) -> Response:
        return _response(refusals.reply(AN_ERROR_OF_OURS, request.scope[INCOMING].trace.trace_id))

    return answer


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status)
    response.raw_headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        *reply.headers,
    ]
    return response
