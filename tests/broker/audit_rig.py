"""A whole small exchange at work, for what audits it: admission, both rooms, the relay and the ledger, with clues of every sort of end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Producer

from services.events.receipt import Committed, Delivered
from tests.broker.admission_rig import CLOCK, HANGZHOU, PARTS, Record, Rig, initialised, write_data
from tests.broker.room_rig import Worker, free_port, pause_until, readyz
from tests.conftest import TestExchange

QUICK = {"IPX_ROOM_TICK_S": "0.3", "IPX_ROOM_GRACE_S": "0.5"}
LIMIT_S = 3


@dataclass(slots=True)
class Whole:
    """The rig of admission with everything else running beside it."""

    rig: Rig
    workers: list[Worker] = field(default_factory=list)

    @property
    def exchange(self) -> TestExchange:
        """The exchange of this test."""
        return self.rig.exchange

    def start(self, *argv: str, **environ: str) -> Worker:
        """A process of the exchange, ready."""
        port = free_port()
        worker = Worker(self.exchange, ("-m", "services", *argv), IPX_METRICS_PORT=port, **environ)
        self.workers.append(worker)
        pause_until(lambda: readyz(port)[0] == 200, within_s=60, what=f"{' '.join(argv)} is ready")
        return worker

    def work(self) -> None:
        """Clues that are delivered and taken, one that nobody takes, one that is said twice."""
        rig = self.rig
        clues = rig.clues(4)
        rig.propose(clues)
        rig.wait_outcomes(4)
        again = rig.clue(0)  # the same subject: the move has no effect, and the room says so
        rig.propose([again])
        rig.wait_outcomes(5)
        untaken = clues[3].statement.subject
        for record in self.copies(HANGZHOU):
            if record.entry.statement.subject != untaken:
                self.receive(record)
        self.wait_log("receipts", lambda types: types.count("cn.ipx.receipt.StepMissing") >= 2)
        self.wait_log("clues", lambda types: "cn.ipx.clue.MoveHadNoEffect" in types)
        self.wait_signed()

    def receive(self, record: Record) -> None:
        """What a node says of a copy: delivered, then committed."""
        delivery = record.entry.delivery_to(HANGZHOU)
        assert delivery is not None
        statement = record.envelope.statement
        place = {"event": statement.id, "recipient": HANGZHOU, "log": record.entry.log, "number": delivery.number}
        now_ms = CLOCK.now_ms()
        events = (Delivered(**place, delivered_at=now_ms), Committed(**place, committed_at=now_ms, reference="杭-1"))
        says = {"cause": statement.id, "addressee": statement.source}
        self.rig.propose([self.rig.event(event, HANGZHOU, statement.subject, **says) for event in events])

    def first_clue(self) -> Record:
        """The first report of the clue that is said twice."""
        records = [record for records in self.rig.log("clues").values() for record in records]
        return min(records, key=lambda record: (record.entry.statement.subject, record.entry.seq))

    def copies(self, participant: str) -> list[Record]:
        """The copies in an inbox."""
        return [record for record in self.rig.inbox(participant) if "ce_ipxdelivery" in record.headers]

    def wait_log(self, family: str, holds: Callable[[list[str]], bool]) -> None:
        """Waits until the log of a family holds events of these types."""

        def there() -> bool:
            return holds([r.entry.statement.type for records in self.rig.log(family).values() for r in records])

        pause_until(there, within_s=60, what=f"the {family} log holds what follows")

    def wait_signed(self) -> None:
        """Waits until every entry is under a checkpoint in the ledger's files."""
        ledger = self.exchange.state_dir / "ledger" / self.exchange.name

        def signed() -> bool:
            sizes = {p: len(records) for p, records in self.rig.log("clues").items()}
            paths = {p: ledger / "clues" / str(p) / "checkpoint" for p, size in sizes.items() if size}
            return all(path.exists() and int(path.read_text().split("\n")[1]) == sizes[p] for p, path in paths.items())

        pause_until(signed, within_s=60, what="every clue is under a checkpoint")

    def audit(self, *argv: str) -> tuple[int, dict[str, Any]]:
        """Exit code and document of an ``ipx audit`` command."""
        done: subprocess.CompletedProcess[str] = self.exchange.ipx("audit", *argv, "--json", timeout_s=120)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def write_raw(self, topic: str, record: Record, *, partition: int | None = None, **headers: bytes) -> None:
        """Writes a record as somebody would who has Kafka's keys: ``headers`` are changed, all else is as it stands."""
        producer = Producer(self.exchange.settings.librdkafka())
        changed = {**record.headers, **headers}
        producer.produce(
            topic,
            key=record.key,
            value=record.value,
            headers=list(changed.items()),
            partition=record.partition if partition is None else partition,
        )
        assert producer.flush(30) == 0

    def stop_all(self) -> None:
        """Nothing is written any more: admission, rooms and relay end."""
        for worker in self.workers:
            worker.stop()
        self.workers.clear()
        for process in self.rig.processes:
            process.stop()


@contextmanager
def whole(exchange: TestExchange) -> Iterator[Whole]:
    """The exchange founded, with limits of some seconds, everything of it running."""
    data = write_data(exchange.state_dir / "data", (*PARTS, "exchange.ledger"))
    agreement = (data / "delta.toml").read_text("utf-8")
    limits = f"routed = true\ndelivered_within_s = {LIMIT_S}\ncommitted_within_s = {2 * LIMIT_S}"
    (data / "delta.toml").write_text(agreement.replace("routed = true", limits), "utf-8")
    exchange.environ["IPX_MEMBERS_DATA_DIR"] = str(data)
    exchange.environ.update(QUICK)
    made = Whole(Rig(exchange, initialised(exchange)))
    try:
        made.rig.start().wait_ready()
        for argv in (("ledger", "run"), ("room", "run", "clues"), ("room", "run", "receipts"), ("relay", "run")):
            made.start(*argv)
        yield made
    finally:
        for worker in made.workers:
            worker.kill()
        made.rig.close()
