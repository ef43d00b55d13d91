"""One log partition, record by record: what each must be, and how records follow one another. Pure.

A log is taken in runs, so that runs can be looked at in several processes: :class:`Examiner` looks at what a record is by itself,
``stretch_of`` makes of a run of records a :class:`Stretch`, small enough to be handed back, and :class:`Joined` puts stretches together.

Numbered steps for a record (``services/ledger/FORMAT.md``): 1 entry of its form (section 4) · 2 of this log, next in ``seq``, delivery numbers next,
admission times never back · 3 leaf (section 6.1) · and, when signatures are asked for: 4 attributes and entry are of one statement (section 5) · 5 schema known,
body canonical, content as committed (section 2) · 6 key of the source by the members log (section 3) · 7 signature · 8 who may say what to whom,
computed again at the size of the members log that the entry names (section 4) · 9 the partition is that of the subject.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.admission.partitioning import partition_of
from services.audit.authorisations import Authorisations
from services.audit.sources import ENTRY_HEADER, Finding, place_of
from services.codec.content import commitment, parse_disclosure
from services.codec.entry import Entry, parse_entry
from services.codec.envelope import Envelope, envelope_from_record
from services.codec.keys import PublicKey
from services.codec.merkle import leaf_hash
from services.codec.released import ReleasedSchemas
from services.codec.schema import EventSchema, Value
from services.codec.signature import RootCache, parse_signature, verify
from services.events.member import ExchangeFounded
from services.kernel.errors import Corrupt, Refused
from services.members.history import History
from services.members.jurisdiction import Routes

MAX_FINDINGS = 100
_SIGNATURE = b"signature: "
"""Where the statement ends within an entry."""
Headers = Sequence[tuple[str, bytes]]
Plain = tuple[int, Headers, bytes | None]
"""Offset, headers and value of a record. Headers are that of the entry alone when signatures are not asked for."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A delivery number and where it stands; ``at`` counts the records of its stretch."""

    number: int
    at: int
    offset: int
    seq: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A run of records of one log, seen by itself. ``leaves`` are the hashes of its entries, joined."""

    count: int
    first_seq: int
    next_seq: int
    first_offset: int
    first_admitted: str
    last_admitted: str
    leaves: bytes
    numbers: Mapping[str, tuple[Numbered, int]]
    """For each recipient its first delivery, and the number that comes next."""
    findings: tuple[tuple[int, Finding], ...]
    """Each with the number of its record in the stretch."""
    is_whole: bool
    """Whether every entry was readable and the next of the one before it."""

    @property
    def is_readable(self) -> bool:
        """Whether any entry of it was."""
        return bool(self.first_admitted)


class Examiner:
    """Steps 4 to 9 for one exchange. For one thread: it remembers batch signatures that it found good."""

    def __init__(self, history: History, released: ReleasedSchemas, routes: Routes, root: PublicKey) -> None:
        """``history`` must have been read to where no entry names more; ``root`` is the key that the auditor believes."""
        self._history = history
        self._released = released
        self._authorisations = Authorisations(history, routes)
        self._root = root
        self._roots = RootCache()
        founded = history.latest.founded
        self._partitions = {family.family: family.partitions for family in founded.families} if founded else {}

    def examine(self, record: Plain, data: bytes, entry: Entry) -> tuple[str, str] | None:
        """Code and sentence of the first step that the record fails; None when it passes all. ``entry`` is ``data``, parsed."""
        try:
            # (4) attributes and entry are of one statement
            _, envelope = envelope_from_record(record[1], record[2])
            if envelope.statement != entry.statement or envelope.signature != entry.signature:
                return "entry-differs", "the attributes of the record are not of the statement that the entry has"
            # (5) schema, body, content
            schema, value = self._content(envelope)
        except Refused as refused:
            return "bad-content", f"{refused.code}: {refused.message}"
        try:
            # (6) key (7) signature
            time_ms = entry.statement.time_ms
            if not self._is_signed(data[: data.index(_SIGNATURE)], entry, value, time_ms):
                return "bad-signature", f"the signature is not one of {entry.statement.source} over this statement"
        except Refused as refused:
            return "bad-signature", f"{refused.code}: {refused.message}"
        except Corrupt:
            return (
                "members-ahead",
                f"the entry names {entry.members} of the members log, which has {self._history.size}",
            )
        return self._authorised(entry, schema, value, time_ms) or self._placed(entry)

    def _content(self, envelope: Envelope) -> tuple[EventSchema, Value]:
        statement = envelope.statement
        schema = self._released.with_digest(statement.schema)
        if schema.name != statement.type:
            raise Refused("statement-mismatch", f"the schema is of {schema.name}, the statement of {statement.type}")
        value, parts = schema.decode_parts(envelope.body)
        disclosure = parse_disclosure(schema, envelope.salts)
        if disclosure.digests:
            raise Refused("bad-disclosure", "a log holds every event whole, this one lacks a field")
        found = commitment(schema, parts, disclosure)[0]
        if statement.content != f"sha256:{found.hex()}":
            raise Refused("statement-mismatch", f"the content is sha256:{found.hex()}, the statement says otherwise")
        return schema, value

    def _is_signed(self, text: bytes, entry: Entry, value: Value, time_ms: int) -> bool:
        statement = entry.statement
        signature = parse_signature(entry.signature)
        if statement.type == ExchangeFounded.TYPE:
            said = (signature.key_id, statement.source, value["public_key"])
            if said != (self._root.key_id, self._root.participant, self._root.data):
                raise Refused("unknown-key", f"the exchange is founded with its root key, {self._root.key_id}")
            return verify(text, signature, self._root.data, self._roots)
        key = self._history.at(entry.members).key(signature.key_id, time_ms)
        if key.participant != statement.source:
            raise Refused("key-not-of-source", f"key {signature.key_id} is not of {statement.source}")
        if key.suite != signature.suite:
            raise Refused("unknown-suite", f"key {signature.key_id} is of suite {key.suite}")
        return verify(text, signature, key.public_key, self._roots)

    def _authorised(self, entry: Entry, schema: EventSchema, value: Value, time_ms: int) -> tuple[str, str] | None:
        """(8): the recipients as admission had to find them."""
        try:
            wanted = self._authorisations.recipients(entry, schema, value, time_ms)
        except Refused as refused:
            return "not-authorised", f"by the members log at {entry.members}: {refused.code}: {refused.message}"
        found = [(d.recipient, d.withheld) for d in entry.deliveries]
        if found != [(r.id, r.withheld) for r in wanted]:
            right = ", ".join(f"{r.id}{' without ' + ' '.join(r.withheld) if r.withheld else ''}" for r in wanted)
            return "deliveries-differ", f"by the members log at {entry.members} it goes to {right or 'nobody'}"
        return None

    def _placed(self, entry: Entry) -> tuple[str, str] | None:
        """(9): a subject has one partition, so that its events have one order."""
        topic, partition = place_of(entry.log)
        count = self._partitions.get(topic.rpartition(".")[2], 0)
        if not count:
            return None
        right = partition_of(entry.statement.subject.encode(), count)
        return None if right == partition else ("wrong-partition", f"the subject belongs into partition {right}")


@dataclass(slots=True)
class _Run:
    """What a stretch is made from, record by record."""

    log: str
    examiner: Examiner | None
    next_seq: int | None = None
    first_seq: int = 0
    first_admitted: str = ""
    admitted: str = ""
    leaves: list[bytes] = field(default_factory=list)
    firsts: dict[str, Numbered] = field(default_factory=dict)
    afters: dict[str, int] = field(default_factory=dict)
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    is_whole: bool = True

    def take(self, record: Plain) -> None:
        """Steps 1 to 3, and the others where they are asked for."""
        offset, headers, _ = record
        data = next((text for name, text in headers if name == ENTRY_HEADER), b"")
        # (3) leaf: also of what cannot be read, since the tree is of the bytes
        self.leaves.append(leaf_hash(data))
        try:
            # (1) entry of its form
            entry = parse_entry(data)
        except Refused as refused:
            self.is_whole = False
            self._tell(offset, self.next_seq, "bad-entry", refused.message)
            if self.next_seq is not None:
                self.next_seq += 1
            return
        # (2) of this log, next in every number
        self._follow(offset, entry)
        if self.examiner is not None:
            found = self.examiner.examine(record, data, entry)
            if found is not None:
                self._tell(offset, entry.seq, *found)

    def _follow(self, offset: int, entry: Entry) -> None:
        if entry.log != self.log:
            self._tell(offset, entry.seq, "wrong-log", f"the entry says that it is of {entry.log}")
        if self.next_seq is None:
            unreadable = len(self.leaves) - 1
            self.first_seq, self.first_admitted = entry.seq - unreadable, entry.admitted
        elif entry.seq != self.next_seq:
            self.is_whole = False
            self._tell(offset, entry.seq, *seq_finding(self.next_seq, entry.seq))
        self.next_seq = entry.seq + 1
        if entry.admitted < self.admitted:
            self._tell(
                offset, entry.seq, "time-goes-back", f"admitted {entry.admitted}, the one before {self.admitted}"
            )
        self.admitted = entry.admitted
        for delivery in entry.deliveries:
            name, number = delivery.recipient, delivery.number
            expected = self.afters.get(name)
            if expected is None:
                self.firsts[name] = Numbered(number, len(self.leaves) - 1, offset, entry.seq)
            elif number != expected:
                self._tell(offset, entry.seq, "delivery-number", _number_words(name, expected, number))
            self.afters[name] = number + 1

    def _tell(self, offset: int, seq: int | None, code: str, sentence: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            finding = Finding(code, *place_of(self.log), sentence, offset, seq)
            self.findings.append((len(self.leaves) - 1, finding))


def stretch_of(log: str, records: Sequence[Plain], examiner: Examiner | None = None) -> Stretch:
    """What a run of at least one record is, seen by itself; steps 4 to 9 only with an ``examiner``. Never raises for what it reads."""
    run = _Run(log, examiner)
    for record in records:
        run.take(record)
    return Stretch(
        count=len(records),
        first_seq=run.first_seq,
        next_seq=run.first_seq if run.next_seq is None else run.next_seq,
        first_offset=records[0][0],
        first_admitted=run.first_admitted,
        last_admitted=run.admitted,
        leaves=b"".join(run.leaves),
        numbers={name: (first, run.afters[name]) for name, first in run.firsts.items()},
        findings=tuple(run.findings),
        is_whole=run.is_whole and run.next_seq is not None,
    )


def seq_finding(expected: int, found: int) -> tuple[str, str]:
    """Code and sentence of an entry that is not the next one."""
    if found > expected:
        return "seq-gap", f"seq {expected} was expected: {found - expected} entries are missing before this one"
    return "seq-repeated", f"seq {expected} was expected: this number stood in the log before"


def _number_words(recipient: str, expected: int, found: int) -> str:
    return f"delivery {found} to {recipient}, {expected} was expected"


@dataclass(slots=True)
class Joined:
    """The stretches of one log, put together in their order: what stands between two of them, and what is known so far."""

    log: str
    next_seq: int = 0
    admitted: str = ""
    numbers: dict[str, int] = field(default_factory=dict)
    is_whole: bool = True
    is_from_the_start: bool = True
    """Whether a recipient that was not seen yet must begin with number 0."""

    def take(self, stretch: Stretch) -> list[Finding]:
        """What is wrong with a stretch and with its beginning, in order of place."""
        place = place_of(self.log)
        found: list[tuple[int, Finding]] = []
        if stretch.is_readable:
            if stretch.first_seq != self.next_seq:
                self.is_whole = False
                code, sentence = seq_finding(self.next_seq, stretch.first_seq)
                found.append((0, Finding(code, *place, sentence, stretch.first_offset, stretch.first_seq)))
            if stretch.first_admitted < self.admitted:
                sentence = f"admitted {stretch.first_admitted}, the one before {self.admitted}"
                goes_back = Finding("time-goes-back", *place, sentence, stretch.first_offset, stretch.first_seq)
                found.append((0, goes_back))
        found += [*self._numbered(stretch), *stretch.findings]
        self.is_whole = self.is_whole and stretch.is_whole
        self.next_seq = stretch.next_seq if stretch.is_readable else self.next_seq + stretch.count
        self.admitted = stretch.last_admitted or self.admitted
        return [finding for _, finding in sorted(found, key=lambda item: item[0])]

    def _numbered(self, stretch: Stretch) -> Iterable[tuple[int, Finding]]:
        for recipient, (first, after) in stretch.numbers.items():
            expected = self.numbers.get(recipient, 0 if self.is_from_the_start else first.number)
            if first.number != expected:
                sentence = _number_words(recipient, expected, first.number)
                yield first.at, Finding("delivery-number", *place_of(self.log), sentence, first.offset, first.seq)
            self.numbers[recipient] = after
