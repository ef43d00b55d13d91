"""Cases of assistance on real logs, and the transfers room over them: what is to be told is known beforehand, to the ordinal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.audit.refold import Derived, HistoryWorld, Refold, empty_store
from services.codec.envelope import Envelope, envelope_from_record
from services.codec.statement import format_statement
from services.events.transfer import TransferMoved, TransferOpened
from services.kernel.calendar_documents import load_calendar
from services.kernel.data import SCHEMAS_DIR
from services.members.calendars import published
from services.members.history import History
from services.runtime.records import RawRecord, read_logged
from services.transfers.worker import ROOM as TRANSFERS
from tests.broker.admission_rig import Rig
from tests.broker.gateway_running import HANGZHOU, NANJING, OPERATOR, Genesis, signer_of
from tests.broker.log_writer import RELEASED, LogWriter, Said, in_batches
from tests.broker.room_rig import Worker

ROOM = "exchange.transfers"
SUZHOU = "320500.market_regulator"
ASSISTANCE = "assistance_request"
DAY_MS = 86_400_000
LONG_AGO_MS = 1_770_602_400_000  # 2026-02-09 10:00 in Beijing: 15 working days from there ended on 2026-03-06
PARTITIONS = 2
QUICK = {"IPX_ROOM_TICK_S": "0.3", "IPX_ROOM_GRACE_S": "0.5"}
Told = tuple[str, str]
"""Case and type of a derived event."""


@dataclass
class Docket:
    """A founded exchange with the calendars, and a writer of its transfers log; ``others`` are members beside the three bureaus."""

    exchange: Any
    others: tuple[str, ...] = ()
    writer: LogWriter = field(init=False)
    members: int = field(init=False)

    def __post_init__(self) -> None:
        genesis = Genesis(self.exchange)
        genesis.found(NANJING, HANGZHOU, SUZHOU, *self.others, ROOM)
        for year in load_calendar(SCHEMAS_DIR / "codes" / "calendars").years:
            for notice in year.notices:
                genesis.publish(published(year.year, notice))
        keys = self.exchange.state_dir / "keys"
        keys.mkdir(exist_ok=True)
        (keys / f"{ROOM}.key").write_text(signer_of(ROOM).private_line())
        self.exchange.environ["IPX_ROOT_KEY"] = signer_of(OPERATOR).public.line()
        self.writer = LogWriter(self.exchange, name="cases")
        self.members = genesis.size

    def opened(self, number: int, at_ms: int = LONG_AGO_MS, *, source: str = NANJING) -> Said:
        body = TransferOpened(kind=ASSISTANCE, title="协查", facts="检查发现", requests="请协助取证")
        return self._said(body, number, at_ms, source, HANGZHOU)

    def moved(self, number: int, move: str, at_ms: int, *, source: str = HANGZHOU, to: str = NANJING) -> Said:
        body = TransferMoved(kind=ASSISTANCE, move=move, happened_at=at_ms, text="已取证")
        return self._said(body, number, at_ms, source, to)

    def _said(self, body: object, number: int, at_ms: int, source: str, to: str) -> Said:
        return Said(body, subject(number), number % PARTITIONS, at_ms, source, "-", (to,), members=self.members)

    def write(self, said: Iterable[Said]) -> None:
        """In the order of their admission, as admission appends them."""
        for batch in in_batches(sorted(said, key=lambda one: one.admitted_ms), 1_000):
            self.writer.write(batch)

    def start(self, **environ: str) -> Worker:
        """A worker of the real room."""
        return Worker(self.exchange, ("-m", "services", "room", "run", "transfers"), **QUICK, **environ)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows; none while the tables are not made."""
        try:
            with psycopg.connect(self.exchange.postgres_dsn) as connection:
                return connection.execute(statement).fetchall()  # type: ignore[call-overload]
        except psycopg.errors.UndefinedTable:
            return []

    def envelopes(self) -> list[tuple[Envelope, bytes]]:
        """Every derived event in the outbox, with its body."""
        found = []
        for headers, value in self.rows("select headers, value from transfers.outbox order by n"):
            _, envelope = envelope_from_record([(name, text.encode()) for name, text in headers], bytes(value))
            found.append((envelope, envelope.body))
        return found

    def told(self) -> Counter[Told]:
        """How often each type was said of each case."""
        return Counter((one.statement.subject, one.statement.type.rpartition(".")[2]) for one, _ in self.envelopes())

    def is_settled(self, cases: int) -> bool:
        """Whether every case is known and nothing is due any more."""
        return self.rows("select count(*), count(due_at) from transfers.state") == [(cases, 0)]

    def refolded(self) -> dict[str, tuple[bytes, bytes]]:
        """What the logs give, folded anew: statement and body of every derived event, by id."""
        refold = Refold(TRANSFERS, HistoryWorld(self._history()), empty_store(), RELEASED, self.exchange.name)
        derived: list[Derived] = []
        for partition in range(PARTITIONS):
            entries = [read_logged(record, RELEASED.with_digest) for record in self._records(partition)]
            for at in range(0, len(entries), 500):
                said, gaps = refold.fold(entries[at : at + 500])
                assert gaps == ()
                derived += said
        derived += refold.tick(int(time.time() * 1000))
        assert len({one.id for one in derived}) == len(derived)
        return {one.id: (one.statement, one.body) for one in derived}

    def said(self) -> dict[str, tuple[bytes, bytes]]:
        """Statement and body of every derived event in the outbox, by id; an id that stands twice fails."""
        found = {one.statement.id: (format_statement(one.statement), body) for one, body in self.envelopes()}
        assert len(found) == len(self.envelopes()), "an event stands twice in the outbox"
        return found

    def _history(self) -> History:
        topic = self.exchange.topics.log("members")
        history = History(log=f"{topic}/0", schema_of=RELEASED.with_digest, root=signer_of(OPERATOR).public)
        for record in Rig(self.exchange, {}).read(topic):
            history.append(record.envelope)
        return history

    def _records(self, partition: int) -> list[RawRecord]:
        found = Rig(self.exchange, {}).read(self.exchange.topics.log("transfers"), PARTITIONS)
        return [
            RawRecord(one.topic, one.partition, one.offset, list(one.headers.items()), one.value)
            for one in found
            if one.partition == partition
        ]


def subject(number: int) -> str:
    """The number of a case."""
    return f"TR-320100-2026-{number:06d}"
