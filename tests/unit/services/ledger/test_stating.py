"""Stating completeness from the files of the ledger: a day ends in time, once, and after a kill the same is said again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.codec.checkpoint import Checkpoint, format_checkpoint
from services.codec.note import Note, NoteSignature, format_note
from services.kernel.codes import day_of
from services.kernel.errors import Corrupt, Transient
from services.kernel.ports import SettableClock
from services.ledger.completeness import end_of_day_ms
from services.ledger.files import CHECKPOINT, write_files
from services.ledger.growing import GrowingTree
from services.ledger.index import EventIndex
from services.ledger.stating import POSITION, Statements
from services.runtime.log_probe import End
from tests.unit.services.ledger.test_completeness import DAY, HANGZHOU, T0, Log

ORIGIN = "ipx/clues/3"
MIDNIGHT = end_of_day_ms(day_of(T0))


@dataclass
class Kafka:
    """What the probe is told: nothing unread, unless set otherwise."""

    open_transaction: bool = False
    unread: int | None = None

    def ends(self, places):
        return {place: End(1000, 1001 if self.open_transaction else 1000) for place in places}

    def first_from(self, place, offset, end):
        return self.unread


def write_log(folder: Path, log: Log, origin: str = ORIGIN) -> None:
    """As the ledger writes and signs it."""
    tree, files = GrowingTree(), []
    for entry in log.entries:
        files += tree.append(entry)
    text = format_checkpoint(Checkpoint(origin, tree.size, tree.root()))
    note = format_note(Note(text, (NoteSignature(origin, b"abcd", b"x"),)))
    write_files(folder / origin, [*files, *tree.partials(), (CHECKPOINT, note)])
    index = EventIndex(folder / origin)
    index.add([(event_id, seq, seq) for seq, event_id in enumerate(log.ids)])
    index.close()


@dataclass
class Scene:
    folder: Path
    log: Log = field(default_factory=Log)
    kafka: Kafka = field(default_factory=Kafka)
    clock: SettableClock = field(default_factory=lambda: SettableClock(T0))
    said: list = field(default_factory=list)
    away: bool = False

    def write(self) -> None:
        write_log(self.folder, self.log)

    def start(self) -> Statements:
        return Statements(self.folder, "ipx", self.propose, self.kafka, self.clock)

    def propose(self, emissions) -> None:
        if self.away:
            raise Transient("away")
        self.said += emissions


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene(tmp_path)


def test_a_day_is_stated_once_when_an_entry_of_the_next_is_in_the_signed_tree(scene):
    for _ in range(300):
        scene.log.say(HANGZHOU)
    scene.write()
    statements = scene.start()
    assert statements.once() == 0
    scene.log.say(HANGZHOU, at=T0 + DAY)
    assert statements.once() == 0  # not signed yet
    scene.write()
    assert statements.once() == 1
    assert statements.once() == 0
    assert (scene.folder / ORIGIN / POSITION).read_bytes() == b"300\n"
    assert scene.start().once() == 0


@pytest.mark.parametrize(
    ("now", "kafka", "expected"),
    [
        (MIDNIGHT + 60_000, Kafka(), 1),
        (MIDNIGHT + 59_999, Kafka(), 0),
        (MIDNIGHT + 60_000, Kafka(open_transaction=True), 0),
        (MIDNIGHT + 60_000, Kafka(unread=7), 0),
    ],
)
def test_a_quiet_log_ends_its_day_a_while_after_midnight_and_not_before_it_is_known_to_be_quiet(
    scene, now, kafka, expected
):
    scene.log.say(HANGZHOU)
    scene.write()
    scene.clock.at_ms, scene.kafka = now, kafka
    statements = scene.start()
    assert statements.once() == expected
    assert statements.once() == 0
    assert scene.start().once() == 0


def test_what_could_not_be_proposed_is_proposed_later_and_after_a_kill_the_same_again(scene):
    scene.log.say(HANGZHOU)
    scene.write()
    statements = scene.start()
    assert statements.once() == 0
    scene.log.say(HANGZHOU, at=T0 + DAY)
    scene.write()
    scene.away = True
    with pytest.raises(Transient):
        statements.once()
    scene.away = False
    assert statements.once() == 1
    (scene.folder / ORIGIN / POSITION).unlink()  # killed between proposing and remembering
    assert scene.start().once() == 1
    assert scene.said[0] == scene.said[1]


def test_a_position_that_is_none_is_corrupt(scene):
    scene.log.say(HANGZHOU)
    scene.write()
    (scene.folder / ORIGIN / POSITION).write_bytes(b"-1\n")
    with pytest.raises(Corrupt):
        scene.start().once()
