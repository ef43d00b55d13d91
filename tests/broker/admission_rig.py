"""Admission under test: a small founded exchange, processes of admission, proposals to it, and what it wrote, read back and verified."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from services.admission.partitioning import partition_of
from services.codec.content import content_digest, parse_disclosure
from services.codec.entry import Entry, parse_entry
from services.codec.envelope import Draft, Envelope, envelope_from_record, frame, seal, seal_batch
from services.codec.keys import Ed25519Signer, parse_private
from services.codec.registry import SchemaRegistry
from services.codec.released import load_released, register_all
from services.codec.signature import RootCache, parse_signature, verify
from services.codec.statement import format_statement
from services.events import to_value
from services.kernel.families import family_of
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.runtime.shell import SystemClock, SystemEntropy
from services.runtime.topics import load_topics
from tests.broker.running import Running
from tests.broker.waiting import wait_until
from tests.conftest import TestExchange

ROOT = Path(__file__).resolve().parents[2]
RELEASED = load_released()
ENTROPY = SystemEntropy()
CLOCK = SystemClock()
NANJING, NANJING_IP = "320100.market_regulator", "320100.ip_office"
HANGZHOU, HANGZHOU_IP = "330100.market_regulator", "330100.ip_office"
XIHU, POLICE, STRANGER = "330106.market_regulator", "330100.police", "440100.market_regulator"
ORGANS = (NANJING, NANJING_IP, HANGZHOU, HANGZHOU_IP, XIHU, POLICE, STRANGER)
PARTS = ("exchange.operator", "exchange.admission", "exchange.clues", "exchange.receipts")
AGREEMENT = "delta@1"
CLUE = "cn.ipx.clue.ClueReported"
START_S, READ_S = 60.0, 30.0

_AGREEMENT_TOML = """
id = "delta"
version = 1
title_zh = "试验协议"
title_en = "Trial agreement"
status = "in_force"
valid_from = 2020-01-01T00:00:00+08:00
members = ["320000", "330000"]
signatories = ["320100.market_regulator", "330100.market_regulator"]

[[flows]]
types = ["cn.ipx.clue.ClueReported"]
from = ["market_regulator"]
to = ["market_regulator"]
routed = true
disclose = ["reporter", "suspect_phone"]
copy_to = ["ip_office"]
copy_disclose = []
"""


def write_data(directory: Path, parts: Sequence[str] = PARTS) -> Path:
    """The data of the small exchange: organs, parts of the exchange and one agreement."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = [
        f'{{ id = "{name}", name_zh = "机关{name}", name_en = "Organ {name}", division = "{name[:6]}", '
        f'organ_type = "{name[7:]}", level = "prefecture" }}'
        for name in ORGANS
    ]
    rows += [
        f'{{ id = "{name}", name_zh = "{name}", name_en = "{name}", organ_type = "exchange", level = "exchange" }}'
        for name in parts
    ]
    (directory / "participants.toml").write_text("participants = [\n" + ",\n".join(rows) + "\n]\n", "utf-8")
    (directory / "delta.toml").write_text(_AGREEMENT_TOML, "utf-8")
    return directory


def clue_value(**changes: Any) -> dict[str, Any]:
    """A clue that every rule takes, for Hangzhou's Xihu district."""
    given = {f["name"]: f.get("default") for f in RELEASED.named(CLUE).json["fields"]}
    now_ms = CLOCK.now_ms()
    return {
        **given,
        "subtype": "online_listing",
        "right_type": "trademark",
        "title": "网店销售涉嫌假冒商标的商品",
        "facts": "店铺销售标注第3210010号商标的服装，疑似未经许可。",
        "place_division": "330106",
        "discovered_at": now_ms - 60_000,
        "reporter": "张某",
        "reporter_phone": "13900000000",
        **changes,
    }


class Process(Running):
    """One process of ``ipx admission run``."""

    argv = ("admission", "run")


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was read back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    @property
    def envelope(self) -> Envelope:
        """The event."""
        return envelope_from_record(list(self.headers.items()), self.value)[1]

    @property
    def entry(self) -> Entry:
        """The entry of a log or inbox record."""
        return parse_entry(self.headers["ce_ipxentry"])


@dataclass(slots=True)
class Rig:
    """A founded exchange and its admission processes."""

    exchange: TestExchange
    ids: dict[str, int]
    processes: list[Process] = field(default_factory=list)
    _producer: Producer | None = None
    _held: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))
    _told: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def signer(self, participant: str) -> Ed25519Signer:
        """The key of a participant."""
        path = self.exchange.state_dir / "keys" / f"{participant}.key"
        return parse_private(path.read_text().strip())

    def start(self, instance: str = "1", *, fault: str | None = None, **environ: str) -> Process:
        """Starts a process of admission."""
        given = {"IPX_ADMISSION_INSTANCE": instance, **environ}
        if fault is not None:
            given["IPX_FAULT_AT"] = fault
        process = Process(self.exchange, **given)
        self.processes.append(process)
        return process

    def draft(self, number: int = 0, **changes: Any) -> Draft:
        """What a source says before it signs."""
        now_ms = CLOCK.now_ms()
        given: dict[str, Any] = {
            "id": uuid7(now_ms, ENTROPY.draw(10)),
            "source": NANJING,
            "subject": f"CL-320100-2026-{number:06d}",
            "time": format_instant(now_ms),
            "agreement": AGREEMENT,
            "addressee": HANGZHOU,
        }
        return Draft(**{**given, **changes})

    def clue(self, number: int = 0, *, by: Ed25519Signer | None = None, **changes: Any) -> Envelope:
        """A signed clue; changes are of the statement or, as ``value_…``, of the content."""
        value = {k.removeprefix("value_"): v for k, v in changes.items() if k.startswith("value_")}
        said = self.draft(number, **{k: v for k, v in changes.items() if not k.startswith("value_")})
        signer = by or self.signer(said.source)
        return seal(RELEASED.named(CLUE), clue_value(**value), said, signer, ENTROPY)

    def clues(self, count: int, *, start: int = 0, batch: bool = False, **changes: Any) -> list[Envelope]:
        """Many clues, each of a subject of its own."""
        if not batch:
            return [self.clue(start + number, **changes) for number in range(count)]
        drafts = [self.draft(start + number, **changes) for number in range(count)]
        schema = RELEASED.named(CLUE)
        return seal_batch([(schema, clue_value(), said) for said in drafts], self.signer(drafts[0].source), ENTROPY)

    def event(self, event: Any, source: str, subject: str, **changes: Any) -> Envelope:
        """Any signed event."""
        given = {"source": source, "subject": subject, "agreement": "-", "addressee": "-", **changes}
        schema = RELEASED.named(type(event).TYPE)
        return seal(schema, to_value(event), self.draft(**given), self.signer(source), ENTROPY)

    def propose(self, envelopes: Iterable[Envelope]) -> None:
        """Writes to ``.in`` as the gateway does, and waits until Kafka has it."""
        for envelope in envelopes:
            self.put(envelope)
        self.flush()

    def put(self, envelope: Envelope, **changes: Any) -> None:
        """Hands one proposal to the producer, changed where a test wants it wrong."""
        statement = envelope.statement
        topic = changes.pop("topic", None) or self.exchange.topics.proposals(family_of(statement.type))
        family = topic.split(".")[-2]
        key = statement.subject.encode()
        record = {
            "value": frame(self.ids[statement.type], envelope.body),
            "key": key,
            "headers": envelope.headers(),
            "partition": partition_of(key, load_topics().families[family]),
            **changes,
        }
        self.producer().produce(topic, **record)
        self.producer().poll(0)

    def flush(self) -> None:
        """Waits until Kafka has everything that was put."""
        assert self.producer().flush(30) == 0

    def producer(self) -> Producer:
        """A plain producer."""
        if self._producer is None:
            self._producer = Producer({**self.exchange.settings.librdkafka(), "linger.ms": 5})
        return self._producer

    def read(self, topic: str, partitions: int = 1) -> list[Record]:
        """Everything committed that a topic holds: what was read before, and what has come since."""
        held = self._held[topic]
        since = dict.fromkeys(range(partitions), 0) | {record.partition: record.offset + 1 for record in held}
        held += self._read_from(topic, since)
        return list(held)

    def _read_from(self, topic: str, offsets: dict[int, int]) -> list[Record]:
        consumer = Consumer(
            {
                **self.exchange.settings.librdkafka(),
                "group.id": "rig",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "log_level": 3,
            }
        )
        try:
            consumer.assign([TopicPartition(topic, number, offset) for number, offset in offsets.items()])
            found: list[Record] = []
            ended: set[int] = set()
            deadline_s = time.monotonic() + READ_S
            while len(ended) < len(offsets):
                assert time.monotonic() < deadline_s, f"{topic} was not read to its end"
                message = consumer.poll(0.2)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    found.append(_record(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
            return found
        finally:
            consumer.close()

    def log(self, family: str = "clues") -> dict[int, list[Record]]:
        """The log of a family by partition."""
        count = load_topics().families[family]
        found: dict[int, list[Record]] = {number: [] for number in range(count)}
        for record in self.read(self.exchange.topics.log(family), count):
            found[record.partition].append(record)
        return found

    def inbox(self, participant: str) -> list[Record]:
        """The inbox of a participant."""
        return self.read(self.exchange.topics.inbox(participant))

    def quarantine(self) -> list[Record]:
        """What was kept whole."""
        return self.read(self.exchange.topics.quarantine)

    def outcomes(self, source: str = NANJING) -> list[dict[str, Any]]:
        """Every outcome that a source was told, in order; signatures and numbers verified."""
        return [item for record in self.outcome_records(source) for item in record]

    def outcome_records(self, source: str) -> list[list[dict[str, Any]]]:
        """The outcomes by record."""
        return [value["outcomes"] for value in self.outcome_values(source)]

    def outcome_values(self, source: str = NANJING) -> list[dict[str, Any]]:
        """The outcome records of a source, after everything that it can verify of them."""
        schema = RELEASED.named("cn.ipx.receipt.OutcomesRecorded")
        public = self.signer("exchange.admission").public
        told = self._told[source]
        records = [record for record in self.inbox(source) if "ce_ipxoutcome" in record.headers]
        for record in records[len(told) :]:
            value = verified(record.envelope, public.data, schema)
            who, place, number = record.headers["ce_ipxoutcome"].decode().split(" ")
            assert (who, place) == (source, value["log"])
            before = [earlier for earlier in told if earlier["log"] == place]
            items = sum(len(earlier["outcomes"]) for earlier in before)
            assert (int(number), value["first_number"]) == (len(before), items), f"numbers of {source} in {place}"
            told.append(value)
        return list(told)

    def wait(self, holds: Callable[[], bool], timeout_s: float, between: Callable[[], None] = lambda: None) -> None:
        """Blocks until it holds, doing something between the questions."""

        def is_so() -> bool:
            if holds():
                return True
            between()
            return False

        wait_until(is_so, timeout_s, self._ends_of_logs)

    def wait_outcomes(self, count: int, source: str = NANJING, timeout_s: float = 60.0) -> list[dict[str, Any]]:
        """Blocks until a source was told that many outcomes."""
        self.wait(lambda: len(self.outcomes(source)) >= count, timeout_s)
        return self.outcomes(source)

    def outcome_of(self, envelope: Envelope, **put: Any) -> dict[str, Any]:
        """Proposes one event and says what became of it."""
        source = envelope.statement.source
        before = len(self.outcomes(source))
        self.put(envelope, **put)
        self.flush()
        return self.wait_outcomes(before + 1, source)[before]

    def close(self) -> None:
        """Ends every process."""
        for process in self.processes:
            if process.process.poll() is None:
                process.kill()

    def _ends_of_logs(self) -> str:
        return "\n".join(process.log.read_text()[-1500:] for process in self.processes)


def initialised(exchange: TestExchange) -> dict[str, int]:
    """Registers the schemas and founds the exchange from its data; schema ids by type."""
    registry = SchemaRegistry(exchange.settings.registry_url)
    try:
        ids = {one.type: one.schema_id for one in register_all(RELEASED, registry)}
    finally:
        registry.close()
    done = exchange.ipx("members", "init", "--json", timeout_s=120)
    assert done.returncode == 0, done.stderr
    return ids


@contextmanager
def founded(exchange: TestExchange) -> Iterator[Rig]:
    """The exchange with its schemas registered and its members initialised; processes end with the block."""
    data = write_data(exchange.state_dir / "data")
    exchange.environ["IPX_MEMBERS_DATA_DIR"] = str(data)
    rig = Rig(exchange, initialised(exchange))
    try:
        yield rig
    finally:
        rig.close()


def _record(message: Message) -> Record:
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        dict(message.headers() or []),
    )


def resent(envelope: Envelope, **changes: Any) -> Envelope:
    """The same with parts exchanged, and no new signature."""
    return replace(envelope, **changes)


def ids_of(log: dict[int, list[Record]]) -> list[str]:
    """Ids of the events of a log, partition after partition."""
    return [record.entry.statement.id for records in log.values() for record in records]


def verified(envelope: Envelope, public_key: bytes, schema: Any) -> dict[str, Any]:
    text = format_statement(envelope.statement)
    assert verify(text, parse_signature(envelope.signature), public_key, RootCache())
    value, parts = schema.decode_parts(envelope.body)
    digest = content_digest(schema, parts, parse_disclosure(schema, envelope.salts))
    assert envelope.statement.content == f"sha256:{digest.hex()}"
    return dict(value)
