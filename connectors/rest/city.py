"""The REST connector: the port over HTTP. One object for one system; every wait and every reply has a limit.

Knows no city: doors, headers and the meaning of replies come from ``system.py`` and ``replies.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from connectors.kit.auth import HeaderMaker
from connectors.kit.paths import MISSING, lookup
from connectors.kit.port import Accepted, Answer, CityAway, Fault, Health, Message, Page, TryLater
from connectors.rest.replies import judge, judge_status, read_object
from connectors.rest.system import Door, PullRules, RestSystem
from services.codec.http import AsyncHttpClient, Reply, ReplyTooLarge, TimedOut
from services.kernel.errors import BadSettings, Transient

PUSH_REPLY_BYTES = 65_536
PULL_REPLY_BYTES = 16 << 20
_JSON = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class RestCity:
    """A city's REST system behind the port. Close it to let the connections go."""

    name: str
    system: RestSystem
    http: AsyncHttpClient
    maker: HeaderMaker
    pull_reply_bytes: int = PULL_REPLY_BYTES

    async def pull(self, cursor: str) -> Page:
        """One page; ``CityAway`` when the system does not answer or answers otherwise than described."""
        rules = self.system.pull
        if rules is None:
            return Page((), cursor)
        query = {rules.cursor: cursor} | ({rules.limit: str(rules.page_size)} if rules.limit else {})
        target = f"{rules.path}?{urlencode(query)}"
        reply = await self._ask(rules.method, target, b"", {}, self.pull_reply_bytes)
        if isinstance(reply, TryLater):
            raise CityAway(reply)
        early = judge_status(self.system.reply, reply)
        if early is not None or reply.status not in self.system.reply.success_status:
            raise CityAway(early or TryLater(Fault.NONSENSE, f"a pull was answered with {reply.status}"))
        return _read_page(rules, reply.body, cursor)

    async def push(self, message: Message, *, idempotency_key: str, delivery_number: int) -> Answer:
        """Hands the document to its door and judges the reply; asks ``confirm`` after a success, if there is such a door."""
        door = self.system.doors.get(message.door)
        if door is None:
            raise BadSettings(f"{self.name}: no door {message.door!r}; doors are {', '.join(self.system.doors)}")
        body = json.dumps(message.document, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            **_JSON,
            self.system.idempotency_header: idempotency_key,
            self.system.number_header: str(delivery_number),
        }
        reply = await self._ask(door.method, _filled(door, key=idempotency_key), body, headers, PUSH_REPLY_BYTES)
        if isinstance(reply, TryLater):
            return reply
        answer = judge(self.system.reply, reply)
        if isinstance(answer, Accepted) and self.system.confirm is not None:
            return await self._confirm(self.system.confirm, answer, idempotency_key)
        return answer

    async def _confirm(self, door: Door, accepted: Accepted, key: str) -> Answer:
        target = _filled(door, key=key, reference=accepted.reference)
        reply = await self._ask(door.method, target, b"", {}, PUSH_REPLY_BYTES)
        if isinstance(reply, TryLater):
            return reply
        if reply.status in self.system.reply.success_status and judge(self.system.reply, reply) == accepted:
            return accepted
        return TryLater(Fault.NONSENSE, "the system said success and does not have the document")

    async def ack(self, cursor: str) -> None:
        """Tells the system the cursor; what it answers is not looked at, since the next pull says the same again."""
        if self.system.ack is not None:
            body = json.dumps({self.system.ack_cursor: cursor}).encode()
            await self._ask(self.system.ack.method, self.system.ack.path, body, _JSON, PUSH_REPLY_BYTES)

    async def health(self) -> Health:
        """Asks the health door, or says that there is none."""
        if self.system.health is None:
            return Health(reachable=True, detail="the system has no health door")
        reply = await self._ask(self.system.health.method, self.system.health.path, b"", {}, PUSH_REPLY_BYTES)
        if isinstance(reply, TryLater):
            return Health(reachable=False, detail=str(reply.fault))
        return Health(reachable=reply.status < 400, detail=f"status {reply.status}")

    async def close(self) -> None:
        """Closes the connections."""
        await self.http.close()

    async def _ask(
        self, method: str, target: str, body: bytes, headers: dict[str, str], most_bytes: int
    ) -> Reply | TryLater:
        try:
            proof = await self.maker.headers(method, target, body)
            reply = await self.http.send(
                method, target, body=body or None, headers={**headers, **proof}, most_bytes=most_bytes
            )
        except ReplyTooLarge:
            return TryLater(Fault.NONSENSE, f"a reply of more than {most_bytes} bytes")
        except TimedOut:
            return TryLater(Fault.TIMEOUT, "no whole answer within the limit")
        except Transient:
            return TryLater(Fault.UNREACHABLE, "no connection, or it was cut")
        if reply.status == 401:
            self.maker.forget()
        return reply


def _filled(door: Door, *, key: str, reference: str = "") -> str:
    if "{" not in door.path:
        return door.path
    return door.path.replace("{key}", quote(key, safe="")).replace("{reference}", quote(reference, safe=""))


def _read_page(rules: PullRules, body: bytes, cursor: str) -> Page:
    document = read_object(body)
    if document is None:
        raise CityAway(TryLater(Fault.NONSENSE, "a pull was answered with what is not a JSON object"))
    if rules.code and str(lookup(document, rules.code)) not in rules.success_codes:
        raise CityAway(TryLater(Fault.SERVER_ERROR, "the system says that the pull did not succeed"))
    items, following = lookup(document, rules.items), lookup(document, rules.next)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise CityAway(TryLater(Fault.NONSENSE, f"no list of objects at {rules.items}"))
    if not items:
        return Page((), cursor)
    if not isinstance(following, str | int) or isinstance(following, bool) or str(following) in ("", cursor):
        raise CityAway(TryLater(Fault.NONSENSE, f"happenings, and no new cursor at {rules.next}"))
    return Page(tuple(items), str(following), more=_truth(lookup(document, rules.more)) if rules.more else False)


def _truth(value: Any) -> bool:
    return value is not MISSING and str(value).lower() in ("1", "true", "是", "y")
