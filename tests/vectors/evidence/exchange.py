"""A small exchange in memory for evidence files: a members log, a log of clues, their tiles and checkpoints, all from fixed seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import rfc8785

from services.audit.evidence import Made, compose, withheld_but, withheld_from
from services.codec.checkpoint import Checkpoint, format_checkpoint, origin_of, parse_checkpoint
from services.codec.content import new_disclosure
from services.codec.entry import Delivery, Entry, format_entry
from services.codec.envelope import Draft, Envelope, prepare
from services.codec.evidence import Evidence, MemberEvidence, in_order
from services.codec.keys import ParticipantSigner, PublicKey
from services.codec.log_keys import LEDGER, log_key, log_signer
from services.codec.merkle import leaf_hash, levels_of
from services.codec.note import COSIGNATURE, Note, NoteKey, cosign_note, format_note, parse_note, sign_note
from services.codec.schema import EventSchema
from services.codec.signature import sign, sign_batch
from services.codec.tiles import HASH, HEIGHT, WIDTH, Tree, bundle_path, new_tiles, pack_bundle, tile_path, width_at
from services.codec.tlog_policy import Policy, parse_policy
from services.codec.tlog_proof import TlogProof
from services.events import to_value
from services.events.member import (
    MemberEvent,
)
from services.kernel.codes import CodeTables, parse_code_table
from services.kernel.data import SCHEMAS_DIR
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy
from services.members.authorise import deliveries
from services.members.history import History
from services.members.jurisdiction import Routes, routes_of
from tests.vectors.evidence.members import (
    HANGZHOU,
    HANGZHOU_IP,
    NAME,
    NANJING,
    NOW_MS,
    OPERATOR,
    SUZHOU,
    first_release,
    founded,
    key_added,
    proposed,
    registered,
    released,
    signed,
    signer,
)

ORGANS = (NANJING, HANGZHOU, HANGZHOU_IP, SUZHOU)
WITNESSES = (NANJING, HANGZHOU, SUZHOU)
MEMBERS, CLUES = f"{NAME}.members/0", f"{NAME}.clues/0"
REF = "delta@1"


@cache
def routes() -> Routes:
    """The routing table that ships with the exchange."""
    text = (SCHEMAS_DIR / "codes" / "routing.csv").read_text(encoding="utf-8")
    return routes_of(CodeTables({"routing": parse_code_table("routing", text)}))


def schema_of(digest: str) -> EventSchema:
    """The released schema of a digest."""
    return released().with_digest(digest)


def witness_key(participant: str) -> NoteKey:
    """What the cosignatures of a participant are checked with."""
    return NoteKey(participant, COSIGNATURE, signer(participant).public.data)


@dataclass(slots=True)
class Log:
    """One log in memory: a ``LogReader`` with the checkpoint that was signed last."""

    log: str
    envelopes: list[Envelope] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    note: bytes | None = None

    @property
    def origin(self) -> str:
        """Origin of the log."""
        return origin_of(self.log)

    @property
    def entries(self) -> list[bytes]:
        """The entries in order."""
        return [(envelope.entry or "").encode() for envelope in self.envelopes]

    def read(self, path: str) -> bytes | None:
        """Bytes of a tile."""
        return self.files.get(path)

    def checkpoint(self) -> bytes | None:
        """The last checkpoint."""
        return self.note

    def witnessed(self) -> bytes | None:
        """The same: there are cosignatures under it."""
        return self.note

    def sign(self, witnesses: Collection[str] = WITNESSES, *, at_s: int = NOW_MS // 1000 + 60) -> None:
        """Writes the tiles of all entries, signs a checkpoint over them and lets these witnesses cosign it."""
        entries = self.entries
        leaves = [leaf_hash(entry) for entry in entries]
        for level, index, width in new_tiles(0, len(entries)):
            span = 1 << (HEIGHT * level)
            nodes = [
                levels_of(leaves[at * span : (at + 1) * span])[-1][0]
                for at in range(index * WIDTH, index * WIDTH + width)
            ]
            assert width == width_at(level, index, len(entries))
            assert len(nodes) * HASH == len(b"".join(nodes))
            self.files[tile_path(level, index, width)] = b"".join(nodes)
            if level == 0:
                self.files[bundle_path(index, width)] = pack_bundle(entries[index * WIDTH : index * WIDTH + width])
        text = format_checkpoint(Checkpoint(self.origin, len(entries), levels_of(leaves)[-1][0]))
        key = log_signer(signer(LEDGER), self.origin)
        lines = [sign_note(text, self.origin, key.public.data, key.sign)]
        lines += [
            cosign_note(text, name, signer(name).public.data, signer(name).sign, at_s + position)
            for position, name in enumerate(witnesses)
        ]
        self.note = format_note(Note(text, tuple(lines)))


def _head(log: Log) -> tuple[Note, Tree]:
    note = in_order(parse_note(log.note or b""))
    return note, Tree(log.read, parse_checkpoint(note.text).size)


class Exchange:
    """Says events as admission would, in memory."""

    def __init__(self) -> None:
        self.members = Log(MEMBERS)
        self.clues = Log(CLUES)
        self.history = History(log=MEMBERS, schema_of=schema_of, root=self.root)
        self._entropy = CountedEntropy()
        self.said = 0
        self._copies: dict[tuple[str, str], int] = {}

    @property
    def root(self) -> PublicKey:
        """The key that the exchange is founded with."""
        return signer(OPERATOR).public

    def tell(self, event: MemberEvent, source: str = OPERATOR, key: ParticipantSigner | None = None) -> Envelope:
        """One more event of the members log."""
        value = to_value(event)
        envelope = self.admit(self.members, type(event).TYPE, value, key or signer(source), subject="t")
        self.history.append(envelope)
        return envelope

    def publish(
        self,
        event_type: str,
        value: dict[str, Any],
        source: str,
        *,
        addressee: str = "-",
        agreement: str = REF,
        batch: bool = False,
        copies: tuple[Delivery, ...] | None = None,
        key: ParticipantSigner | None = None,
    ) -> Envelope:
        """One more event of the log of clues; with ``copies`` admission delivers as it likes."""
        said = {"addressee": addressee, "agreement": agreement}
        return self.admit(
            self.clues,
            event_type,
            value,
            key or signer(source),
            subject="CL-320100-2026-000001",
            batch=batch,
            copies=copies,
            **said,
        )

    def admit(
        self,
        log: Log,
        event_type: str,
        value: dict[str, Any],
        key: ParticipantSigner,
        *,
        subject: str,
        batch: bool = False,
        copies: tuple[Delivery, ...] | None = None,
        schema: EventSchema | None = None,
        **said: str,
    ) -> Envelope:
        """An event at the end of a log; with ``schema`` by another one than was released."""
        self.said += 1
        time_ms = NOW_MS + self.said
        schema = schema or first_release(event_type)
        draft = Draft(
            id=uuid7(time_ms, self.said.to_bytes(10, "big")),
            source=key.public.participant,
            subject=subject,
            time=format_instant(time_ms),
            **said,
        )
        statement, envelope = prepare(schema, value, draft, new_disclosure(schema, self._entropy))
        line = sign_batch([statement, b"another"], key)[0] if batch else sign(statement, key)
        registry = self.history.latest
        if copies is None:
            copies = self._copies_of(log, schema, envelope, value, time_ms)
        admitted = format_instant(time_ms + 100)
        entry = format_entry(statement, line, admitted, log.log, len(log.envelopes), registry.size, copies)
        full = replace(envelope, signature=line, entry=entry.decode("ascii"))
        log.envelopes.append(full)
        return full

    def _copies_of(
        self, log: Log, schema: EventSchema, envelope: Envelope, value: dict[str, Any], time_ms: int
    ) -> tuple[Delivery, ...]:
        found = deliveries(
            self.history.latest,
            schema,
            envelope.statement,
            value,
            time_ms=time_ms,
            admitted_ms=time_ms + 100,
            routes=routes(),
        )
        return tuple(Delivery(one.id, self._number(log, one.id), one.withheld) for one in found)

    def _number(self, log: Log, recipient: str) -> int:
        number = self._copies.get((log.log, recipient), 0)
        self._copies[log.log, recipient] = number + 1
        return number

    def sign(self, witnesses: Collection[str] = WITNESSES) -> None:
        """Signs both logs."""
        for log in (self.members, self.clues):
            if log.envelopes:
                log.sign(witnesses)

    def evidence(self, envelope: Envelope, *, viewer: str | None = None, disclosed: Collection[str] = ()) -> Made:
        """The evidence of an event, for a participant or by the fields that are named."""

        def withheld(entry: Entry, schema: EventSchema) -> Collection[str]:
            return withheld_but(disclosed, schema) if viewer is None else withheld_from(viewer, entry, schema)

        log = self.members if envelope.statement.type.startswith("cn.ipx.member.") else self.clues
        return compose(
            envelope,
            log,
            self.members,
            self.history.since(0, self.history.size),
            schema_of=schema_of,
            withheld=withheld,
        )

    def by_hand(self, log: Log, seq: int, records: Collection[int], **schemas: EventSchema) -> Evidence:
        """An evidence of these entries as they stand, right or wrong: what a dishonest exchange could hand out."""
        members, members_tree = _head(self.members)
        note, tree = _head(log)
        envelope = log.envelopes[seq]
        parts = [self.members.envelopes[number] for number in records]
        known = {schema.digest_text: schema for schema in schemas.values()}
        named = {one.statement.schema for one in (envelope, *parts)}
        return Evidence(
            entry=(envelope.entry or "").encode(),
            body=envelope.body,
            disclosure=envelope.salts,
            proof=TlogProof(seq, tree.inclusion(seq), note),
            members_checkpoint=members,
            members=tuple(
                MemberEvidence((one.entry or "").encode(), one.body, one.salts, members_tree.inclusion(number))
                for number, one in zip(records, parts, strict=True)
            ),
            schemas={digest: rfc8785.dumps((known.get(digest) or schema_of(digest)).json) for digest in named},
        )

    def policy(self, quorum: str = "two") -> Policy:
        """The logs of this exchange and its witnesses; ``two`` of them make a checkpoint witnessed."""
        return parse_policy(self.policy_text(quorum).encode())

    def policy_text(self, quorum: str = "two") -> str:
        """The policy as a file."""
        logs = [
            log_key(log.origin, log_signer(signer(LEDGER), log.origin).public.data)
            for log in (self.members, self.clues)
        ]
        lines = [f"log {key.vkey()}" for key in logs]
        lines += [f"witness {name} {witness_key(name).vkey()}" for name in WITNESSES]
        return "\n".join([*lines, f"group two 2 {' '.join(WITNESSES)}", f"quorum {quorum}", ""])


def town(tell_more: Callable[[Exchange], None] | None = None) -> Exchange:
    """Four organs under one agreement."""
    exchange = Exchange()
    exchange.tell(founded())
    for organ in ORGANS:
        exchange.tell(registered(organ))
    for organ in ORGANS:
        exchange.tell(key_added(organ))
    exchange.tell(proposed())
    for organ in (NANJING, HANGZHOU):
        exchange.tell(signed(), organ)
    if tell_more is not None:
        tell_more(exchange)
    return exchange
