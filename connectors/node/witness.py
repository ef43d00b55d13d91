"""The node as a witness: follows the checkpoints of every log, cosigns what continues what it saw, keeps what contradicts it.

What is done for one log, in order:

1. fetch the checkpoint that witnesses are to cosign now (``candidate``); one of the log's keys, as the members log has them, signed it;
2. the same as the last one cosigned: nothing to do;
3. fetch the hash tiles that show how the larger of the two trees continues the smaller; they must hash to the root that was signed;
4. they show that it does not: a split view. Both notes and the path are stored with the signed event that reports them, in one
   transaction, and the log gets no cosignature until an operator clears it;
5. the checkpoint is smaller: stale. Nothing is signed;
6. judge and store: the core (``connectors/kit/witness.py``) runs within the transaction that stores what it cosigned;
7. post each participant's cosignature, again and again until the exchange has it.

Now and then the last checkpoint, which other readers are given, is compared too, and not signed: steps 1 to 5.

A loop of its own; its hashing runs in a thread. Whatever fails here is counted, logged and tried again later: the traffic of the node does not notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connectors.kit.retry import Backoff, chance
from connectors.kit.witness import NOTHING, Answer, Status, Trusted, add_checkpoint
from connectors.node import receipts, witness_store
from connectors.node.gateway import Gateway, GatewayAway
from connectors.node.journal import Change, Journal
from connectors.node.log_tiles import with_tiles
from connectors.node.telling import Teller
from connectors.node.witness_store import Cosignature, Seen, SplitView
from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.keys import Ed25519Signer
from services.codec.note import Note, NoteKey, NoteSignature, cosign_note, format_note, is_signed, parse_note
from services.codec.split_view import Fork, find_fork, join_path, signed_checkpoint
from services.codec.tiles import Tree
from services.codec.witness_request import Request, format_request
from services.kernel.errors import Corrupt, Refused, Transient
from services.kernel.ports import Clock, Entropy
from services.members.registry import Registry
from services.members.split_view import keys_of_log

_AWAY: Final = Backoff(first_s=1, factor=2, most_s=60, jitter=0.5)
_SPREAD: Final = 0.2
"""How much of the pause chance may leave out, so that the nodes of a country do not come all at once."""
_LOOK_AT_ALL_EVERY: Final = 12
"""In the rounds between, a log whose size and root in the list are those that were cosigned is not looked at."""
_CANDIDATE: Final = "candidate"
_LAST: Final = "checkpoint"
_FOLLOWED: Final = frozenset({"cosigned", "unchanged", "empty", "consistent"})


@dataclass(slots=True)
class Witness:
    """Witnesses for all participants of the node until it is cancelled. Safe to cancel anywhere."""

    signers: Mapping[str, Ed25519Signer]
    gateway: Gateway
    journal: Journal
    registry: Callable[[], Registry]
    clock: Clock
    entropy: Entropy
    teller: Teller
    node: str
    bells: Sequence[asyncio.Event] = ()
    every_s: float = 5.0
    _round: int = field(default=0, init=False)
    _failures: int = field(default=0, init=False)

    @property
    def speaker(self) -> str:
        """The participant that asks the gateway, and that reports a split view."""
        return next(iter(self.signers))

    async def run(self) -> None:
        """Witnesses for ever."""
        while True:
            try:
                await self.once()
                self._failures = 0
                pause_s = self.every_s * (1 - _SPREAD * chance(self.entropy))
            except Transient as error:
                self._failures += 1
                asked = error.wait_s if isinstance(error, GatewayAway) else None
                pause_s = max(self.every_s, asked or _AWAY.delay_s(self._failures, chance(self.entropy)))
                self.teller.warning("checkpoints could not be witnessed", reason=str(error))
            await asyncio.sleep(pause_s)

    async def once(self) -> dict[str, str]:
        """One round over all logs; what came of each that was looked at. ``Transient`` when the gateway is away for some of it.

        Before the members log is read, no key of a log is known and nothing is looked at.
        """
        if self.registry().founded is None:
            return {}
        logs = await self.gateway.logs(self.speaker)
        sizes = await self.journal.change(lambda change: witness_store.listed(change.db))
        look_at_all = self._round % _LOOK_AT_ALL_EVERY == 0
        self._round += 1
        came: dict[str, str] = {}
        away: Transient | None = None
        for log in logs:
            known = sizes.get(log.origin)
            if not look_at_all and known is not None and (known["size"], known["root"]) == (log.size, log.root):
                continue
            try:
                came[log.origin] = await self._look(log.origin, _CANDIDATE)
                if look_at_all and came[log.origin] in _FOLLOWED:
                    came[log.origin] = await self._also_last(log.origin, came[log.origin])
            except Transient as error:
                away, came[log.origin] = error, "away"
            self.teller.count("witnessed_checkpoints_total", code=came[log.origin])
        await self._tell_state(came)
        await self._post()
        if away is not None:
            raise away
        return came

    async def _also_last(self, origin: str, so_far: str) -> str:
        """Compares the last checkpoint with what was cosigned; what came of the candidate stands unless they do not fit."""
        came = await self._look(origin, _LAST)
        return so_far if came in _FOLLOWED else came

    async def _look(self, origin: str, which: str) -> str:
        data = await self.gateway.log_file(self.speaker, origin, which)
        if data is None:
            return "empty"
        try:  # (1)
            keys = keys_of_log(self.registry(), origin, self.clock.now_ms())
            offered = signed_checkpoint(data, keys)
            note = _without_others(data, keys)
        except Refused as refused:
            self.teller.warning("a checkpoint was refused", origin=origin, code=refused.code, reason=refused.message)
            return "refused"
        seen, is_split = await self.journal.change(
            lambda change: (witness_store.seen(change.db, origin), witness_store.is_split(change.db, origin))
        )
        if is_split:
            return "split"
        return await self._compared(offered, note, seen, keys, to_sign=which == _CANDIDATE)

    async def _compared(
        self, offered: Checkpoint, note: bytes, seen: Seen | None, keys: list[NoteKey], *, to_sign: bool
    ) -> str:
        proof: tuple[bytes, ...] = ()
        if seen is not None:
            before = parse_checkpoint(parse_note(seen.note).text)
            if (before.size, before.root) == (offered.size, offered.root):  # (2)
                return "unchanged"
            try:  # (3)
                fork, proof = await self._ways(before, offered)
            except Corrupt as error:
                if offered.size < before.size:
                    return "stale"
                self.teller.warning("tiles are not those of the checkpoint", origin=offered.origin, reason=str(error))
                return "unproven"
            if fork is not None:  # (4)
                await self._keep(before, seen.note, offered, note, fork)
                return "split"
            if offered.size < before.size:  # (5)
                return "stale"
        if not to_sign:
            return "consistent"
        old_size = NOTHING.size if seen is None else seen.known.size
        request = format_request(Request(old_size, proof, note))
        answer = await self.journal.change(lambda change: self._judge(change, request, offered, note, keys))
        if answer.status is not Status.COSIGNED:
            self.teller.warning("a checkpoint was not cosigned", origin=offered.origin, status=int(answer.status))
            return "refused"
        self.teller.reach("node.after_cosign")
        return "cosigned"

    async def _ways(self, before: Checkpoint, offered: Checkpoint) -> tuple[Fork | None, tuple[bytes, ...]]:
        """What shows that the two part, or the path from the one before to the one offered."""

        def compare(tree: Tree) -> tuple[Fork | None, tuple[bytes, ...]]:
            fork = find_fork(before, offered, tree)
            grows = fork is None and before.size < offered.size
            return fork, tree.consistency(before.size) if grows else ()

        async def fetch(path: str) -> bytes | None:
            return await self.gateway.log_file(self.speaker, offered.origin, path)

        return await with_tiles(fetch, max(before.size, offered.size), compare)

    def _judge(
        self, change: Change, request: bytes, offered: Checkpoint, note: bytes, keys: list[NoteKey]
    ) -> Answer:  # (6)
        db, now_ms = change.db, self.clock.now_ms()

        def trusted(origin: str) -> Trusted | None:
            return None if witness_store.is_split(db, origin) else Trusted(keys, witness_store.known(db, origin))

        answer = add_checkpoint(request, trusted, lambda text: self._cosign(text, now_ms // 1000))
        if answer.known is not None:
            bare = parse_note(note)
            lines = [Cosignature(offered.origin, line.name, format_note(bare.add(line))) for line in answer.signatures]
            witness_store.cosigned(db, Seen(offered.origin, answer.known, note, now_ms), lines)
        return answer

    def _cosign(self, text: bytes, time_s: int) -> list[NoteSignature]:
        return [
            cosign_note(text, participant, signer.public.data, signer.sign, time_s)
            for participant, signer in self.signers.items()
        ]

    async def _keep(
        self, before: Checkpoint, seen_note: bytes, offered: Checkpoint, offered_note: bytes, fork: Fork
    ) -> None:
        now_ms = self.clock.now_ms()

        def keep(change: Change) -> bool:
            receipt = receipts.split_view_found(
                self.speaker, before, seen_note, offered, offered_note, fork, now_ms, node=self.node
            )
            found = SplitView(
                origin=offered.origin,
                event=receipt.id,
                seen_size=before.size,
                seen_root=before.root,
                seen_note=seen_note,
                offered_size=offered.size,
                offered_root=offered.root,
                offered_note=offered_note,
                prefix_root=fork.prefix_root,
                proof=join_path(fork.path),
                found_ms=now_ms,
            )
            if not witness_store.keep_split(change.db, found):
                return False
            change.receipts.append(receipt)
            return True

        if await self.journal.change(keep):
            self.teller.error(
                "SPLIT VIEW: two signed checkpoints of one log contradict one another; it gets no more cosignatures",
                origin=offered.origin,
                seen_size=before.size,
                offered_size=offered.size,
            )
            for bell in self.bells:
                bell.set()

    async def _tell_state(self, came: Mapping[str, str]) -> None:
        splits = await self.journal.change(lambda change: witness_store.open_splits(change.db))
        self.teller.gauge("open_split_views", splits)
        behind = sum(what not in _FOLLOWED for what in came.values())
        self.teller.gauge("unfollowed_logs", behind)

    async def _post(self) -> None:
        """(7) Posts every cosignature that the exchange does not have yet."""
        for one in await self.journal.change(lambda change: witness_store.waiting(change.db)):
            taken = await self.gateway.cosign(one.participant, one.origin, one.note)
            await self._settle(one, witness_store.SENT if taken is None else witness_store.REFUSED)
            if taken is None:
                self.teller.count("sent_cosignatures_total", participant=one.participant)
            else:
                self.teller.warning("the exchange refused a cosignature", origin=one.origin, reason=taken)

    async def _settle(self, one: Cosignature, state: str) -> None:
        await self.journal.change(lambda change: witness_store.settle(change.db, one, state))


def _without_others(data: bytes, keys: Sequence[NoteKey]) -> bytes:
    """The note with the log's own signature lines alone."""
    note = parse_note(data)
    own = {(key.name, key.key_hash) for key in keys if is_signed(note, key)}
    return format_note(Note(note.text, tuple(s for s in note.signatures if (s.name, s.key_hash) in own)))
