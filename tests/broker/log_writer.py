"""Writes log records as admission does, for tests of what reads the logs: entries with contiguous numbers, in transactions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from confluent_kafka import KafkaException, Producer

from services.codec.entry import Delivery, format_entry
from services.codec.envelope import Draft, Envelope, frame, seal
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.registry import SchemaRegistry
from services.codec.released import load_released, register_all
from services.codec.statement import format_statement
from services.events import to_value
from services.kernel.families import family_of
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.kernel.ports import CountedEntropy

EPOCH_MS = 1_790_000_000_000
RELEASED = load_released()
SOURCE = "320100.market_regulator"


@dataclass(frozen=True, slots=True)
class Said:
    """An event to be logged: who says it, of what, when it is admitted, to whom it is delivered."""

    event: object
    subject: str
    partition: int
    admitted_ms: int = EPOCH_MS
    source: str = SOURCE
    agreement: str = "-"
    recipients: tuple[str, ...] = ()
    id: str | None = None
    members: int = 1


class LogWriter:
    """The only writer of the logs of one test exchange."""

    def __init__(self, exchange, *, after: LogWriter | None = None, name: str = "writer") -> None:
        """``after``: a writer that lost its broker; its unfinished transaction is aborted and its numbers go on."""
        self.topics = exchange.topics
        self.entropy = CountedEntropy() if after is None else after.entropy
        self._signers = {}
        self._seqs: dict[tuple[str, int], int] = defaultdict(int, {} if after is None else after._seqs)
        self._numbers: dict[tuple[str, int, str], int] = defaultdict(int, {} if after is None else after._numbers)
        registry = SchemaRegistry(exchange.settings.registry_url)
        register_all(RELEASED, registry)
        self._id_of = {schema.name: registry.id_of(schema) for schema in map(RELEASED.named, RELEASED.types)}
        registry.close()
        self._producer = Producer(
            {**exchange.settings.librdkafka(), "transactional.id": f"{exchange.name}-{name}", "linger.ms": 5}
        )
        self._producer.init_transactions(30)

    def next_id(self) -> str:
        """A fresh event id."""
        return uuid7(EPOCH_MS, self.entropy.draw(10))

    def write(self, said: Iterable[Said], *, commit: bool = True, take_back: bool = True) -> list[str]:
        """Appends in one transaction and returns the ids; an aborted one leaves no number used."""
        kept = (dict(self._seqs), dict(self._numbers))
        self._producer.begin_transaction()
        ids = [self._append(one) for one in said]
        if commit:
            try:
                self._producer.commit_transaction(30)
            except KafkaException:
                self._seqs, self._numbers = defaultdict(int, kept[0]), defaultdict(int, kept[1])
                raise
        else:
            self._producer.flush(30)
            self._producer.abort_transaction(30)
            if take_back:
                self._seqs, self._numbers = defaultdict(int, kept[0]), defaultdict(int, kept[1])
        return ids

    def begin(self, said: Iterable[Said]) -> None:
        """Appends and leaves the transaction open."""
        self._producer.begin_transaction()
        for one in said:
            self._append(one)
        self._producer.flush(30)

    def settle(self) -> None:
        """Commits the open transaction."""
        self._producer.commit_transaction(30)

    def continue_from(self, other: LogWriter) -> None:
        """Takes over the numbers of another writer."""
        self.entropy = other.entropy
        self._seqs, self._numbers = other._seqs, other._numbers

    def signer(self, participant: str) -> Ed25519Signer:
        """The key of a participant."""
        if participant not in self._signers:
            seed = participant.encode().ljust(32, b".")[:32]
            self._signers[participant] = signer_from_seed(participant, seed)
        return self._signers[participant]

    def skip(self, topic: str, partition: int, count: int = 1) -> None:
        """Leaves numbers out, as a broken log would."""
        self._seqs[topic, partition] += count

    def _append(self, said: Said) -> str:
        envelope = self._sealed(said)
        statement = envelope.statement
        topic = self.topics.log(family_of(statement.type))
        deliveries = []
        for recipient in sorted(said.recipients):
            deliveries.append(Delivery(recipient, self._numbers[topic, said.partition, recipient]))
            self._numbers[topic, said.partition, recipient] += 1
        entry = format_entry(
            format_statement(statement),
            envelope.signature,
            format_instant(said.admitted_ms),
            f"{topic}/{said.partition}",
            self._seqs[topic, said.partition],
            said.members,
            tuple(deliveries),
        )
        self._seqs[topic, said.partition] += 1
        record = replace(envelope, entry=entry.decode())
        self._producer.produce(
            topic,
            key=statement.subject.encode(),
            value=frame(self._id_of[statement.type], record.body),
            headers=record.headers(),
            partition=said.partition,
        )
        self._producer.poll(0)
        return statement.id

    def _sealed(self, said: Said) -> Envelope:
        schema = RELEASED.named(said.event.TYPE)
        draft = Draft(
            id=said.id or self.next_id(),
            source=said.source,
            subject=said.subject,
            time=format_instant(said.admitted_ms),
            agreement=said.agreement,
            addressee=",".join(sorted(said.recipients)) or "-",
        )
        return seal(schema, to_value(said.event), draft, self.signer(said.source), self.entropy)


def in_batches(said: Sequence[Said], size: int) -> Iterable[Sequence[Said]]:
    """Runs of at most that size."""
    return (said[at : at + size] for at in range(0, len(said), size))
