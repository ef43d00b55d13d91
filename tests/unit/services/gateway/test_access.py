import io
import json
from collections.abc import Callable

from services.gateway.access import AccessLog
from services.gateway.exchange import Incoming, Message, Trace
from services.kernel.ports import SettableClock

TRACE = "a" * 32


class Loop:
    """Keeps what is to be called later, until it is told that the time has come."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def call_later(self, _seconds: float, call: Callable[[], None]) -> None:
        self.waiting.append(call)

    def pass_time(self) -> None:
        waiting, self.waiting = self.waiting, []
        for call in waiting:
            call()


async def _receive() -> Message:
    raise AssertionError


def request(path: str = "/v1/events/0192f3c1", query: bytes = b"after=secret") -> Incoming:
    headers = {b"authorization": b"Bearer secret"}
    incoming = Incoming("GET", path, query, headers, list(headers.items()), "10.0.0.1", Trace(TRACE, "h"), _receive)
    incoming.principal = "320100.market_regulator"
    incoming.notes = {"code": "not-found", "body": "secret"}
    return incoming


def logged(form: str = "json", count: int = 1, route: str = "/v1/events/{id}") -> str:
    out, loop = io.BytesIO(), Loop()
    log = AccessLog(SettableClock(), loop.call_later, form=form, out=out)  # type: ignore[arg-type]
    for _ in range(count):
        log.tell(request(), route, 404, 0.00123)
    assert out.getvalue() == b"" or count > 1
    loop.pass_time()
    return out.getvalue().decode()


def test_a_line_says_what_was_asked_by_whom_and_how_it_ended_and_nothing_of_the_content() -> None:
    assert json.loads(logged()) == {
        "event": "request",
        "level": "info",
        "timestamp": "2026-09-21T14:13:20.000Z",
        "process": "gateway",
        "method": "GET",
        "route": "/v1/events/{id}",
        "status": 404,
        "seconds": 0.0012,
        "trace_id": TRACE,
        "participant": "320100.market_regulator",
        "code": "not-found",
    }
    assert "secret" not in logged()
    assert "secret" not in logged("text")
    assert "route=/v1/events/{id} status=404" in logged("text")


def test_every_line_is_written_whole_and_once() -> None:
    lines = logged(count=1_000).splitlines()

    assert len(lines) == 1_000
    assert all(json.loads(line)["status"] == 404 for line in lines)


def test_probes_are_not_told() -> None:
    assert logged(route="/readyz") == ""
