"""The gateway as the node uses it: publish, inbox, members log, schemas, logs. One client for all participants of the node.

Every call proves its participant with a token signed by that participant's key (services/codec/token.py), made afresh
before the old one ends. Answers other than the expected ones are ``Transient`` with the problem's code, but for what the
gateway says of the events themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from connectors.node.outbox import Waiting
from connectors.node.wire import (
    Fault,
    InboxPage,
    LogLine,
    MembersPage,
    read_faults,
    read_inbox,
    read_logs,
    read_members,
)
from services.codec.http import MAX_REPLY_BYTES, AsyncHttpClient, Reply
from services.codec.note import MAX_NOTE_BYTES
from services.codec.token import issue
from services.kernel.errors import Transient
from services.kernel.ports import Clock, Signer

BATCH_TYPE: Final = "application/cloudevents-batch+json"
NEVER_TAKEN: Final = frozenset({"bad-note", "bad-checkpoint", "bad-signature"})
"""Codes by which the gateway refuses a note for good, whatever the status."""

NOTE_TYPE: Final = "text/plain; charset=utf-8"
TOKEN_LIFE_S: Final = 240
_SPARE_MS: Final = 60_000
_START: Final = "start"


class GatewayAway(Transient):
    """The gateway did not answer, or answered that it cannot now; ``wait_s`` when it said how long to wait."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Took(Enum):
    """What the gateway did with a batch."""

    ALL = "all"
    NONE = "none"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Published:
    """The gateway's answer to a batch: it is taken whole, or not at all and the events at fault are named."""

    took: Took
    faults: tuple[Fault, ...] = ()


class Gateway:
    """Not shared between event loops; close it with ``await gateway.close()``."""

    def __init__(self, http: AsyncHttpClient, exchange: str, signers: Mapping[str, Signer], clock: Clock) -> None:
        self._http = http
        self._exchange = exchange
        self._signers = signers
        self._clock = clock
        self._tokens: dict[str, tuple[str, int]] = {}

    async def publish(self, participant: str, rows: Sequence[Waiting]) -> Published:
        """Hands signed events over, in order."""
        body = b"[" + b",".join(row.document for row in rows) + b"]"
        reply = await self._ask("POST", "/v1/events", participant, body=body, kind=BATCH_TYPE)
        if reply.status in (200, 202):
            return Published(Took.ALL)
        if reply.status == 413:
            return Published(Took.TOO_LARGE, read_faults(reply.body))
        if reply.status in (401, 403, 404, 405, 407, 408, 425, 429) or not 400 <= reply.status < 500:
            faults = read_faults(reply.body)
            if reply.status == 403 and faults and faults[0].event is not None:
                return Published(Took.NONE, faults)
            raise _away("publishing", reply)
        return Published(Took.NONE, read_faults(reply.body))

    async def inbox(self, participant: str, cursor: str, *, limit: int, wait_s: int) -> InboxPage:
        """The inbox after the cursor (empty: from its beginning); waits up to ``wait_s`` for news."""
        query = {"after": cursor or _START, "limit": str(limit), "wait": str(wait_s)}
        reply = await self._ask("GET", "/v1/inbox", participant, query=query, timeout_s=wait_s + 15)
        if reply.status != 200:
            raise _away("the inbox", reply)
        return read_inbox(reply.body)

    async def members(self, participant: str, after: int) -> MembersPage:
        """The members log from that number on."""
        reply = await self._ask("GET", "/v1/members", participant, query={"after": str(after)})
        if reply.status != 200:
            raise _away("the members log", reply)
        return read_members(reply.body)

    async def schema(self, participant: str, digest: str) -> bytes | None:
        """Text of the released schema with that digest (hex); None when the exchange has not released it."""
        reply = await self._ask("GET", f"/v1/schemas/by-digest/{digest}", participant)
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise _away("a schema", reply)
        return reply.body

    async def logs(self, participant: str) -> tuple[LogLine, ...]:
        """Every log of the exchange with the size of its checkpoint."""
        reply = await self._ask("GET", "/v1/log", participant)
        if reply.status != 200:
            raise _away("the list of logs", reply)
        return read_logs(reply.body)

    async def log_file(self, participant: str, origin: str, path: str) -> bytes | None:
        """A file of a log, ``checkpoint`` or a hash tile; None when it is not there. One that is longer than a note may be is not read."""
        reply = await self._ask("GET", f"/v1/log/{origin}/{path}", participant, most_bytes=MAX_NOTE_BYTES)
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise _away(f"{origin}/{path}", reply)
        return reply.body

    async def cosign(self, participant: str, origin: str, note: bytes) -> str | None:
        """Hands over a note with this participant's cosignature; None when it is taken, else why the gateway will never take it."""
        path = f"/v1/log/{origin}/cosignatures"
        reply = await self._ask("POST", path, participant, body=note, kind=NOTE_TYPE)
        if reply.status in (200, 202):
            return None
        faults = read_faults(reply.body)
        code = faults[0].code if faults else ""
        if reply.status in (400, 409, 413, 422) or code in NEVER_TAKEN:
            return f"{reply.status} {code}".strip()
        raise _away("a cosignature", reply)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()

    async def _ask(
        self,
        method: str,
        path: str,
        participant: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        kind: str | None = None,
        timeout_s: float | None = None,
        most_bytes: int = MAX_REPLY_BYTES,
    ) -> Reply:
        headers = {"authorization": f"Bearer {self._token(participant)}", "accept": "application/json"}
        if kind is not None:
            headers["content-type"] = kind
        reply = await self._http.send(
            method, path, body=body, headers=headers, query=query, timeout_s=timeout_s, most_bytes=most_bytes
        )
        if reply.status == 401:
            self._tokens.pop(participant, None)
        return reply

    def _token(self, participant: str) -> str:
        now_ms = self._clock.now_ms()
        known = self._tokens.get(participant)
        if known is None or now_ms >= known[1]:
            token = issue(self._signers[participant], self._exchange, now_ms, TOKEN_LIFE_S)
            known = self._tokens[participant] = (token, now_ms + TOKEN_LIFE_S * 1000 - _SPARE_MS)
        return known[0]


def _away(what: str, reply: Reply) -> GatewayAway:
    code = ""
    try:
        document = json.loads(reply.body)
        if isinstance(document, dict):
            code = f" ({str(document.get('code', ''))[:40]})"
    except (ValueError, RecursionError):
        code = " (no problem document)"
    wait = reply.headers.get("retry-after", "")
    wait_s = min(float(wait), 60.0) if wait.isascii() and wait.isdigit() else None
    return GatewayAway(f"{what}: the gateway answered {reply.status}{code}", wait_s)
