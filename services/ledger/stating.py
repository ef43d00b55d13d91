"""States completeness: follows the tiles of the logs, and proposes the statements of every day that is over.

``services/ledger/FORMAT.md`` section 6.8. Reads what the ledger has written and signed, so a statement never counts an entry that is not in the
tree. For each log, numbered:

1. fold the entries that are new in the signed tree; an entry of a later day ends the day before it;
2. a while after midnight, a log that has no open transaction and nothing that was not folded ends its day too;
3. propose the statements of ended days to ``<exchange>.receipts.in``;
4. remember where the open day begins. Killed between 3 and 4 it proposes the same events again, which admission answers as known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from services.codec.checkpoint import log_of_origin, parse_checkpoint
from services.codec.note import parse_note
from services.codec.tiles import WIDTH, read_bundle, width_at
from services.kernel.errors import Corrupt
from services.kernel.ports import Clock
from services.ledger.completeness import Completeness, end_of_day_ms
from services.ledger.files import LogFiles, origins, write_files
from services.runtime.fold import Emission
from services.runtime.log_probe import End
from services.runtime.planner import Place

POSITION = "stated"
"""File beside the tiles: ``seq`` of the first entry whose day has not been stated, and a line end."""
Propose = Callable[[Sequence[Emission]], None]
"""Hands statements to the exchange and returns when they are there; ``Transient`` when it could not."""


class Probe(Protocol):
    """What is asked of Kafka (``services/runtime/log_probe.py``)."""

    def ends(self, places: list[Place]) -> Mapping[Place, End]:
        """Where the partitions end now."""
        ...

    def first_from(self, place: Place, offset: int, end: int) -> int | None:
        """Offset of the first record from there on."""
        ...


@dataclass(slots=True)
class LogStatements:
    """The statements of one log; of one thread."""

    origin: str
    directory: Path
    clock: Clock
    grace_ms: int
    _files: LogFiles = field(init=False)
    _fold: Completeness = field(init=False)
    _next: int = field(init=False)

    def __post_init__(self) -> None:
        self._files = LogFiles(self.directory)
        self._fold = Completeness(log_of_origin(self.origin))
        self._next = self._position()

    def once(self, propose: Propose, probe: Probe) -> int:
        """One look; how many statements were proposed. ``Transient`` when a part is away: look again later."""
        now_ms = self.clock.now_ms()
        said = 0
        # (1) entries that are new in the signed tree
        for entry in self._fresh():
            said += self._say(self._fold.take(entry), propose)
        # (2) the log is quiet and midnight is past
        day = self._fold.day
        if day is not None and now_ms - self.grace_ms >= end_of_day_ms(day) and self._is_quiet(probe):
            said += self._say(self._fold.close(), propose)
            self._remember()
        return said

    def _say(self, emissions: Sequence[Emission], propose: Propose) -> int:
        # (3) propose, (4) remember
        if emissions:
            propose(emissions)
            self._remember()
        return len(emissions)

    def _fresh(self) -> Iterator[bytes]:
        data = self._files.checkpoint()
        size = 0 if data is None else parse_checkpoint(parse_note(data).text).size
        while self._next < size:
            index, skip = divmod(self._next, WIDTH)
            for entry in read_bundle(self._files.read, index, width_at(0, index, size))[skip:]:
                self._next += 1
                yield entry

    def _is_quiet(self, probe: Probe) -> bool:
        """Whether everything that was begun in this log before now is folded."""
        last = self._fold.last_id
        found = None if last is None else self._files.find(last)
        if found is None:
            return False
        topic, _, partition = log_of_origin(self.origin).rpartition("/")
        place = (topic, int(partition))
        end = probe.ends([place])[place]
        return end.is_settled and probe.first_from(place, found[1] + 1, end.settled) is None

    def _remember(self) -> None:
        write_files(self.directory, [(POSITION, f"{self._fold.first_seq}\n".encode())])

    def _position(self) -> int:
        data = self._files.read(POSITION)
        if data is None:
            return 0
        text = data.decode("ascii", "replace").removesuffix("\n")
        if not text.isdecimal() or len(text) > 18:
            raise Corrupt(f"{self.origin}/{POSITION} holds no number; remove it, and every day is stated again")
        return int(text)


@dataclass(slots=True)
class Statements:
    """The statements of every log of an exchange; of one thread, called every few seconds."""

    ledger_dir: Path
    exchange: str
    propose: Propose
    probe: Probe
    clock: Clock
    grace_ms: int = 60_000
    _logs: dict[str, LogStatements] = field(default_factory=dict)

    def once(self) -> int:
        """One look at every log; how many statements were proposed. What failed for one log is begun again at the next look."""
        said = 0
        for origin in origins(self.ledger_dir):
            exchange, family, _ = origin.split("/")
            if exchange != self.exchange or family == "members":
                continue  # members events are delivered to nobody
            directory = self.ledger_dir / origin
            # taken out, and put back only if all went well: where proposing failed the fold has gone on, and is made anew from its position
            log = self._logs.pop(origin, None) or LogStatements(origin, directory, self.clock, self.grace_ms)
            said += log.once(self.propose, self.probe)
            self._logs[origin] = log
        return said
