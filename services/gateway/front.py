"""The outermost layer of the web application: trace, security headers, access line, metrics, named errors as problems.

Plain ASGI, because it runs for every event: FastAPI's own way to a handler costs 30 to 46 µs here, a look-up in this
table 1.3 µs. The routes that carry events are answered from the table ``hot``; every other request, and those same routes
when the path has parameters, goes through FastAPI.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from services.gateway.access import AccessLog
from services.gateway.exchange import Incoming, Message, Receive, Reply, Scope, Send, read_trace
from services.gateway.problems import Problem, RateLimited, RefusalTable, problem_of
from services.kernel.errors import IpxError, Refused, Transient
from services.kernel.ports import Entropy
from services.runtime.logging import get_logger
from services.runtime.metrics import GATEWAY_RATE_LIMITED, GATEWAY_REQUESTS, GATEWAY_SECONDS, Metrics

Handler = Callable[[Incoming], Awaitable[Reply]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

INCOMING = "ipx.incoming"
ROUTE = "ipx.route"
AN_ERROR_OF_OURS = Problem("unavailable", "an error of the exchange, noted with the trace of this request")
_UNROUTED = "other"
_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_NO_CONTENT_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NOT_STORED = (b"cache-control", b"no-store")
_log = get_logger("gateway")


class Front:
    """The ASGI application that the server runs."""

    def __init__(
        self,
        app: AsgiApp,
        hot: Mapping[tuple[str, str], Handler],
        refusals: RefusalTable,
        metrics: Metrics,
        entropy: Entropy,
        access: AccessLog,
    ) -> None:
        self._app = app
        self._hot = hot
        self._refusals = refusals
        self._metrics = metrics
        self._entropy = entropy
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; other scopes (lifespan) are FastAPI's, and there are no web sockets."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        incoming = self._incoming(scope, receive)
        handler = self._hot.get((incoming.method, incoming.path))
        outgoing = _Outgoing(send, incoming)
        try:
            if handler is not None:
                scope[ROUTE] = incoming.path
                await outgoing.reply(await self.answer(handler, incoming))
            else:
                scope[INCOMING] = incoming
                await self._app(scope, receive, outgoing.pass_on)
        finally:
            if outgoing.status == 0:  # a bug: the caller gets a problem, the server logs the traceback
                await outgoing.reply(self._refusals.reply(AN_ERROR_OF_OURS, incoming.trace.trace_id))
            self._tell(incoming, scope.get(ROUTE, _UNROUTED), outgoing.status, time.perf_counter() - began_s)

    async def answer(self, handler: Handler, incoming: Incoming) -> Reply:
        """What the handler replies, or the problem of the named error that it raised."""
        try:
            return await handler(incoming)
        except IpxError as error:
            if not isinstance(error, Refused | Transient):
                _log.error("a request met a fault", trace_id=incoming.trace.trace_id, exc_info=error)
            if isinstance(error, RateLimited):
                self._metrics.add(GATEWAY_RATE_LIMITED, participant=incoming.principal or "-")
            problem = problem_of(error)
            incoming.notes["code"] = problem.code
            return self._refusals.reply(problem, incoming.trace.trace_id)

    def _incoming(self, scope: Scope, receive: Receive) -> Incoming:
        pairs = scope["headers"]
        headers = dict(pairs)
        client = scope.get("client")
        return Incoming(
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"],
            headers=headers,
            pairs=pairs,
            peer=client[0] if client else "-",
            trace=read_trace(headers.get(b"traceparent"), self._entropy.draw),
            receive=receive,
        )

    def _tell(self, incoming: Incoming, route: str, status: int, seconds: float) -> None:
        self._metrics.add(GATEWAY_REQUESTS, route=route, status=str(status))
        self._metrics.observe(GATEWAY_SECONDS, seconds, route=route)
        self._access.tell(incoming, route, status, seconds)


class _Outgoing:
    """Sends the reply with the headers that every reply has; remembers the status."""

    __slots__ = ("_incoming", "_send", "status")

    def __init__(self, send: Send, incoming: Incoming) -> None:
        self._send = send
        self._incoming = incoming
        self.status = 0

    async def reply(self, reply: Reply) -> None:
        self.status = reply.status
        names = {name for name, _ in reply.headers}
        headers = [
            (b"content-type", reply.content_type),
            (b"content-length", str(len(reply.body)).encode()),
            *reply.headers,
            *self._added(names),
        ]
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": reply.body})

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._added({name for name, _ in message["headers"]})]
        await self._send(message)

    def _added(self, present: set[bytes]) -> list[tuple[bytes, bytes]]:
        added = [header for header in (*_SAFE_HEADERS, _NO_CONTENT_POLICY, _NOT_STORED) if header[0] not in present]
        added.append((b"traceresponse", self._incoming.trace.header.encode()))
        return added
