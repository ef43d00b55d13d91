"""One log on disk: takes its entries in order, writes index, tiles and checkpoint, and finishes after a crash to the same bytes.

The order of writing, each step durable before the next; a crash test kills the process after each (``ledger.step<n>``):

1. the index rows of the entries
2. bundles and tiles that are full
3. the open bundle and tiles, and the edge of the second tree, for the size that is to be signed
4. the checkpoint, after the rules of ``signing.py``: what was signed is kept before anybody sees it
5. open tiles of the size before go once their full one is there
6. (``run.py``) the checkpoint in the topic
"""

from __future__ import annotations

from pathlib import Path

from services.codec.checkpoint import Checkpoint, log_of_origin, parse_checkpoint
from services.codec.entry import parse_entry
from services.codec.note import Note, format_note
from services.codec.tiles import WIDTH, width_at
from services.kernel.errors import Corrupt
from services.ledger.files import CANDIDATE, CHECKPOINT, WITNESSED, LogFiles, write_files
from services.ledger.following import LoggedEntry
from services.ledger.growing import File, GrowingTree, entries_of
from services.ledger.index import EventIndex, Row
from services.ledger.partials import drop_outgrown, tidy
from services.ledger.second_tree import SecondTree
from services.ledger.signing import LogKey, require_continuation, require_same
from services.runtime.faults import reach


class KeptLog:
    """The files of one log, and the tree that grows in them; of one thread."""

    def __init__(self, directory: Path, key: LogKey, *, batch_entries: int, sm3: bool = False) -> None:
        """Reads back what is there: ``Corrupt`` when tiles and checkpoint do not fit one another. ``sm3`` keeps the second tree too."""
        self.files = LogFiles(directory)
        self.key = key
        self.log = log_of_origin(key.origin)
        self.signed: Checkpoint | None = None
        self.note: Note | None = None
        """The last signed checkpoint as it stands in its file, cosignatures and all."""
        self._directory = directory
        self._batch_entries = batch_entries
        self._floor: Checkpoint | None = None
        self._pending: list[File] = []
        self._rows: list[Row] = []
        self._index = EventIndex(directory)
        self._tree = self._reopen()
        self._second = SecondTree(self.files.read, self.signed) if sm3 else None
        self._last = self._last_entry() if self._tree.size else None
        self._next_seq = self._tree.size

    @property
    def size(self) -> int:
        """Entries in the tree."""
        return self._tree.size

    @property
    def signed_size(self) -> int:
        """Size of the last checkpoint; 0 before the first."""
        return self.signed.size if self.signed else 0

    @property
    def has_news(self) -> bool:
        """Whether there is something to sign, and nothing was signed that the tree has not come to yet."""
        return self._floor is None and self.size > self.signed_size

    def heed(self, earlier: Checkpoint) -> None:
        """A checkpoint that this log's key signed, found in the topic: nothing is signed that does not contain it.

        ``Corrupt`` when it contradicts the files. One beyond them is compared when the tree comes to its size.
        """
        if earlier.size > self.size:
            if self._floor is None or earlier.size > self._floor.size:
                self._floor = earlier
        elif self.signed is not None and earlier.size <= self.signed.size:
            require_continuation(earlier, self.signed, self.files.read)
        else:
            raise Corrupt(
                f"{self.key.origin}: size {earlier.size} was signed by somebody else with the key of this log"
            )

    def start_offset(self) -> int:
        """Where to read the log on: at the last entry of the tree, to compare it, or at the very beginning."""
        offset = None
        if self._last is not None:
            offset = self._index.offset_of(parse_entry(self._last).statement.id, self.size - 1)
        if offset is None:
            self._index.clear()
            self._next_seq = 0
            return 0
        self._next_seq = self.size - 1
        return offset

    def take(self, logged: LoggedEntry) -> None:
        """The next entry of the log; ``Corrupt`` when it is not the next, or not the one that was signed."""
        if logged.seq != self._next_seq:
            raise Corrupt(f"{self.log}@{logged.offset}: seq {logged.seq} where {self._next_seq} was expected")
        self._next_seq += 1
        self._rows.append((logged.event_id, logged.seq, logged.offset))
        if logged.seq == self.size:
            self._pending += self._tree.append(logged.entry)
            if self._second is not None:
                self._second.append(logged.entry)
            self._pass_floor()
        elif logged.seq == self.size - 1 and logged.entry != self._last:
            raise Corrupt(f"{self.log}@{logged.offset}: seq {logged.seq} is not the entry that was signed")
        if len(self._rows) >= self._batch_entries:
            self.write()

    def at_end(self) -> None:
        """The log has been read to its end: ``Corrupt`` when it is shorter than what was signed."""
        known = max(self.signed_size, self._floor.size if self._floor else 0)
        if self._next_seq < known:
            raise Corrupt(f"{self.log} ends after {self._next_seq} entries, {known} were signed before")

    def write(self) -> None:
        """Writes what is full."""
        if self._rows:
            self._index.add(self._rows)
            self._rows = []
        reach("ledger.step1")  # (1) index
        self._write_tiles(self._pending)
        self._pending = []
        reach("ledger.step2")  # (2) full tiles

    def write_open(self) -> None:
        """Writes what is full, and what is open at the present size."""
        self.write()
        self._write_tiles(self._tree.partials())
        if self._second is not None:
            write_files(self._directory, [self._second.file()])
        reach("ledger.step3")  # (3) open tiles

    def restore(self, note: Note) -> None:
        """Takes over a checkpoint that was signed before; ``Corrupt`` when the tree or its tiles, which are on disk, do not give it."""
        checkpoint = parse_checkpoint(note.text)
        require_same(checkpoint, self.size, self._tree.root())
        self._require_second(checkpoint)
        require_continuation(None, checkpoint, self.files.read)
        self.store_checkpoint(note)
        self.signed = checkpoint

    def sign(self) -> Note:
        """Writes what is open too and signs a checkpoint of the present size; the note, which is on disk. ``Corrupt``: nothing was signed."""
        self.write_open()
        extensions = () if self._second is None else (self._second.line(),)
        new = Checkpoint(self.key.origin, self.size, self._tree.root(), extensions)
        require_continuation(self.signed, new, self.files.read)
        note = self.key.sign(new)
        self.store_checkpoint(note)
        old_size, self.signed = self.signed_size, new
        reach("ledger.step4")  # (4) checkpoint
        drop_outgrown(self._directory, old_size, self.size)
        reach("ledger.step5")  # (5) open tiles of the size before
        return note

    def store_checkpoint(self, note: Note) -> None:
        """Writes the last signed checkpoint, with the cosignatures that are known for it."""
        write_files(self._directory, [(CHECKPOINT, format_note(note))])
        self.note = note

    def store_witnessed(self, note: Note) -> None:
        """Writes the last checkpoint that met the quorum."""
        write_files(self._directory, [(WITNESSED, format_note(note))])

    def store_candidate(self, note: Note) -> None:
        """Writes the checkpoint that witnesses are to cosign now."""
        write_files(self._directory, [(CANDIDATE, format_note(note))])

    def close(self) -> None:
        """Closes the index."""
        self._index.close()

    def _reopen(self) -> GrowingTree:
        data = self.files.checkpoint()
        if data is None:
            tidy(self._directory, 0)
            return GrowingTree()
        self.signed, self.note = self.key.reopen(data, "the file of the last checkpoint")
        tree = GrowingTree.from_tiles(self.files.read, self.signed.size)
        require_same(self.signed, tree.size, tree.root())
        tidy(self._directory, self.signed.size)
        return tree

    def _last_entry(self) -> bytes:
        index = (self.size - 1) // WIDTH
        return entries_of(self.files.read, index, width_at(0, index, self.size))[-1]

    def _pass_floor(self) -> None:
        if self._floor is not None and self._floor.size == self.size:
            require_same(self._floor, self.size, self._tree.root())
            self._require_second(self._floor)
            self._floor = None

    def _require_second(self, checkpoint: Checkpoint) -> None:
        if self._second is not None:
            self._second.require(checkpoint)

    def _write_tiles(self, files: list[File]) -> None:
        """A tile once written is never changed: the same bytes are left, others are ``Corrupt``."""
        fresh = []
        for path, data in files:
            there = self.files.read(path)
            if there is None:
                fresh.append((path, data))
            elif there != data:
                raise Corrupt(
                    f"{self.key.origin}/{path} holds other bytes than the log gives; see `ipx ledger rebuild`"
                )
        write_files(self._directory, fresh)
