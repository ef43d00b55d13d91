"""A small exchange in memory: founds itself, admits what is proposed by the real rules of authorisation, and keeps inboxes.

For tests of the node: what it hands out is signed, numbered, redacted and worded as the real exchange does it, so the node cannot
tell. It keeps no log on disk and checks no field rules.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from services.codec.cloudevents import envelope_from_structured, envelope_to_structured
from services.codec.content import NOTHING_RESTRICTED, format_disclosure, parse_disclosure, redact
from services.codec.entry import Delivery, format_entry, parse_entry
from services.codec.envelope import Draft, Envelope, prepare, seal
from services.codec.keys import Ed25519Signer, Sm2Signer, signer_from_seed, sm2_signer
from services.codec.released import load_released
from services.codec.signature import sign
from services.codec.statement import format_statement
from services.events import to_value
from services.events.member import (
    AgreementProposed,
    AgreementSigned,
    ExchangeFounded,
    Flow,
    KeyAdded,
    ParticipantRegistered,
)
from services.events.receipt import OutcomesRecorded
from services.kernel.calendar_documents import load_calendar
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import Refused
from services.kernel.families import family_of
from services.kernel.ids import uuid8
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy, SettableClock
from services.members.authorise import deliveries
from services.members.calendars import published
from services.members.history import History
from services.members.jurisdiction import routes_of
from services.members.reading import body_digest

NAME = "small"
RELEASED = load_released()
TABLES = load_code_tables(SCHEMAS_DIR / "codes")
OPERATOR, ADMISSION, TRANSFERS = "exchange.operator", "exchange.admission", "exchange.transfers"
NANJING, HANGZHOU, SUZHOU = "320100.market_regulator", "330100.market_regulator", "320500.market_regulator"
AGREEMENT = "yrd-enforcement@1"
SEEN = ("reporter", "reporter_phone")
FOUNDED_MS = 1_700_000_000_000
_CLUES = tuple(
    f"cn.ipx.clue.{name}"
    for name in ("ClueReported", "ClueAccepted", "ClueReturned", "ClueVerified", "ClueFiled", "ClueNotFiled")
)

_TRANSFERS = ("cn.ipx.transfer.TransferOpened", "cn.ipx.transfer.TransferMoved")


def signer_of(participant: str) -> Ed25519Signer:
    """The key of a participant in every test."""
    return signer_from_seed(participant, hashlib.sha256(participant.encode()).digest())


def gm_signer_of(participant: str) -> Sm2Signer:
    """Its SM2 key, when :meth:`SmallExchange.add_key` was told of it."""
    return sm2_signer(participant, hashlib.sha256(participant.encode()).digest())


@dataclass
class SmallExchange:
    """Founded and with its participants at once. ``inboxes`` holds the documents in order; the cursor is a position."""

    participants: tuple[str, ...] = (NANJING, HANGZHOU, SUZHOU)
    committed_within_s: int = 600
    clock: SettableClock = field(default_factory=SettableClock)
    partitions: int = 4
    inboxes: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    admitted: list[Envelope] = field(default_factory=list)
    logged: list[Envelope] = field(default_factory=list)
    proposed: list[Envelope] = field(default_factory=list)
    refuse_subjects: str = "BAD"

    def __post_init__(self) -> None:
        self._entropy = CountedEntropy()
        self._seen: dict[str, tuple[bytes, str, int]] = {}
        self._numbers: dict[tuple[str, str], int] = defaultdict(int)
        self._seqs: dict[str, int] = defaultdict(int)
        self._routes = routes_of(TABLES)
        root = signer_of(OPERATOR)
        self.history = History(log=f"{NAME}.members/0", schema_of=RELEASED.with_digest, root=root.public)
        self.members: list[Envelope] = []
        self._found(root)

    def _found(self, root: Ed25519Signer) -> None:
        self.say(
            ExchangeFounded(
                name=NAME,
                operator=OPERATOR,
                key_id=root.key_id,
                suite="ed25519",
                public_key=root.public.data,
                founded_at=FOUNDED_MS,
                title_zh="小",
                title_en="small",
            )
        )
        for participant in (ADMISSION, "exchange.clues", TRANSFERS, *self.participants):
            self.join(participant)
        flows = tuple(
            Flow(
                type=event_type,
                from_organ="market_regulator",
                to_organ="market_regulator",
                disclose=SEEN if event_type.endswith("ClueReported") else ("officer",),
                delivered_within_s=60,
                committed_within_s=self.committed_within_s,
            )
            for event_type in (*_CLUES, *_TRANSFERS)
        )
        body = self.say(
            AgreementProposed(
                agreement=AGREEMENT.partition("@")[0],
                version=1,
                title_zh="协议",
                title_en="agreement",
                status="in_force",
                members=self.participants,
                signatories=(self.participants[0],),
                flows=flows,
                valid_from=FOUNDED_MS,
            )
        )
        signed = AgreementSigned(
            agreement=AGREEMENT.partition("@")[0], version=1, digest=body_digest(body), signed_at=FOUNDED_MS
        )
        self.say(signed, source=self.participants[0])

    def join(self, participant: str) -> None:
        """Registers a participant with its key."""
        division, _, organ = participant.partition(".")
        self.say(
            ParticipantRegistered(
                participant=participant,
                name_zh=participant,
                name_en=participant,
                division=division if division.isdigit() else None,
                organ_type=organ if division.isdigit() else "exchange",
                level="prefecture",
                valid_from=FOUNDED_MS,
            )
        )
        self.add_key(signer_of(participant))

    def add_key(self, key: Ed25519Signer | Sm2Signer) -> None:
        """A key of a participant becomes valid."""
        self.say(
            KeyAdded(
                participant=key.public.participant,
                key_id=key.key_id,
                suite=key.suite,
                public_key=key.public.data,
                valid_from=FOUNDED_MS,
            )
        )

    def say(self, event: Any, source: str = OPERATOR) -> bytes:
        """Appends an event to the members log; its body."""
        seq = self.history.size
        draft = Draft(uuid8("member", str(seq)), source, f"member-{seq}", format_instant(FOUNDED_MS))
        envelope = seal(RELEASED.named(event.TYPE), to_value(event), draft, signer_of(source), self._entropy)
        text = format_statement(envelope.statement)
        entry = format_entry(text, envelope.signature, draft.time, f"{NAME}.members/0", seq, seq, ())
        whole = replace(envelope, entry=entry.decode())
        self.history.append(whole)
        self.members.append(whole)
        return envelope.body

    def propose(self, document: dict[str, str]) -> str:
        """Admits or refuses one proposal; the outcome's word. The source finds it in its inbox."""
        envelope = envelope_from_structured(document)
        self.proposed.append(envelope)
        statement = envelope.statement
        text = format_statement(statement)
        digest = hashlib.sha256(text).digest()
        proposals = f"{NAME}.{family_of(statement.type)}.in/{self._partition(statement.subject)}"
        seen = self._seen.get(statement.id)
        if seen is not None:
            word = "duplicate" if seen[0] == digest else "conflict"
            self._tell(statement.source, proposals, self._item(statement.id, word, digest, seen[1], seen[2]))
            return word
        try:
            self._admit(envelope, text, digest)
        except Refused as error:
            item = self._item(statement.id, "refused", digest, None, None)
            item |= {"code": error.code, "field": error.field, "message_zh": "拒绝", "message_en": error.message}
            self._tell(statement.source, proposals, item)
            return "refused"
        _, log, seq = self._seen[statement.id]
        self._tell(statement.source, proposals, self._item(statement.id, "admitted", digest, log, seq))
        return "admitted"

    def _partition(self, subject: str) -> int:
        return hashlib.sha256(subject.encode()).digest()[0] % self.partitions

    def _admit(self, envelope: Envelope, text: bytes, digest: bytes) -> None:
        statement = envelope.statement
        if statement.subject.startswith(self.refuse_subjects):
            raise Refused("bad-field", "the subject begins with a word that is refused here", field="subject")
        schema = RELEASED.with_digest(statement.schema)
        value, parts = schema.decode_parts(envelope.body)
        now_ms = self.clock.now_ms()
        recipients = deliveries(
            self.history.latest,
            schema,
            statement,
            value,
            time_ms=statement.time_ms,
            admitted_ms=now_ms,
            routes=self._routes,
        )
        log = f"{NAME}.{family_of(statement.type)}/{self._partition(statement.subject)}"
        lines = tuple(Delivery(r.id, self._number(r.id, log), r.withheld) for r in recipients)
        seq = self._seqs[log]
        self._seqs[log] += 1
        members = self.history.size
        entry = format_entry(text, envelope.signature, format_instant(now_ms), log, seq, members, lines).decode()
        disclosure = parse_disclosure(schema, envelope.salts)
        for line in lines:
            _, redacted, shown = redact(schema, value, parts, disclosure, line.withheld)
            copy = replace(
                envelope,
                body=b"".join(redacted),
                salts=format_disclosure(schema, shown),
                entry=entry,
                delivery=f"{line.recipient} {log} {line.number}",
            )
            self.inboxes[line.recipient].append(envelope_to_structured(copy))
        self._seen[statement.id] = (digest, log, seq)
        self.admitted.append(envelope)
        self.logged.append(replace(envelope, entry=entry))

    def _number(self, owner: str, place: str) -> int:
        self._numbers[owner, place] += 1
        return self._numbers[owner, place] - 1

    def _tell(self, source: str, proposals: str, item: dict[str, Any]) -> None:
        number = self._number(source, proposals)
        draft = Draft(
            uuid8("admission", f"{source} {proposals}", str(number)),
            ADMISSION,
            source,
            format_instant(self.clock.now_ms()),
            addressee=source,
        )
        value = {"log": proposals, "first_number": number, "outcomes": [item]}
        text, unsigned = prepare(RELEASED.named(OutcomesRecorded.TYPE), value, draft, NOTHING_RESTRICTED)
        told = replace(unsigned, signature=sign(text, signer_of(ADMISSION)), outcome=f"{source} {proposals} {number}")
        self.inboxes[source].append(envelope_to_structured(told))

    def _item(self, event: str, outcome: str, digest: bytes, log: str | None, seq: int | None) -> dict[str, Any]:
        empty = dict.fromkeys(("code", "field", "message_zh", "message_en"))
        statement = f"sha256:{digest.hex()}"
        return {"event": event, "outcome": outcome, "statement": statement, "log": log, "seq": seq, **empty}

    def inbox_page(self, participant: str, cursor: str, limit: int) -> bytes:
        """The body of an inbox page, as the gateway sends it."""
        start = 0 if cursor in ("", "start") else int(cursor)
        items = self.inboxes[participant][start : start + limit]
        return json.dumps({"items": items, "cursor": str(start + len(items))}).encode()

    def members_page(self, after: int) -> bytes:
        """The body of a members page."""
        items = [envelope_to_structured(envelope) for envelope in self.members[after:]]
        return json.dumps({"items": items, "next": after + len(items)}).encode()

    def publish(self, year: int) -> None:
        """The notices of a shipped calendar year are on the members log."""
        for held in load_calendar(SCHEMAS_DIR / "codes" / "calendars").years:
            for notice in held.notices if held.year == year else ():
                self.say(published(held.year, notice))

    def by_log(self) -> dict[str, list[Envelope]]:
        """What was admitted, with its entries, by family and partition."""
        found: dict[str, list[Envelope]] = {}
        for envelope in self.logged:
            log = parse_entry((envelope.entry or "").encode()).log
            found.setdefault(log.removeprefix(f"{NAME}."), []).append(envelope)
        return found

    def types_admitted(self, *names: str) -> list[Envelope]:
        """Admitted events of these types (last word of the name), in order."""
        return [e for e in self.admitted if e.statement.type.rpartition(".")[2] in names]
