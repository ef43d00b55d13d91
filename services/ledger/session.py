"""One session of the ledger: what is on disk and in the topic of checkpoints is read back, then every log is followed.

Of one thread: entries are taken as they come, each log is signed when its time has come, cosignatures are put under what they are of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Message

from services.codec.checkpoint import Checkpoint, origin_of
from services.codec.keys import Ed25519Signer
from services.codec.note import format_note
from services.kernel.errors import Transient
from services.kernel.ports import Clock
from services.ledger.followed import Followed
from services.ledger.following import Brought, LogConsumer, Place, read_entry, read_to_end
from services.ledger.gathering import Gathering
from services.ledger.heads import Heads
from services.ledger.keeping import KeptLog
from services.ledger.quorum import Quorum
from services.ledger.settings import LedgerSettings
from services.ledger.signing import LogKey
from services.ledger.standing import standing_of
from services.ledger.telling import Telling
from services.members.registry import Registry
from services.runtime.faults import reach
from services.runtime.topics import Topics

_IDLE_S = 0.2
_END_S = 20.0
_TELL_S = 1.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What a session works with."""

    settings: LedgerSettings
    topics: Topics
    families: Mapping[str, int]
    signer: Ed25519Signer
    clock: Clock
    telling: Telling
    heads: Heads
    members: Callable[[], Registry]
    quorum: Quorum


class Session:
    """Call ``begin``, then ``run``, then ``close``."""

    def __init__(self, tools: Tools) -> None:
        settings = tools.settings
        self._tools = tools
        self._every_s = settings.ledger_checkpoint_ms / 1000
        self._consumer = LogConsumer(settings.librdkafka(), settings.exchange_name)
        self._logs: dict[Place, Followed] = {}
        self._by_origin: dict[str, Followed] = {}
        self._gathering = Gathering(
            self._by_origin,
            settings.files_dir / settings.exchange_name,
            members=tools.members,
            quorum=tools.quorum,
            clock=tools.clock,
            telling=tools.telling,
        )
        self._told_s = 0.0

    def begin(self) -> None:
        """Opens every log and compares its files with the topic of checkpoints. ``Corrupt`` when they contradict one another."""
        self._require_topics()
        for topic, partition in self._places():
            self._open(topic, partition)
        self._tools.telling.reading(len(self._logs), len(self._logs))
        known = self._read_heads()
        for origin, log in self._by_origin.items():
            if origin in known:
                log.kept.heed(known[origin])
            log.is_unpublished = origin not in known or known[origin].size < log.kept.signed_size
        offsets = {place: log.kept.start_offset() for place, log in self._logs.items()}
        self._consumer.assign({**offsets, self._tools.heads.place: self._gathering.offset})
        self._tools.telling.log.info("ledger follows", count=len(self._logs))

    def run(self, is_stopping: Callable[[], bool]) -> None:
        """Follows the logs until it is told to stop."""
        while not is_stopping():
            self._take(self._consumer.read(self._wait_s()))
            self._sign()
            self._offer()
            self._tools.heads.serve()
            if time.monotonic() - self._told_s >= _TELL_S:
                self._told_s = time.monotonic()
                self._gathering.store_position()
                self._tell()

    def close(self) -> None:
        """Closes what is open."""
        self._consumer.close()
        for log in self._logs.values():
            log.kept.close()

    def _places(self) -> Iterator[Place]:
        for family, count in self._tools.families.items():
            yield from ((self._tools.topics.log(family), number) for number in range(count))

    def _require_topics(self) -> None:
        found = self._consumer.partitions()
        self._tools.telling.kafka(is_away=False)
        missing = sorted({*(topic for topic, _ in self._places()), self._tools.topics.checkpoints} - found.keys())
        if missing:
            self._tools.telling.checks.failed("kafka", "topics are missing: run `ipx topics apply`")
            raise Transient(f"topics are missing: {', '.join(missing)}; run `ipx topics apply`")

    def _open(self, topic: str, partition: int) -> None:
        settings = self._tools.settings
        origin = origin_of(f"{topic}/{partition}")
        family = topic.removeprefix(f"{settings.exchange_name}.")
        kept = KeptLog(
            settings.files_dir / origin,
            LogKey.of(self._tools.signer, origin),
            batch_entries=settings.ledger_batch_entries,
            sm3=settings.ledger_sm3,
        )
        log = Followed.open(kept, family, time.monotonic())
        self._logs[topic, partition] = self._by_origin[origin] = log

    def _read_heads(self) -> dict[str, Checkpoint]:
        """The topic of checkpoints, from where the files are to its end: the largest that each log's key signed."""
        largest: dict[str, Checkpoint] = {}
        for message in read_to_end(self._consumer, self._tools.heads.place, self._gathering.offset, _END_S):
            self._gathering.take_earlier(message, largest)
        self._gathering.settle()
        return largest

    def _publish_again(self, log: Followed) -> None:
        """What was signed and perhaps not published: the process ended between the two. The same note again does no harm."""
        signed = log.kept.signed
        if log.is_unpublished and signed is not None:
            self._tools.heads.publish(signed.origin, format_note(log.kept.key.sign(signed)))
        log.is_unpublished = False

    def _wait_s(self) -> float:
        now_s = time.monotonic()
        due = (log.due_in_s(now_s, self._every_s) for log in self._logs.values())
        return min([_IDLE_S, *(wait_s for wait_s in due if wait_s is not None)])

    def _take(self, brought: Brought) -> None:
        for message in brought.records:
            log = self._logs.get((message.topic(), message.partition()))
            if log is None:
                self._gathering.take(message)
            else:
                self._take_entry(log, message)
        for place in brought.ends.keys() & self._logs.keys():
            log = self._logs[place]
            log.kept.at_end()
            if not log.is_at_end:
                log.is_at_end = True
                self._publish_again(log)
                waiting = sum(not one.is_at_end for one in self._logs.values())
                self._tools.telling.reading(waiting, len(self._logs))

    def _take_entry(self, log: Followed, message: Message) -> None:
        before = log.kept.size
        log.kept.take(read_entry(message, log.kept.log))
        if log.kept.size > before:
            self._tools.telling.taken(log.family)
            if log.is_at_end:
                log.appended_ms.append(message.timestamp()[1])

    def _sign(self) -> None:
        for origin, log in self._by_origin.items():
            if log.due_in_s(time.monotonic(), self._every_s) != 0.0:
                continue
            note = log.sign(time.monotonic())
            self._tools.telling.signed(origin, log.kept.signed_size, log.appended_ms, self._tools.clock.now_ms())
            log.appended_ms.clear()
            self._tools.heads.publish(origin, format_note(note))
            reach("ledger.step6")  # (6) the topic of checkpoints
            self._gathering.judge(log, note)

    def _offer(self) -> None:
        for log in self._logs.values():
            log.offer(time.monotonic(), self._tools.settings.ledger_hold_s)

    def _tell(self) -> None:
        telling, now_ms = self._tools.telling, self._tools.clock.now_ms()
        telling.kafka(is_away=self._consumer.is_away())
        unread = self._consumer.unread()
        for place, log in self._logs.items():
            standing = standing_of(log.kept.files, log.kept.key.origin, now_ms, self._tools.settings.ledger_stale_s)
            age_s = time.monotonic() - log.signed_at_s if log.kept.has_news else 0.0
            behind = log.kept.size - log.kept.signed_size + unread.get(place, 0)
            telling.standing(log.kept.key.origin, behind, age_s, standing.waiting_s(now_ms))
