"""What comes in on the topic of checkpoints: our own, compared with what we signed, and cosignatures, put under what they are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from confluent_kafka import Message

from services.codec.checkpoint import Checkpoint, parse_checkpoint
from services.codec.note import Note, is_signed
from services.codec.tlog_policy import Policy
from services.kernel.ports import Clock
from services.ledger.files import LogFiles, write_files
from services.ledger.followed import Followed
from services.ledger.heads import Head, read_head
from services.ledger.merging import is_witnessed, witness_keys
from services.ledger.quorum import Quorum, policy_of
from services.ledger.telling import Telling
from services.members.registry import Registry

POSITION = "checkpoints.offset"
"""File beside the logs of the exchange: up to where the topic of checkpoints is in their files."""

_ANEW_MS = 30_000
"""After so long the policy is made anew although no member changed: keys begin and end to be valid."""


class Gathering:
    """Takes the records of the topic in order; of one thread."""

    def __init__(
        self,
        logs: Mapping[str, Followed],
        directory: Path,
        *,
        members: Callable[[], Registry],
        quorum: Quorum,
        clock: Clock,
        telling: Telling,
    ) -> None:
        """``logs`` by origin; ``directory`` is where the position is kept."""
        self._logs = logs
        self._directory = directory
        self._members = members
        self._quorum = quorum
        self._clock = clock
        self._telling = telling
        self._policy: tuple[int, int, Policy | None] = (-1, 0, None)
        stored = LogFiles(directory).read(POSITION)
        self.offset = self._stored = int(stored) if stored else 0

    def take_earlier(self, message: Message, largest: dict[str, Checkpoint]) -> None:
        """A record from before this session; ``largest`` collects the last checkpoint that each log's key signed."""
        head, log = self._read(message)
        if head is None or log is None:
            return
        known = largest.get(head.checkpoint.origin)
        if (known is None or head.checkpoint.size >= known.size) and is_signed(head.note, log.kept.key.note_key):
            largest[head.checkpoint.origin] = head.checkpoint
            log.cosignatures.remember(log.kept.key.sign(head.checkpoint))
        self._merged(log, head)

    def settle(self) -> None:
        """After the records from before: what they brought is written."""
        for log in self._logs.values():
            signed = log.kept.signed
            for note in log.cosignatures.latest_first():
                if signed is not None and note != log.kept.note and parse_checkpoint(note.text) == signed:
                    log.kept.store_checkpoint(note)
                if is_witnessed(note, self._policy_now()):
                    log.witness(note)
                    break

    def take(self, message: Message) -> None:
        """A record of this session. ``Corrupt`` when our key signed what we did not."""
        head, log = self._read(message)
        if head is None or log is None:
            return
        if not log.cosignatures.knows(head.note.text) and is_signed(head.note, log.kept.key.note_key):
            log.kept.heed(head.checkpoint)
        self._merge(log, head)

    def judge(self, log: Followed, note: Note) -> None:
        """Keeps the checkpoint as the witnessed one when its cosignatures meet the quorum."""
        if is_witnessed(note, self._policy_now()) and log.witness(note):
            self._telling.witnessed(log.kept.key.origin, log.witnessed.size if log.witnessed else 0)

    def store_position(self) -> None:
        """What has been taken need not be read again."""
        if self.offset != self._stored:
            write_files(self._directory, [(POSITION, f"{self.offset}\n".encode())])
            self._stored = self.offset

    def _read(self, message: Message) -> tuple[Head | None, Followed | None]:
        self.offset = message.offset() + 1
        head = read_head(message)
        return head, self._logs.get(head.checkpoint.origin) if head else None

    def _merge(self, log: Followed, head: Head) -> None:
        merged = self._merged(log, head)
        if merged is None:
            return
        if head.checkpoint == log.kept.signed:
            log.kept.store_checkpoint(merged)
        self.judge(log, merged)

    def _merged(self, log: Followed, head: Head) -> Note | None:
        keys_of = witness_keys(self._members(), self._policy_now(), self._clock.now_ms())
        merged = log.cosignatures.merge(head.note, keys_of)
        self._telling.cosigned(merged.outcomes)
        return merged.note

    def _policy_now(self) -> Policy | None:
        registry, now_ms = self._members(), self._clock.now_ms()
        size, made_ms, policy = self._policy
        if size != registry.size or abs(now_ms - made_ms) > _ANEW_MS:
            logs = [log.kept.key.note_key for log in self._logs.values()]
            policy = policy_of(self._quorum, registry, logs, now_ms)
            self._policy = (registry.size, now_ms, policy)
        return policy
