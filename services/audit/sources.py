"""Where an auditor reads from: the topics of a running exchange, or an exported archive. Both give the same records.

Whoever checks asks this port and never knows which it is. A source is fixed when it is opened: it gives what stood there then, so that a
check of a running exchange comes to an end and compares like with like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.codec.keys import PublicKey
from services.codec.tiles import Read
from services.runtime.records import RawRecord

ENTRY_HEADER = "ce_ipxentry"
MEMBERS = "members"


class LogSource(Protocol):
    """The logs of one exchange as of one moment. Every method may block; ``Transient`` when what is read from goes away.

    What is read is a stranger's word: a source decodes nothing that it hands out, and promises only that every record is
    the bytes that stand there, in the order in which they stand.
    """

    @property
    def exchange(self) -> str:
        """Name of the exchange, the first word of its logs."""
        ...

    @property
    def root(self) -> PublicKey:
        """The key that the *auditor* believes to have founded the exchange; never taken from what is checked."""
        ...

    @property
    def schemas_dir(self) -> Path:
        """A directory like ``schemas/``: ``released/`` and ``codes/`` as they were in force."""
        ...

    @property
    def horizon_ms(self) -> int:
        """Everything that was admitted up to this instant is in the source."""
        ...

    def logs(self) -> Sequence[str]:
        """Every log partition, ``ipx.clues/0`` for one; that of the members first."""
        ...

    def span(self, log: str) -> int:
        """About how many records :meth:`records` will give; for a progress bar only."""
        ...

    def first_seq(self, log: str) -> int:
        """The ``seq`` of the first record that :meth:`records` gives: 0, but for an archive of a later period, which then has :meth:`tiles`."""
        ...

    def next_seq(self, log: str) -> int | None:
        """The ``seq`` after the last record, where the source says that it has no more although the log goes on: an archive of an earlier
        period, which then has :meth:`tiles`. None: up to the end of the log."""
        ...

    def records(self, log: str) -> Iterator[RawRecord]:
        """The records of a log partition in order, from its beginning (or :meth:`first_seq`), as Kafka holds them: headers with
        ``ce_ipxentry``, framed value. Refuses ``not-found``, and ``bad-archive`` where a file is not what its manifest says."""
        ...

    def checkpoints(self, origin: str) -> Iterator[bytes]:
        """Signed notes of that log, in the order in which they were published; also those with cosignatures alone."""
        ...

    def witnessed(self, origin: str) -> bytes | None:
        """The last note of that log that met the quorum; None when there is none."""
        ...

    def tiles(self, origin: str) -> Read | None:
        """The tiles of that log, if there are any: to name the very entry where log and checkpoint part, and to begin in the middle."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be: a stable code, where it stands, and a sentence.

    ``offset`` is the place in the topic (or archive) and ``seq`` the place in the log, where there is one.
    """

    code: str
    topic: str
    partition: int
    sentence: str
    offset: int | None = None
    seq: int | None = None

    def line(self) -> str:
        """One line for people."""
        at = "" if self.offset is None else f"@{self.offset}"
        seq = "" if self.seq is None else f" seq {self.seq}"
        return f"{self.topic}/{self.partition}{at}{seq}: {self.code}: {self.sentence}"


def place_of(log: str) -> tuple[str, int]:
    """Topic and partition of ``ipx.clues/3``."""
    topic, _, partition = log.rpartition("/")
    return topic, int(partition)


def entry_of(record: RawRecord) -> bytes:
    """The entry of a log record as it stands; empty when it has none."""
    for name, data in record.headers:
        if name == ENTRY_HEADER:
            return data
    return b""
