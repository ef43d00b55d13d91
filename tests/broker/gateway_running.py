"""A gateway process of one test exchange, participants that talk to it, and a small admission that answers at once.

The small admission is a stand-in where a test is about the gateway alone: it reads proposals, refuses subjects that begin
with ``BAD``, and writes outcome records and copies as the real one does. It checks and logs nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from confluent_kafka import Consumer, Producer, TopicPartition

from services.codec.cloudevents import envelope_to_structured
from services.codec.entry import Delivery, format_entry
from services.codec.envelope import Draft, Envelope, envelope_from_record, frame, seal
from services.codec.examples import read_examples
from services.codec.http import HttpClient, Reply
from services.codec.json_form import json_form
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.registry import SchemaRegistry
from services.codec.released import load_released, register_all
from services.codec.statement import format_statement
from services.codec.token import issue
from services.events import to_value
from services.events.member import ExchangeFounded, KeyAdded, KeyRevoked, ParticipantRegistered, ParticipantSuspended
from services.events.receipt import OutcomeItem, OutcomesRecorded
from services.kernel.errors import Transient
from services.kernel.families import FAMILIES
from services.kernel.ids import uuid7
from services.kernel.instants import format_instant
from services.runtime.shell import SystemClock, SystemEntropy
from services.runtime.topics import load_topics
from tests.broker.log_writer import EPOCH_MS, LogWriter, Said
from tests.broker.waiting import wait_until
from tests.conftest import TestExchange

T = TypeVar("T")

OPERATOR, ADMISSION = "exchange.operator", "exchange.admission"
NANJING, HANGZHOU, SUZHOU = "320100.market_regulator", "330100.market_regulator", "320500.police"
RELEASED = load_released()
REPORTED = RELEASED.named("cn.ipx.clue.ClueReported")
CLUE = next(e.data for e in read_examples() if (e.type, e.name) == (REPORTED.name, "valid-online"))
STRUCTURED, BATCH, AVRO = "application/cloudevents+json", "application/cloudevents-batch+json", "application/avro"
START_S = 40
_entropy = SystemEntropy()


def signer_of(participant: str, generation: str = "") -> Ed25519Signer:
    """The key that the tests know a participant by; ``log_writer`` makes its keys in the same way."""
    return signer_from_seed(participant, f"{participant}{generation}".encode().ljust(32, b".")[:32])


class Genesis:
    """Writes the members log of a test exchange as admission would."""

    def __init__(self, exchange: TestExchange) -> None:
        self._writer = LogWriter(exchange)
        self._size = 0
        self._exchange = exchange

    def found(self, *participants: str) -> None:
        """Founds the exchange and registers participants with their keys and inboxes."""
        root = signer_of(OPERATOR)
        self._say(
            ExchangeFounded(
                name=self._exchange.name,
                operator=OPERATOR,
                key_id=root.key_id,
                suite="ed25519",
                public_key=root.public.data,
                founded_at=EPOCH_MS,
                title_zh="测试",
                title_en="test",
            )
        )
        self.join(ADMISSION, *participants)

    def join(self, *participants: str) -> None:
        """Registers participants."""
        self._exchange.ensure_participants(*participants)
        for participant in participants:
            division, _, organ = participant.partition(".")
            self._say(
                ParticipantRegistered(
                    participant=participant,
                    name_zh=participant,
                    name_en=participant,
                    division=division if division.isdigit() else None,
                    organ_type=organ if division.isdigit() else "exchange",
                    level="city",
                    valid_from=EPOCH_MS,
                )
            )
            self.add_key(participant, signer_of(participant))

    def add_key(self, participant: str, signer: Ed25519Signer) -> None:
        """Adds a key."""
        key = KeyAdded(
            participant=participant,
            key_id=signer.key_id,
            suite="ed25519",
            public_key=signer.public.data,
            valid_from=EPOCH_MS,
        )
        self._say(key)

    def revoke_key(self, participant: str) -> None:
        """Revokes the first key of a participant."""
        revoked = KeyRevoked(
            participant=participant, key_id=signer_of(participant).key_id, revoked_at=EPOCH_MS, reason="compromised"
        )
        self._say(revoked)

    def suspend(self, participant: str) -> None:
        """Suspends a participant."""
        self._say(ParticipantSuspended(participant=participant, suspended_at=EPOCH_MS, reason="test"))

    def publish(self, event: object) -> None:
        """Any other event of the operator."""
        self._say(event)

    @property
    def size(self) -> int:
        """Of the members log."""
        return self._size

    def _say(self, event: object) -> None:
        said = Said(event, f"member-{self._size}", 0, source=OPERATOR, members=self._size)
        self._writer.write([said])
        self._size += 1


class SmallAdmission:
    """Answers proposals in a thread; a context manager."""

    def __init__(self, exchange: TestExchange) -> None:
        self._topics = exchange.topics
        settings = exchange.settings.librdkafka()
        self._consumer = Consumer(
            {
                **settings,
                "group.id": exchange.groups.admission,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        self._producer = Producer({**settings, "linger.ms": 0, "enable.idempotence": True})
        families = load_topics().families
        self._consumer.assign(
            [TopicPartition(self._topics.proposals(f), p, 0) for f in FAMILIES for p in range(families[f])]
        )
        registry = SchemaRegistry(exchange.settings.registry_url)
        register_all(RELEASED, registry)
        self._id_of = {s.name: registry.id_of(s) for s in map(RELEASED.named, RELEASED.types)}
        registry.close()
        self._numbers: dict[tuple[str, str], int] = defaultdict(int)
        self._seqs: dict[str, int] = defaultdict(int)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.read: list[Envelope] = []

    def __enter__(self) -> SmallAdmission:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.05)
            if message is None or message.error() is not None:
                continue
            _, envelope = envelope_from_record(message.headers(), message.value())
            assert message.key() == envelope.statement.subject.encode()
            self.read.append(envelope)
            self._answer(envelope, f"{message.topic()}/{message.partition()}")
            self._producer.flush(10)

    def _answer(self, envelope: Envelope, proposals: str) -> None:
        statement = envelope.statement
        log = proposals.replace(".in/", "/")
        if statement.subject.startswith("BAD"):
            item = OutcomeItem(
                event=statement.id, outcome="refused", code="bad-field", field="uscc", message_zh="错", message_en="no"
            )
        else:
            item = OutcomeItem(event=statement.id, outcome="admitted", log=log, seq=self._seqs[log])
            self._deliver(envelope, log)
            self._seqs[log] += 1
        first = self._next(statement.source, proposals)
        record = OutcomesRecorded(log=proposals, first_number=first, outcomes=(item,))
        draft = Draft(uuid7(EPOCH_MS, _entropy.draw(10)), ADMISSION, proposals, statement.time)
        told = seal(RELEASED.named(OutcomesRecorded.TYPE), to_value(record), draft, signer_of(ADMISSION), _entropy)
        self._send(statement.source, replace(told, outcome=f"{statement.source} {proposals} {first}"))

    def _deliver(self, envelope: Envelope, log: str) -> None:
        deliveries = tuple(Delivery(r, self._next(r, log)) for r in envelope.statement.addressees)
        entry = format_entry(
            format_statement(envelope.statement),
            envelope.signature,
            envelope.statement.time,
            log,
            self._seqs[log],
            1,
            deliveries,
        ).decode()
        for delivery in deliveries:
            number = f"{delivery.recipient} {log} {delivery.number}"
            self._send(delivery.recipient, replace(envelope, entry=entry, delivery=number))

    def _next(self, owner: str, place: str) -> int:
        self._numbers[owner, place] += 1
        return self._numbers[owner, place] - 1

    def _send(self, owner: str, envelope: Envelope) -> None:
        self._producer.produce(
            self._topics.inbox(owner),
            frame(self._id_of[envelope.statement.type], envelope.body),
            envelope.statement.subject.encode(),
            headers=envelope.headers(),
        )


@dataclass
class RunningGateway:
    """A gateway process."""

    url: str
    process: subprocess.Popen[bytes]
    http: HttpClient
    log: Any

    def get(self, path: str, **headers: str) -> Reply:
        """A request without a token."""
        return self.http.send("GET", path, headers=headers, timeout_s=40)

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return self.get("/readyz").status == 200
        except Transient:
            return False

    def rss_mb(self) -> float:
        """Resident memory now."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        with open(self.log, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.startswith("{")]


@contextmanager
def running_gateway(
    exchange: TestExchange,
    *,
    port: int = 0,
    wait: bool = True,
    answers: Callable[[], bool] | None = None,
    **more: str,
) -> Iterator[RunningGateway]:
    """``ipx gateway run`` on the exchange; more settings by name."""
    from services.platform.ports import any_free

    port = port or any_free()
    log = exchange.state_dir / "logs" / "gateway.log"
    log.parent.mkdir(exist_ok=True)
    environ = {
        **exchange.environ,
        "IPX_GATEWAY_PORT": str(port),
        "IPX_ROOT_KEY": signer_of(OPERATOR).public.line(),
        **more,
    }  # an empty setting is none: the state directory's counts
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "services", "gateway", "run"], env=environ, stderr=out, stdout=out
        )
    url = f"http://127.0.0.1:{port}"
    gateway = RunningGateway(url, process, HttpClient(url, timeout_s=40, connections=64), log)
    try:
        up = answers or (gateway.ready if wait else lambda: _answers(gateway))
        until(lambda: process.poll() is not None or up(), START_S)
        assert process.poll() is None, log.read_text()[-3000:]
        yield gateway
    finally:
        gateway.http.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _answers(gateway: RunningGateway) -> bool:
    try:
        return gateway.get("/livez").status == 200
    except Transient:
        return False


def figure(gateway: RunningGateway, name: str) -> float:
    """What ``/metrics`` says, summed over the labels that are not named."""
    lines = gateway.get("/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def until(condition: Callable[[], T], timeout_s: float = 15.0) -> T:
    """What the condition gives as soon as it is true; fails at the timeout."""
    return wait_until(condition, timeout_s)


class Client:
    """One participant at the gateway."""

    def __init__(self, gateway: RunningGateway, exchange: TestExchange, participant: str, generation: str = "") -> None:
        self.gateway = gateway
        self.participant = participant
        self.signer = signer_of(participant, generation)
        self._audience = exchange.name

    def token(self, *, now_ms: int | None = None, life_s: int = 120) -> str:
        """A fresh token."""
        return issue(self.signer, self._audience, SystemClock().now_ms() if now_ms is None else now_ms, life_s)

    def headers(self) -> dict[str, str]:
        """With which a request is the participant's."""
        return {"authorization": f"Bearer {self.token()}"}

    def event(
        self, subject: str = "CL-1", *, addressee: str = HANGZHOU, data: Any = CLUE, source: str | None = None
    ) -> Envelope:
        """A signed clue."""
        now_ms = SystemClock().now_ms()
        draft = Draft(
            id=uuid7(now_ms, _entropy.draw(10)),
            source=source or self.participant,
            subject=subject,
            time=format_instant(now_ms),
            agreement="yrd-enforcement@1",
            addressee=addressee,
        )
        return seal(REPORTED, json_form(REPORTED).read(data), draft, self.signer, _entropy)

    def post(self, body: bytes, content_type: str = STRUCTURED, *, wait: int = 0, **headers: str) -> Reply:
        """Posts bytes as they are."""
        query = {"wait": str(wait)} if wait else None
        return self.gateway.http.send(
            "POST",
            "/v1/events",
            body=body,
            headers={**self.headers(), "content-type": content_type, **headers},
            query=query,
            timeout_s=60,
        )

    def publish(self, *envelopes: Envelope, wait: int = 0) -> Reply:
        """One event in structured mode, several as a batch."""
        documents = [envelope_to_structured(envelope) for envelope in envelopes]
        if len(documents) == 1:
            return self.post(json.dumps(documents[0]).encode(), wait=wait)
        return self.post(json.dumps(documents).encode(), BATCH, wait=wait)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Reply:
        """A reading request."""
        return self.gateway.http.send("GET", path, headers=self.headers(), query=query, timeout_s=60)

    def inbox(self, after: str | None = None, *, limit: int = 100, wait: int = 0) -> dict[str, Any]:
        """A page of the inbox."""
        query = {"limit": str(limit), "wait": str(wait), **({"after": after} if after else {})}
        reply = self.get("/v1/inbox", query)
        assert reply.status == 200, reply.body
        page: dict[str, Any] = reply.json()
        return page
