"""What witnesses post: cosignatures of a checkpoint, checked against the members log before they go to the topic of checkpoints.

Specification: ``services/ledger/FORMAT.md`` section 6.2 (cosignature/v1). Only lines of the caller's own keys count, so nobody can fill the topic in
another's name; whether the quorum is met is the ledger's to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

from services.codec.checkpoint import parse_checkpoint
from services.codec.note import COSIGNATURE, MAX_NOTE_BYTES, Note, NoteKey, cosigned_at, format_note, parse_note
from services.gateway.exchange import BodyBudget, HeldBody, Incoming, Reply
from services.gateway.log_files import origin_asked_for
from services.gateway.producing import Record
from services.kernel.errors import Refused
from services.kernel.ports import Clock
from services.members.registry import Registry

AHEAD_S = 300
"""How far ahead of this clock the time of a cosignature may be."""

_KEY_BYTES = 32


class Sender(Protocol):
    """Where records go."""

    async def send(self, records: list[Record]) -> None:
        """Returns when they are kept; raises ``Transient`` otherwise."""
        ...


class CosignaturePosts:
    """The handler of ``POST /v1/log/…/cosignatures``."""

    def __init__(
        self,
        exchange: str,
        topic: str,
        principal: Callable[[Incoming], str],
        members: Callable[[], Registry],
        sender: Sender,
        clock: Clock,
        *,
        timeout_s: float,
    ) -> None:
        """``topic`` is that of checkpoints."""
        self._exchange = exchange
        self._topic = topic
        self._principal = principal
        self._members = members
        self._sender = sender
        self._clock = clock
        self._timeout_s = timeout_s
        self._budget = BodyBudget(64 * MAX_NOTE_BYTES)

    async def post(self, incoming: Incoming) -> Reply:
        """202 when the caller's lines are kept, with their number.

        Refuses ``bad-note``, ``bad-checkpoint`` one of another log, ``bad-signature`` a note without a good cosignature of the caller.
        """
        incoming.query(())
        participant = self._principal(incoming)
        origin = origin_asked_for(incoming, self._exchange)
        async with HeldBody(incoming, MAX_NOTE_BYTES, self._budget, self._timeout_s) as body:
            note = own_lines(body, origin, participant, self._members(), self._clock.now_ms())
        await self._sender.send([Record(self._topic, origin.encode(), format_note(note), [])])
        return Reply(202, json.dumps({"taken": len(note.signatures)}).encode())


def own_lines(body: bytes, origin: str, participant: str, registry: Registry, now_ms: int) -> Note:
    """The checkpoint with the good cosignatures of this participant alone; refuses as :meth:`CosignaturePosts.post` says."""
    note = parse_note(body)
    if parse_checkpoint(note.text).origin != origin:
        raise Refused("bad-checkpoint", f"this is a checkpoint of another log than {origin}")
    keys = [
        NoteKey(participant, COSIGNATURE, key.public_key)
        for key in registry.keys_of(participant)
        if len(key.public_key) == _KEY_BYTES and key.refusal_at(now_ms) is None
    ]
    good = [line for key in keys if (line := note.signed_by(key)) and _is_good(cosigned_at(note, key), now_ms)]
    if not good:
        raise Refused("bad-signature", f"the note bears no good cosignature of a valid key of {participant}")
    return Note(note.text, tuple(good))


def _is_good(time_s: int | None, now_ms: int) -> bool:
    return time_s is not None and time_s <= now_ms // 1000 + AHEAD_S
