"""The doors of the reference city system: those of its dialect, the officers' desk, and the control of its troubles."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from .clock import clock_of
from .config import BadConfig, Config, read_step
from .desk import Desk, Unknown
from .dialects import DIALECTS, Dialect, Reply, at_text
from .proofs import Guard
from .store import HANDLED, Store
from .troubles import NONSENSE, BadTrouble, Trouble, read_trouble

HANG_UP = "x-reference-city-hang-up"
Handler = Callable[[Request, bytes], Reply]


class City:
    """One running city: its parts, and what the doors do."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.dialect: Dialect = DIALECTS[config.dialect]
        self.store = Store(config.database)
        self.now_ms = clock_of(config.clock)
        self.desk = Desk(config, self.dialect, self.store, self.now_ms)
        self.guard = Guard(config.proof, self.now_ms)
        self.trouble = Trouble()

    def receive(self, request: Request, body: bytes) -> Reply:
        """A clue for this city."""
        return self._take(request, body, "xs", f"{self.config.short}XS")

    def answer(self, request: Request, body: bytes) -> Reply:
        """What became of a clue that this city sent."""
        return self._take(request, body, "fk", f"{self.config.short}FK")

    def case(self, request: Request, body: bytes) -> Reply:
        """A case for this city."""
        return self._take(request, body, "aj", f"{self.config.short}AJ")

    def case_move(self, request: Request, body: bytes) -> Reply:
        """What another did on a case, or that a move of ours had no effect."""
        return self._take(request, body, "cz", f"{self.config.short}CZ")

    def term(self, request: Request, body: bytes) -> Reply:
        """What the exchange tells of a term that runs."""
        return self._take(request, body, "qx", f"{self.config.short}QX")

    def _take(self, request: Request, body: bytes, table: str, prefix: str) -> Reply:
        key = request.headers.get(self.dialect.doors.key_header, "")
        number = request.headers.get(self.dialect.doors.number_header, "")
        document = _object(body)
        if document is None or not key:
            return 400, {"code": "4000", "msg": "报文格式错误", "jieguo": {"daima": "E400", "shuoming": "报文格式错误"}}
        title = {"xs": self.dialect.doors.title, "aj": self.dialect.doors.case_title}.get(table)
        if title is not None and not _at(document, title):
            return self.dialect.refused(self._code("1002"), "标题不能为空", title)
        given, is_new = self.store.take(table, prefix, key, number, at_text(self.desk.clock()), body.decode())
        if is_new and table in HANDLED:
            self.desk.received(table, given, document)
        return self.dialect.taken(given)

    def _code(self, number: str) -> str:
        return number if self.config.dialect == "flat" else f"E{number}"

    def pull(self, request: Request, body: bytes) -> Reply:
        """Happenings after the cursor."""
        doors = self.dialect.doors
        after = request.query_params.get(doors.cursor) or "0"
        limit = request.query_params.get(doors.limit) or "100"
        if not (after.isdigit() and limit.isdigit()):
            return self.dialect.refused(self._code("1003"), "游标不正确", doors.cursor)
        most = min(int(limit), self.config.page_most)
        found = self.store.happenings(int(after), most + 1)
        shown = found[:most]
        return self.dialect.page(shown, str(shown[-1][0]) if shown else after, more=len(found) > most)

    def acknowledge(self, request: Request, body: bytes) -> Reply:
        """The reader has kept everything up to the cursor."""
        document = _object(body) or {}
        self.store.acknowledge("jh", str(document.get(self.dialect.doors.cursor, "")))
        return self.dialect.taken("-")

    def confirm(self, request: Request, body: bytes) -> Reply:
        """Whether a document with that key is here."""
        number = self.store.by_key(request.path_params["key"])
        return (
            self.dialect.refused(self._code("1004"), "无此报文", None) if number is None else self.dialect.taken(number)
        )


def build_app(config: Config) -> FastAPI:
    """The application; its database is opened now, the officers begin when it starts."""
    city = City(config)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        officers = asyncio.create_task(city.desk.work())
        try:
            yield
        finally:
            officers.cancel()
            with suppress(asyncio.CancelledError):
                await officers
            city.store.close()

    app = FastAPI(title=f"参考业务系统 {config.name}", lifespan=life, openapi_url=None)
    doors = city.dialect.doors
    for method, path, door, handler in (
        ("POST", doors.receive, "push", city.receive),
        ("POST", doors.answer, "push", city.answer),
        ("POST", doors.case, "push", city.case),
        ("POST", doors.case_move, "push", city.case_move),
        ("POST", doors.term, "push", city.term),
        ("GET", doors.pull, "pull", city.pull),
        ("POST", doors.ack, "pull", city.acknowledge),
        ("GET", doors.confirm, "push", city.confirm),
    ):
        app.add_api_route(path, _guarded(city, door, handler), methods=[method])
    _add_token_door(app, city)
    _add_desk(app, city)
    _add_control(app, city)
    return app


def _guarded(city: City, door: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        body = await request.body()
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        trouble = city.trouble.for_request(door)
        if trouble.mode == "down":
            return Response(status_code=503, headers={HANG_UP: "1"})
        if not city.guard.allows(request.method, target, body, request.headers):
            return JSONResponse({"code": "401", "msg": "未授权"}, status_code=401)
        return await _troubled(city, trouble, request, body, handler)

    return handle


async def _troubled(city: City, trouble: Trouble, request: Request, body: bytes, handler: Handler) -> Response:
    match trouble.mode:
        case "slow":
            await asyncio.sleep(trouble.seconds)
        case "fail":
            return JSONResponse({"code": "9999", "msg": "系统异常"}, status_code=trouble.status)
        case "refuse":
            return _reply(city.dialect.refused(trouble.code, trouble.text, None))
        case "nonsense":
            status, kind, content = NONSENSE[trouble.kind]
            return Response(content, status, media_type=kind)
        case "hollow":
            return _reply(city.dialect.hollow())
        case "lie":
            return _reply(city.dialect.taken("XJ000000"))
        case "lost":
            handler(request, body)
            return Response(status_code=503, headers={HANG_UP: "1"})
    return _reply(handler(request, body))


def _add_token_door(app: FastAPI, city: City) -> None:
    @app.post("/oauth/token")
    async def token(request: Request) -> Response:
        given = city.guard.token_for(request.headers.get("authorization", ""))
        if given is None:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        return JSONResponse({"access_token": given[0], "token_type": "Bearer", "expires_in": given[1]})


def _add_desk(app: FastAPI, city: City) -> None:
    @app.post("/desk/clues")
    async def enter_clues(request: Request) -> Response:
        return await enter("clue", request)

    @app.post("/desk/forms/{form}")
    async def enter(form: str, request: Request) -> Response:
        document = json.loads(await request.body())
        documents = document if isinstance(document, list) else [document]
        try:
            last = city.desk.enter(form, documents)
        except Unknown as error:
            return JSONResponse({"error": f"no form {error}"}, status_code=404)
        return JSONResponse({"last": last, "entered": len(documents)})

    @app.post("/desk/actions")
    async def act(request: Request) -> Response:
        document = json.loads(await request.body())
        try:
            happening = city.desk.act(str(document.pop("number", "")), read_step(document))
        except Unknown as error:
            return JSONResponse({"error": f"nothing of that kind has the number {error}"}, status_code=404)
        except BadConfig as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse(happening)

    @app.get("/desk/holdings")
    async def holdings() -> Response:
        lists = {name: city.store.list_of(table) for name, table in _LISTS.items()}
        return JSONResponse({"city": city.config.name, **lists})


_LISTS = {"clues": "xs", "cases": "aj", "answers": "fk", "moves": "cz", "terms": "qx", "happenings": "sj"}


def _add_control(app: FastAPI, city: City) -> None:
    @app.post("/control")
    async def control(request: Request) -> Response:
        try:
            city.trouble = read_trouble(json.loads(await request.body()))
        except BadTrouble as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        return JSONResponse({"mode": city.trouble.mode})

    @app.get("/control")
    async def shown() -> Response:
        return JSONResponse({"mode": city.trouble.mode, "where": city.trouble.where, "times": city.trouble.times})

    @app.post("/control/clock")
    async def set_clock(request: Request) -> Response:
        document = json.loads(await request.body())
        ahead = document.get("ahead_ms") if isinstance(document, dict) else None
        if not isinstance(ahead, int) or isinstance(ahead, bool):
            return JSONResponse({"error": "ahead_ms: so many milliseconds ahead of the machine"}, status_code=422)
        city.desk.set_ahead(ahead)
        return JSONResponse({"now": at_text(city.desk.clock())})

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "UP", "city": city.config.name})


def _reply(reply: Reply) -> Response:
    status, document = reply
    return JSONResponse(document, status_code=status)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document.get(part) if isinstance(document, dict) else None
    return document
