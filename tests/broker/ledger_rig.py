"""The ledger under test: an exchange whose logs a test writes, processes of ``ipx ledger run``, and what they wrote, checked from the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from services.codec.checkpoint import Checkpoint, open_checkpoint
from services.codec.keys import Ed25519Signer, signer_from_seed
from services.codec.log_keys import LEDGER, log_key, log_signer
from services.codec.merkle import RightEdge, leaf_hash
from services.codec.note import NoteKey, format_note
from services.codec.tiles import Tree, bundle_path, new_tiles, pack_bundle, tile_path
from services.events.clue import ClueReported
from services.ledger.files import LogFiles
from services.ledger.signing import LogKey
from tests.broker.log_writer import LogWriter, Said
from tests.broker.running import START_S, Running
from tests.broker.waiting import wait_until
from tests.conftest import TestExchange

SIGNER = signer_from_seed(LEDGER, bytes(range(32)))
OPERATOR = signer_from_seed("exchange.operator", b"o" * 32)
FAMILY, PARTITIONS = "clues", 4


def clues(count: int, start: int = 0, partition: int | None = None) -> list[Said]:
    """Clues in turn over the partitions, or all in one."""
    return [
        Said(
            ClueReported(
                subtype="online_listing",
                right_type="trademark",
                title=f"线索{number}",
                facts="店铺销售涉嫌假冒商标的商品。",
                place_division="330106",
                discovered_at=1_790_000_000_000,
            ),
            f"CL-{number}",
            number % PARTITIONS if partition is None else partition,
        )
        for number in range(start, start + count)
    ]


class Process(Running):
    """One process of ``ipx ledger run``."""

    argv = ("ledger", "run")


@dataclass(slots=True)
class Rig:
    """An exchange, the writer of its logs, and its ledger."""

    exchange: TestExchange
    writer: LogWriter
    processes: list[Process] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        """Where the ledger's files are."""
        return self.exchange.state_dir / "ledger"

    def origin(self, partition: int) -> str:
        return f"{self.exchange.name}/{FAMILY}/{partition}"

    def key(self, partition: int) -> NoteKey:
        return log_key(self.origin(partition), self.signer(partition).public.data)

    def signer(self, partition: int) -> Ed25519Signer:
        return log_signer(SIGNER, self.origin(partition))

    def files(self, partition: int) -> LogFiles:
        return LogFiles(self.directory / self.origin(partition))

    def start(self, **environ: str) -> Process:
        process = Process(self.exchange, **environ)
        self.processes.append(process)
        return process

    def corrupt(self, process: Process) -> str:
        """Why a process ends that finds a contradiction: ``/readyz`` says so, and it ends with status 1."""

        def reason() -> str | None:
            said = process.reason("logs")
            return None if said is None or said == "starting" or "being read" in said else said

        found = wait_until(reason, START_S, process.end_of_log)
        assert process.wait_end(30) == 1
        return str(found)

    def checkpoint(self, partition: int) -> Checkpoint | None:
        data = self.files(partition).checkpoint()
        return None if data is None else open_checkpoint(data, self.key(partition))[0]

    def is_signed(self, entries: dict[int, int]) -> bool:
        """Whether each partition has a checkpoint of that size."""
        return all((head := self.checkpoint(p)) is not None and head.size >= size for p, size in entries.items())

    def wait_signed(self, entries: dict[int, int], process: Process) -> None:
        """Until it is so."""

        def is_so() -> bool:
            process.require_running()
            return self.is_signed(entries)

        self.wait(is_so)

    def wait(self, is_so: Callable[[], bool], timeout_s: float = START_S) -> None:
        """Until it is so."""
        wait_until(is_so, timeout_s, lambda: self.processes[-1].end_of_log())

    def forged(self, partition: int, *, size: int) -> bytes:
        """A checkpoint of the log's own key over a tree that is none of its own."""
        origin = self.origin(partition)
        return format_note(LogKey.of(SIGNER, origin).sign(Checkpoint(origin, size, leaf_hash(b"another tree"))))

    def publish(self, partition: int, note: bytes) -> None:
        """Puts a note into the topic of checkpoints."""
        producer = Producer(self.exchange.settings.librdkafka())
        producer.produce(self.exchange.topics.checkpoints, note, self.origin(partition).encode())
        assert producer.flush(10) == 0

    def entries(self, partition: int) -> list[bytes]:
        """The entries of a log partition, read from Kafka."""
        return [data for data, _ in self.records(partition)]

    def records(self, partition: int) -> list[tuple[bytes, int]]:
        """Entries and their offsets."""
        topic = self.exchange.topics.log(FAMILY)
        found = read_all(self.exchange, topic, partition)
        return [(dict(message.headers())["ce_ipxentry"], message.offset()) for message in found]

    def heads(self) -> list[tuple[str, bytes]]:
        """Origin and note of every record of the topic of checkpoints."""
        found = read_all(self.exchange, self.exchange.topics.checkpoints, 0)
        return [(message.key().decode(), message.value()) for message in found]


def read_all(exchange: TestExchange, topic: str, partition: int) -> list:
    """Every committed record of a partition."""
    consumer = Consumer(
        {
            **exchange.settings.librdkafka(),
            "group.id": "rig",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0)])
    found = []
    while True:
        message = consumer.poll(10)
        assert message is not None, f"{topic}/{partition} did not answer"
        if message.error() is not None:
            consumer.close()
            return found
        found.append(message)


def tiles_of(entries: list[bytes], size: int) -> dict[str, bytes]:
    """Every full tile and bundle of a log of that size, and those open at it."""
    paths = [tile_path(level, index, width) for level, index, width in new_tiles(0, size)]
    paths += [bundle_path(index, width) for level, index, width in new_tiles(0, size) if level == 0]
    return {path: bytes_of(path, entries) for path in paths}


def tile_files(directory: Path) -> dict[str, bytes]:
    """Every file under ``tile/`` of a log."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in (directory / "tile").rglob("*")
        if path.is_file()
    }


def verify(rig: Rig, partition: int) -> int:
    """The files of a log against the log itself: checkpoint, every tile byte for byte, index. Returns the size."""
    records = rig.records(partition)
    entries = [entry for entry, _ in records]
    head = rig.checkpoint(partition)
    assert head is not None
    files = rig.files(partition)
    assert head.root == RightEdge().extend(map(leaf_hash, entries[: head.size])).root()
    assert Tree(files.read, head.size).root() == head.root
    wanted = tiles_of(entries, head.size)
    found = tile_files(files.directory)
    assert {path: found.get(path) for path in wanted} == wanted
    for path in found.keys() - wanted.keys():  # open at an earlier checkpoint, or full ahead of the next one
        full, _, width = path.partition(".p/")
        assert full not in found or not width, f"{path} is outgrown"
        assert found[path] == bytes_of(path, entries), path
    for seq, (entry, offset) in enumerate(records[: head.size]):
        event = entry.split(b"id: ", 1)[1].split(b"\n", 1)[0].decode()
        assert files.find(event) == (seq, offset)
    return head.size


def bytes_of(path: str, entries: list[bytes]) -> bytes:
    """What a tile or bundle of that path must be, by the entries alone."""
    where, _, width = path.partition(".p/")
    _, level, *digits = where.split("/")
    index = int("".join(digit.removeprefix("x") for digit in digits))
    span = 256 ** (0 if level == "entries" else int(level))
    count = int(width or 256)
    assert len(entries) >= (index * 256 + count) * span, f"{path} is ahead of the log"
    if level == "entries":
        return pack_bundle(entries[index * 256 : index * 256 + count])
    starts = range(index * 256 * span, (index * 256 + count) * span, span)
    return b"".join(RightEdge().extend(map(leaf_hash, entries[at : at + span])).root() for at in starts)


@contextmanager
def ledger_rig(make_exchange: Callable) -> Iterator[Rig]:
    """An exchange with the key of its ledger; every process ends with it."""
    with make_exchange() as exchange:
        keys = exchange.state_dir / "keys"
        keys.mkdir()
        (keys / "exchange.ledger.key").write_text(SIGNER.private_line() + "\n", "utf-8")
        exchange.environ["IPX_ROOT_KEY"] = OPERATOR.public.line()
        rig = Rig(exchange, LogWriter(exchange))
        try:
            yield rig
        finally:
            for process in rig.processes:
                if process.process.poll() is None:
                    process.kill()
