"""A small exchange as Kafka and the ledger hold it, in memory and below a folder, to be archived in tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.audit.archive_files import ArchiveFiles
from services.audit.archive_manifest import NOTE, Manifest, is_signed_by
from services.audit.archive_period import Period
from services.audit.archive_reading import ArchiveSource, open_archive
from services.audit.archive_writing import ArchiveWriter
from services.codec.entry import parse_entry
from services.codec.keys import signer_from_seed
from services.kernel.errors import Refused
from services.kernel.instants import format_instant
from services.kernel.ports import SettableClock
from services.ledger.files import CHECKPOINT
from services.runtime.topics import Topics
from tests.unit.services.ledger.test_completeness import DAY, HANGZHOU, T0, Log
from tests.unit.services.ledger.test_stating import write_log

OPERATOR = signer_from_seed("exchange.operator", b"o" * 32)
LEDGER = signer_from_seed("exchange.ledger", b"l" * 32)
INBOX = f"ipx.inbox.{HANGZHOU}"
Place = tuple[str, int]


@dataclass
class Message:
    """As the client gives it."""

    place: Place
    at: int
    time_ms: int
    own_key: bytes | None
    own_headers: list[tuple[str, bytes]]
    own_value: bytes | None

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 2, self.time_ms

    def key(self) -> bytes | None:
        return self.own_key

    def headers(self) -> list[tuple[str, bytes]]:
        return self.own_headers

    def value(self) -> bytes | None:
        return self.own_value


@dataclass
class Kafka:
    """Topics as lists of messages; offsets have gaps, as transaction markers leave them."""

    topics: dict[Place, list[Message]] = field(default_factory=dict)

    def put(
        self, place: Place, time_ms: int, headers: list[tuple[str, bytes]], value: bytes, key: bytes = b"k"
    ) -> None:
        held = self.topics.setdefault(place, [])
        held.append(Message(place, self._end(place), time_ms, key, headers, value))

    def partitions(self) -> dict[str, int]:
        names = {name for name, _ in self.topics}
        return {name: 1 + max(p for n, p in self.topics if n == name) for name in names}

    def written(self, places) -> dict[Place, int]:
        return {place: self._end(place) for place in places}

    def read(self, place: Place, end: int, start: int = 0) -> Iterator[Message]:
        return (m for m in self.topics.get(place, ()) if start <= m.at < end)

    def start_of(self, place: Place, instant_ms: int) -> int:
        later = [m.at for m in self.topics.get(place, ()) if m.time_ms >= instant_ms]
        return min(later, default=self._end(place))

    def _end(self, place: Place) -> int:
        held = self.topics.get(place)
        return held[-1].at + 3 if held else 0


class Scene:
    """Members, two partitions of clues over several days, an inbox, checkpoints, something quarantined."""

    def __init__(self, folder: Path, days: int = 1, a_day: int = 6) -> None:
        self.folder = folder
        self.kafka = Kafka()
        self.clock = SettableClock(T0 + 30 * DAY)
        self.schemas = folder / "schemas"
        for name in ("released", "codes", "events"):
            (self.schemas / name).mkdir(parents=True)
            (self.schemas / name / f"{name}.toml").write_text(f"# {name}\n")
        self.logs = {log: Log(log) for log in ("ipx.members/0", "ipx.clues/0", "ipx.clues/1")}
        for place in (("ipx.members", 0), ("ipx.clues", 0), ("ipx.clues", 1), (INBOX, 0)):
            self.kafka.topics[place] = []
        self.say("ipx.members/0", T0)
        for day in range(days):
            for number in range(a_day):
                self.say(f"ipx.clues/{number % 2}", T0 + day * DAY, HANGZHOU)
        self.kafka.put(("ipx.quarantine", 0), T0, [("from", b"ipx.clues.in/0")], b"\x07")
        self.sign()

    def say(self, log: str, at: int, *to: str) -> None:
        entry = self.logs[log].say(*to, at=at)
        topic, _, partition = log.partition("/")
        headers = [("ce_id", parse_entry(entry).statement.id.encode()), ("ce_ipxentry", entry)]
        self.kafka.put((topic, int(partition)), at, headers, b"\x00\x00\x00\x00\x01body")
        for name in to:
            self.kafka.put((f"ipx.inbox.{name}", 0), at, headers, b"\x00\x00\x00\x00\x01copy")

    def outcome(self, at: int) -> None:
        """An outcome record in the inbox: it has no entry."""
        self.kafka.put((INBOX, 0), at + 5, [("ce_time", format_instant(at).encode())], b"refused")

    def sign(self) -> None:
        """The ledger writes tiles and checkpoints of everything, and publishes the checkpoints."""
        for log, entries in self.logs.items():
            origin = log.replace(".", "/", 1)
            write_log(self.folder / "ledger", entries, origin)
            note = (self.folder / "ledger" / origin / CHECKPOINT).read_bytes()
            self.kafka.put(("ipx.checkpoints", 0), T0, [], note, origin.encode())

    def writer(self, period: Period | None = None) -> ArchiveWriter:
        return ArchiveWriter(
            reader=self.kafka,
            start_of=self.kafka.start_of,
            topics=Topics("ipx"),
            ledger_dir=self.folder / "ledger",
            schemas_dir=self.schemas,
            period=period or Period(),
            clock=self.clock,
            signer=LEDGER,
            tool="ipx test",
            on_progress=lambda _folder, _offset: None,
        )

    def export(self, name: str = "archive", period: Period | None = None) -> Manifest:
        return self.writer(period).write(ArchiveFiles(self.folder / name))

    def open(self, name: str = "archive") -> ArchiveSource:
        return open_archive(self.folder / name, OPERATOR.public)

    def copy(self, name: str) -> Path:
        """Another copy of the archive, to be tampered with."""
        target = self.folder / name
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(self.folder / "archive", target)
        return target


def read_all(source: ArchiveSource) -> int:
    """Uses everything in an archive, as verify-log and replay do."""
    count = 0
    for log in source.logs():
        origin = log.replace(".", "/", 1)
        count += sum(1 for _ in source.records(log)) + len(list(source.checkpoints(origin)))
        source.witnessed(origin)
        source.first_seq(log)
        read = source.tiles(origin)
        for path in [line.path for line in source.manifest.files if line.path.startswith(f"tree/{origin}/tile/")]:
            assert read is not None
            assert read(path.removeprefix(f"tree/{origin}/")) is not None
    for topic, partition in source.topics():
        count += sum(1 for _ in source.topic(topic, partition))
    if not is_signed_by(source.note, LEDGER.public.data):  # what verify-log asks of the members log
        raise Refused("bad-archive", "the manifest is not signed by the ledger", field=NOTE)
    return count


def refused(work: Callable[[], object]) -> Refused:
    """The refusal of whatever is done; any other error is a traceback, and fails."""
    with pytest.raises(Refused) as found:
        work()
    return found.value
