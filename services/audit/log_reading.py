"""The logs of a running exchange as a ``LogSource``: Kafka's settled records up to where each partition ended when the source was opened.

What is open is measured in an order that lets what is compared agree: checkpoints first, then the logs, the members log last, so that no checkpoint is of
more entries than are read, and no entry names more members than are known. A partition ends where it had been *written* to; the transactions that had written are waited for,
so whatever one of them wrote elsewhere is settled there too.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from services.audit.sources import MEMBERS, place_of
from services.codec.checkpoint import origin_of
from services.codec.keys import PublicKey
from services.codec.tiles import Read
from services.kernel.data import SCHEMAS_DIR
from services.kernel.errors import Refused, Transient
from services.kernel.families import FAMILIES
from services.kernel.ports import Clock
from services.ledger.files import LogFiles
from services.runtime.log_probe import LogProbe
from services.runtime.planner import Place
from services.runtime.records import RawRecord, log_of
from services.runtime.topics import Topics

GRACE_MS = 5_000
"""Between admission's taking of the time and its first write; the room runtime reckons with the same."""
_ASK_S = 10.0
_SETTLE_S = 90.0  # longer than the broker lets a transaction stay open (60 s)
_QUIET_S = 30.0
_AT_ONCE = 2_000


class TopicReader:
    """Reads stretches of topics, settled records only, in no group. Blocks; ``Transient`` while Kafka is away."""

    def __init__(self, kafka: Mapping[str, Any], name: str) -> None:
        """``kafka`` are librdkafka's connection settings."""
        self._kafka = dict(kafka)
        self._name = name

    def partitions(self) -> dict[str, int]:
        """Every topic that there is, with its number of partitions."""
        try:
            found = AdminClient({**self._kafka, "log_level": 2}).list_topics(timeout=_ASK_S).topics
        except KafkaException as error:
            raise _away(error) from error
        return {name: len(topic.partitions) for name, topic in found.items()}

    def written(self, places: Iterable[Place]) -> dict[Place, int]:
        """Where these partitions have been written to, once every transaction that wrote below that is settled."""
        wanted = sorted(places)
        with LogProbe(self._kafka, self._name) as probe:
            marks = {place: end.written for place, end in probe.ends(wanted).items()} if wanted else {}
            until_s = time.monotonic() + _SETTLE_S
            waiting = dict(marks)
            while waiting:
                ends = probe.ends(waiting)
                waiting = {place: mark for place, mark in waiting.items() if ends[place].settled < mark}
                if waiting and time.monotonic() > until_s:
                    topic, partition = next(iter(waiting))
                    raise Transient(f"a transaction in {topic}/{partition} is open for more than {_SETTLE_S:g} s")
                if waiting:
                    time.sleep(0.05)
        return marks

    def read(self, place: Place, end: int, start: int = 0) -> Iterator[Message]:
        """The settled records of a partition from ``start`` on, before ``end``."""
        if start >= end:
            return
        consumer = Consumer(self._settings())
        try:
            consumer.assign([TopicPartition(*place, start)])
            heard_s = time.monotonic()
            while True:
                for message in consumer.consume(_AT_ONCE, 0.5):
                    heard_s = time.monotonic()
                    error = message.error()
                    if error is not None and error.code() != KafkaError._PARTITION_EOF:
                        raise Transient(f"{place[0]}/{place[1]}: {error.str()}")
                    if message.offset() >= end:
                        return
                    if error is None:
                        yield message
                if time.monotonic() - heard_s > _QUIET_S:
                    raise Transient(f"Kafka brings nothing of {place[0]}/{place[1]}")
        except KafkaException as error:
            raise _away(error) from error
        finally:
            consumer.close()

    def _settings(self) -> dict[str, Any]:
        return {
            **self._kafka,
            "group.id": f"{self._name}-audit",  # asked for by the client, never joined nor committed to
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "fetch.message.max.bytes": 4_194_304,
            "queued.max.messages.kbytes": 16_384,
            "fetch.wait.max.ms": 50,
            "check.crcs": False,
            "log_level": 2,
        }


class KafkaLogs:
    """A ``LogSource`` over the topics of a running exchange and the files of its ledger."""

    schemas_dir = SCHEMAS_DIR

    def __init__(
        self, kafka: Mapping[str, Any], topics: Topics, *, root: PublicKey, ledger_dir: Path, clock: Clock
    ) -> None:
        """Measures where everything ends; blocks while open transactions settle."""
        self.exchange = topics.prefix
        self.root = root
        self.reader = TopicReader(kafka, topics.prefix)
        self.horizon_ms = clock.now_ms() - GRACE_MS
        self._topics = topics
        self._ledger_dir = ledger_dir
        self._notes: _Notes | None = None
        counts = self.reader.partitions()
        heads = (topics.checkpoints, 0)
        self._heads = self.reader.written([heads] if topics.checkpoints in counts else []).get(heads, 0)
        logs = [(topics.log(f), p) for f in FAMILIES if f != MEMBERS for p in range(counts.get(topics.log(f), 0))]
        members = (topics.log(MEMBERS), 0)
        self.ends = {**self.reader.written(logs), **self.reader.written([members])}

    def logs(self) -> Sequence[str]:
        """Every log partition, that of the members first."""
        ordered = sorted(self.ends, key=lambda place: (place[0] != self._topics.log(MEMBERS), place))
        return [log_of(*place) for place in ordered]

    def span(self, log: str) -> int:
        """Offsets of the partition, transaction markers included."""
        return self.ends.get(place_of(log), 0)

    def first_seq(self, log: str) -> int:
        """A topic holds its log from the beginning."""
        return 0

    def next_seq(self, log: str) -> int | None:
        """And to its end."""
        return None

    def records(self, log: str) -> Iterator[RawRecord]:
        """The settled records of the partition up to its end."""
        place = place_of(log)
        if place not in self.ends:
            raise Refused("not-found", f"there is no log {log}; there are {', '.join(self.logs())}")
        topic, partition = place
        for message in self.reader.read(place, self.ends[place]):
            yield RawRecord(topic, partition, message.offset(), message.headers() or (), message.value())

    def checkpoints(self, origin: str) -> Iterator[bytes]:
        """The notes of that log in the topic of checkpoints, which is read once."""
        if self._notes is None:
            self._notes = _Notes()
            for message in self.reader.read((self._topics.checkpoints, 0), self._heads):
                self._notes.add(message.key() or b"", message.value() or b"")
        return self._notes.of(origin.encode())

    def witnessed(self, origin: str) -> bytes | None:
        """The last note that met the quorum, from the files of the ledger."""
        return self._files(origin).witnessed()

    def tiles(self, origin: str) -> Read | None:
        """The tiles in the files of the ledger."""
        files = self._files(origin)
        return files.read if files.directory.is_dir() else None

    def files(self, log: str) -> LogFiles:
        """The ledger's files of a log."""
        return self._files(origin_of(log))

    def _files(self, origin: str) -> LogFiles:
        return LogFiles(self._ledger_dir / origin)


class _Notes:
    """The topic of checkpoints by origin, in a temporary file: it holds one a second for every log, and each log asks for its own."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.executescript("pragma journal_mode = off; pragma synchronous = off;")
        self._database.execute("create table notes (origin blob, n integer primary key, note blob)")
        self._waiting: list[tuple[bytes, bytes]] = []
        self._is_full = False

    def add(self, origin: bytes, note: bytes) -> None:
        """The next note."""
        self._waiting.append((origin, note))
        if len(self._waiting) >= _AT_ONCE:
            self._write()

    def of(self, origin: bytes) -> Iterator[bytes]:
        """The notes of an origin, in order."""
        if not self._is_full:
            self._write()
            self._database.execute("create index notes_of on notes (origin, n)")
            self._is_full = True
        rows = self._database.execute("select note from notes where origin = ? order by n", (origin,))
        return (note for (note,) in rows)

    def _write(self) -> None:
        self._database.executemany("insert into notes (origin, note) values (?, ?)", self._waiting)
        self._waiting.clear()


def _away(error: KafkaException) -> Transient:
    first = error.args[0]
    return Transient(f"Kafka: {first.str() if isinstance(first, KafkaError) else first}")
