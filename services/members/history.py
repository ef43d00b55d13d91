"""The members log as read so far, and the registry at any size of it: an entry names the size that it was judged by."""

from __future__ import annotations

import threading
from collections import OrderedDict

from services.codec.envelope import Envelope
from services.codec.keys import PublicKey
from services.codec.signature import RootCache
from services.kernel.errors import Corrupt
from services.members.reading import MemberRecord, SchemaOf, read_member
from services.members.registry import EMPTY, Registry, apply

SNAPSHOT_EVERY = 256
REMEMBERED = 64


class History:
    """Grows by verified records, in order, from one thread; may be read from any. Nothing is ever taken back."""

    def __init__(self, *, log: str, schema_of: SchemaOf, root: PublicKey) -> None:
        """``log`` is topic and partition of the members log, ``root`` the key that signed its founding."""
        self._log = log
        self._schema_of = schema_of
        self._root = root
        self._roots = RootCache()
        self._records: list[MemberRecord] = []
        self._snapshots: dict[int, Registry] = {0: EMPTY}
        self._recent: OrderedDict[int, Registry] = OrderedDict()
        self._latest = EMPTY
        self._grown = threading.Condition()

    @property
    def latest(self) -> Registry:
        """The registry after everything read so far."""
        return self._latest

    @property
    def size(self) -> int:
        """How many records have been read."""
        return self._latest.size

    def append(self, envelope: Envelope) -> MemberRecord:
        """Verifies the next record and folds it; ``Corrupt`` (and nothing changed) when it is not what it must be."""
        record = read_member(
            self._latest, envelope, log=self._log, schema_of=self._schema_of, root=self._root, roots=self._roots
        )
        grown = _applied(self._latest, record)
        with self._grown:
            self._records.append(record)
            if grown.size % SNAPSHOT_EVERY == 0:
                self._snapshots[grown.size] = grown
            self._latest = grown
            self._grown.notify_all()
        return record

    def at(self, size: int) -> Registry:
        """The registry as of that many records; ``Corrupt`` when so many have not been read."""
        latest = self._latest
        if size == latest.size:
            return latest
        if not 0 <= size < latest.size:
            raise Corrupt(f"{self._log} has been read up to size {latest.size}, {size} was asked for")
        with self._grown:
            known = self._recent.get(size)
            if known is None:
                known = self._fold_to(size)
                self._recent[size] = known
                if len(self._recent) > REMEMBERED:
                    self._recent.popitem(last=False)
            return known

    def since(self, seq: int, limit: int = 1000) -> tuple[MemberRecord, ...]:
        """Records from that seq on, at most ``limit``."""
        return tuple(self._records[max(seq, 0) : max(seq, 0) + limit])

    def wait_for(self, size: int, timeout_s: float) -> bool:
        """Blocks until that many records have been read; False when the timeout comes first."""
        with self._grown:
            return self._grown.wait_for(lambda: self._latest.size >= size, timeout_s)

    def _fold_to(self, size: int) -> Registry:
        start = size - size % SNAPSHOT_EVERY
        registry = self._snapshots[start]
        for record in self._records[start:size]:
            registry = _applied(registry, record)
        return registry


def _applied(registry: Registry, record: MemberRecord) -> Registry:
    return apply(registry, record.event, source=record.entry.statement.source, body_digest=record.body_digest)
