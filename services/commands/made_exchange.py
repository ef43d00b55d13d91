"""A made-up exchange with as many entries as are wanted, for measuring the ledger without a broker: everything in it verifies.

The members are those of ``schemas/agreements``, with keys made here. The log is of clue reports, some hundred of them signed each by itself and
taken in turn; admission's part of an entry (numbers, deliveries) is written anew for each, so every entry is another.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from services.admission.partitioning import partition_of
from services.audit.sources import ENTRY_HEADER, MEMBERS, place_of
from services.codec.checkpoint import Checkpoint, format_checkpoint, origin_of
from services.codec.entry import Delivery, format_entry
from services.codec.envelope import Envelope, frame
from services.codec.keys import Ed25519Signer, PublicKey, signer_from_seed
from services.codec.log_keys import LEDGER, log_signer
from services.codec.note import Note, format_note, sign_note
from services.codec.released import load_released
from services.codec.signature import parse_signature
from services.codec.statement import format_statement
from services.codec.tiles import Read
from services.commands.admission_run import REPORTED, Maker
from services.events import to_value
from services.events.documents import agreement_from_document, participants_from_document
from services.events.member import AgreementProposed
from services.kernel.calendar_documents import load_calendar
from services.kernel.codes import load_code_tables
from services.kernel.data import SCHEMAS_DIR
from services.kernel.instants import format_instant
from services.kernel.parties import agreement_ref
from services.kernel.ports import CountedEntropy, SettableClock
from services.members.authorise import deliveries
from services.members.genesis import OPERATOR, Plan, missing_from
from services.members.history import History
from services.members.jurisdiction import routes_of
from services.members.proposing import seal_member
from services.members.reading import body_digest
from services.runtime.records import RawRecord
from services.runtime.topics import load_topics

EXCHANGE = "bench"
MEMBERS_LOG = f"{EXCHANGE}.{MEMBERS}/0"
LOG = f"{EXCHANGE}.clues/0"
SOURCE, RECIPIENT = "320700.market_regulator", "320576.market_regulator"
_DAY_MS = 86_400_000
_DIFFERENT = 500
_SCHEMA_ID = 1
"""Every schema has an id in a registry; nobody asks which."""


@dataclass(frozen=True, slots=True)
class Template:
    """A clue report as it stands in the log, but for the end of its entry."""

    envelope: Envelope
    before: bytes
    """The entry up to its ``seq`` line."""
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @property
    def signed(self) -> tuple[bytes, bytes]:
        """The statement and the signature over it."""
        return format_statement(self.envelope.statement), parse_signature(self.envelope.signature).value


@dataclass(frozen=True, slots=True)
class MadeExchange:
    """The members log, and a clues log of ``entries`` entries; a ``LogSource`` of an auditor. :func:`made_exchange` makes one."""

    history: History
    root: PublicKey
    source_key: bytes
    ledger: Ed25519Signer
    templates: Sequence[Template]
    recipients: Sequence[Delivery]
    entries: int
    heads: Mapping[str, Checkpoint]
    """The last checkpoint of each origin that has one."""
    horizon_ms: int
    exchange: str = EXCHANGE
    schemas_dir: Path = SCHEMAS_DIR

    def entry(self, seq: int) -> bytes:
        """An entry of the clues log."""
        lines = "".join(
            f"deliver: {d.recipient} {seq} {'-' + ',-'.join(d.withheld) if d.withheld else 'full'}\n"
            for d in self.recipients
        )
        tail = f"seq: {seq}\nmembers: {self.history.size}\n{lines}"
        return self.templates[seq % len(self.templates)].before + tail.encode()

    def envelope(self, seq: int) -> Envelope:
        """A record of the clues log, read."""
        return replace(self.templates[seq % len(self.templates)].envelope, entry=self.entry(seq).decode())

    def note(self, log: str) -> bytes:
        """The signed checkpoint of a log."""
        origin = origin_of(log)
        text, key = format_checkpoint(self.heads[origin]), log_signer(self.ledger, origin)
        return format_note(Note(text, (sign_note(text, origin, key.public.data, key.sign),)))

    def up_to(self, entries: int) -> MadeExchange:
        """The same with fewer entries, and no checkpoint over them."""
        return replace(self, entries=entries, heads={})

    def logs(self) -> Sequence[str]:
        """The members' log first."""
        return (MEMBERS_LOG, LOG)

    def span(self, log: str) -> int:
        """How many records it has."""
        return self.entries if log == LOG else self.history.size

    def first_seq(self, log: str) -> int:
        """Always from the beginning."""
        return 0

    def next_seq(self, log: str) -> int | None:
        """Up to its end."""
        return None

    def records(self, log: str) -> Iterator[RawRecord]:
        """The records in order, made as they are asked for."""
        if log != LOG:
            for seq, record in enumerate(self.history.since(0, self.history.size)):
                yield RawRecord(*place_of(log), seq, record.envelope.headers(), frame(_SCHEMA_ID, record.envelope.body))
            return
        topic, partition = place_of(log)
        for seq in range(self.entries):
            template = self.templates[seq % len(self.templates)]
            headers = (*template.headers, (ENTRY_HEADER, self.entry(seq)))
            yield RawRecord(topic, partition, seq, headers, template.value)

    def checkpoints(self, origin: str) -> Iterator[bytes]:
        """The one checkpoint over everything, where there is one."""
        return (self.note(log) for log in self.logs() if origin == origin_of(log) and origin in self.heads)

    def witnessed(self, origin: str) -> bytes | None:
        """Nobody witnesses it."""
        return None

    def tiles(self, origin: str) -> Read | None:
        """Not needed: nothing differs."""
        return None


def made_exchange(entries: int, now_ms: int) -> MadeExchange:
    """The exchange as founded at that time; takes a second or two."""
    clock, entropy = SettableClock(now_ms), CountedEntropy()
    released = load_released()
    plan = _plan(now_ms)
    names = {OPERATOR, *(one.participant for one in plan.participants)}
    signers = {name: signer_from_seed(name, sha256(name.encode()).digest()) for name in names}
    ledger, root = signers[LEDGER], signers[OPERATOR].public
    history = History(log=MEMBERS_LOG, schema_of=released.with_digest, root=root)
    proposal_schema = released.named(AgreementProposed.TYPE)
    digests = {
        agreement_ref(one.agreement, one.version): body_digest(proposal_schema.encode(to_value(one)))
        for one in plan.agreements
    }
    keys = {name: signer.public for name, signer in signers.items()}
    log_keys = [log_signer(ledger, origin_of(log)).public for log in (MEMBERS_LOG, LOG)]
    for one in missing_from(history.latest, plan, keys, digests, now_ms, log_keys):
        signer = signers[one.source]
        sealed = seal_member(
            one.event, subject=one.subject, signer=signer, released=released, clock=clock, entropy=entropy
        )
        seq = history.size
        data = format_entry(
            format_statement(sealed.statement), sealed.signature, format_instant(now_ms), MEMBERS_LOG, seq, seq, ()
        )
        history.append(replace(sealed, entry=data.decode()))
    clock.advance(_DAY_MS)
    maker = Maker(released, signers[SOURCE], RECIPIENT, clock, entropy)
    templates = list(_templates(maker, plan.families["clues"], clock.now_ms()))
    return MadeExchange(
        history=history,
        root=root,
        source_key=signers[SOURCE].public.data,
        ledger=ledger,
        templates=templates,
        recipients=_recipients(history, maker, templates[0].envelope, clock.now_ms()),
        entries=entries,
        heads={},
        horizon_ms=clock.now_ms() + _DAY_MS,
    )


def _plan(now_ms: int) -> Plan:
    directory = SCHEMAS_DIR / "agreements"
    documents = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(directory.glob("*.toml"))}
    participants = participants_from_document(documents.pop("participants"), now_ms)
    return Plan(
        name=EXCHANGE,
        title_zh="性能测量用的交换",
        title_en="An exchange for measuring",
        families=load_topics().families,
        participants=participants,
        agreements=[agreement_from_document(document) for document in documents.values()],
        calendar=load_calendar(SCHEMAS_DIR / "codes" / "calendars"),
    )


def _templates(maker: Maker, partitions: int, now_ms: int) -> Iterator[Template]:
    """Clue reports whose subject belongs into the first partition."""
    made = 0
    for envelope in maker.envelopes(_DIFFERENT * partitions * 2, batch=False):
        if partition_of(envelope.statement.subject.encode(), partitions) == 0:
            text = f"signature: {envelope.signature}\nadmitted: {format_instant(now_ms)}\nlog: {LOG}\n"
            before = format_statement(envelope.statement) + text.encode()
            yield Template(envelope, before, tuple(envelope.headers()), frame(_SCHEMA_ID, envelope.body))
            made += 1
            if made == _DIFFERENT:
                return


def _recipients(history: History, maker: Maker, envelope: Envelope, now_ms: int) -> list[Delivery]:
    schema = maker.released.named(REPORTED)
    found = deliveries(
        history.latest,
        schema,
        envelope.statement,
        schema.decode(envelope.body),
        time_ms=now_ms,
        admitted_ms=now_ms,
        routes=routes_of(load_code_tables(SCHEMAS_DIR / "codes")),
    )
    return [Delivery(recipient.id, 0, recipient.withheld) for recipient in found]
